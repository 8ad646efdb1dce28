/// The steps of presence that must not be seen halfway. Keys and fields, behind the prefix:
///
///     s:<user>                hash: <incarnation>/<session in hex> → <device>/<opened, ms>
///     r:<room>|<incarnation>  sorted set: users in the room on that node, by their number
///     a:<app>                 sorted set: rooms that had somebody in them, by the time of the last first one
///
/// An entry whose incarnation is not in the directory is stale, unless it is newer than a directory may be late to tell.
enum PresenceScripts {
    /// Milliseconds that an unknown incarnation is believed for.
    private static let believed = 5000
    /// Milliseconds after which a stale entry is removed by whoever sees it. What this directory does not know may still be
    /// a node that lives: it does not count, but it is not taken away.
    private static let kept = 86_400_000

    /// Reads a user's live sessions into `list`. Live incarnations are the arguments from `first` on.
    private static func reading(from first: Int) -> String {
        """
        local time = redis.call('TIME')
        local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
        local live = {}
        for index = \(first), #ARGV do live[ARGV[index]] = true end
        local function sessions(key)
          local list = {}
          local all = redis.call('HGETALL', key)
          for index = 1, #all, 2 do
            local name, id = string.match(all[index], '^(.*)/(%x+)$')
            local device, at = string.match(all[index + 1], '^(%w+)/(%d+)$')
            at = tonumber(at or 0)
            if name and device and (live[name] or math.abs(now - at) < \(believed)) then
              list[#list + 1] = { field = all[index], id = id, device = device, at = at }
            elseif not name or not device or now - at > \(kept) then
              redis.call('HDEL', key, all[index])
            end
          end
          table.sort(list, function(one, other)
            if one.at ~= other.at then return one.at < other.at end
            return one.field < other.field
          end)
          return list
        end

        """
    }

    /// The rule of `SessionList.admit`. Arguments: field, device, what to do about the same device, limit, time to live.
    /// Returns 0 where it is refused; otherwise whether the user had no other session, and those replaced.
    static let open = RedisScript(
        reading(from: 6) + """
            local list = sessions(KEYS[1])
            local reply = { #list == 0 and 1 or 0 }
            local stay = {}
            for _, entry in ipairs(list) do
              if entry.device == ARGV[2] and ARGV[3] == 'refuse' then return 0 end
              if entry.device == ARGV[2] and ARGV[3] == 'replace' then
                redis.call('HDEL', KEYS[1], entry.field)
                reply[#reply + 1] = entry.id
              else
                stay[#stay + 1] = entry
              end
            end
            for index = 1, #stay - tonumber(ARGV[4]) + 1 do
              redis.call('HDEL', KEYS[1], stay[index].field)
              reply[#reply + 1] = stay[index].id
            end
            local last = list[#list]
            if last and now <= last.at then now = last.at + 1 end
            redis.call('HSET', KEYS[1], ARGV[1], ARGV[2] .. '/' .. string.format('%.0f', now))
            redis.call('PEXPIRE', KEYS[1], ARGV[5])
            return reply
            """)

    /// Argument: field. Returns whether it was there, and how many others are.
    static let close = RedisScript(
        reading(from: 2) + """
            local removed = redis.call('HDEL', KEYS[1], ARGV[1])
            return { removed, #sessions(KEYS[1]) }
            """)

    /// For each key, 1 where the user has a live session.
    static let online = RedisScript(
        reading(from: 1) + """
            local found = {}
            for index, key in ipairs(KEYS) do found[index] = #sessions(key) > 0 and 1 or 0 end
            return found
            """)

    /// Keys: the room on this node, then on the others. Arguments: user, time to live. Returns 1 where nobody else has the
    /// user in the room.
    static let enter = RedisScript(
        """
        redis.call('ZADD', KEYS[1], ARGV[1], ARGV[1])
        redis.call('PEXPIRE', KEYS[1], ARGV[2])
        for index = 2, #KEYS do
          if redis.call('ZSCORE', KEYS[index], ARGV[1]) then return 0 end
        end
        return 1
        """)

    /// Keys and argument as of `enter`. Returns 1 where nobody else has the user in the room.
    static let leave = RedisScript(
        """
        redis.call('ZREM', KEYS[1], ARGV[1])
        for index = 2, #KEYS do
          if redis.call('ZSCORE', KEYS[index], ARGV[1]) then return 0 end
        end
        return 1
        """)

    /// Keys: the room on every node. Argument: how many users at most. Returns how many there are and the first of them.
    /// The number is exact up to 1,000; beyond, who is there on several nodes counts once on each.
    static let people = RedisScript(
        """
        local total, limit = 0, tonumber(ARGV[1])
        for _, key in ipairs(KEYS) do total = total + redis.call('ZCARD', key) end
        local isWhole = total <= 1000
        local seen, users = {}, {}
        for _, key in ipairs(KEYS) do
          for _, user in ipairs(redis.call('ZRANGE', key, 0, isWhole and -1 or limit - 1)) do
            if not seen[user] then
              seen[user] = true
              users[#users + 1] = user
            end
          end
        end
        table.sort(users, function(one, other) return tonumber(one) < tonumber(other) end)
        local reply = { isWhole and #users or total }
        for index = 1, math.min(limit, #users) do reply[index + 1] = users[index] end
        return reply
        """)

    /// Keys: the room on every node. Argument: user. Returns 1 where one of them has the user.
    static let here = RedisScript(
        """
        for _, key in ipairs(KEYS) do
          if redis.call('ZSCORE', key, ARGV[1]) then return 1 end
        end
        return 0
        """)

    static let all = [open, close, online, enter, leave, people, here]
}
