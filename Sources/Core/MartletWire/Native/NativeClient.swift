import MartletCore

/// The client's half of the native protocol, for the SDK, the load generator and tests: payloads of text frames. `seq`
/// is the client's own number of a command, which comes back with the answer; nil leaves it out.
package enum NativeRequest {
    /// `resume`: hold pushes until the first `sync` is answered.
    package static func login(
        seq: String?, token: String, device: DeviceKind = .web, resume: Bool = false
    ) -> [UInt8] {
        command(seq, .login) { data in
            data.field("token", token)
            data.choice("device", device)
            if resume { data.field("resume", true) }
        }
    }

    /// Signs in without an account, where the server is open to guests.
    package static func guest(seq: String?, name: String, app: AppID? = nil) -> [UInt8] {
        command(seq, .login) { data in
            data.field("guest", name)
            data.optional("appId", app?.value)
        }
    }

    package static func heartbeat(seq: String?) -> [UInt8] { command(seq, .heartbeat) { _ in } }

    /// `content` is an object's JSON.
    package static func send(
        seq: String?, conversation: ConversationID, clientId: String, kind: EventKind = .text, content: [UInt8]
    ) -> [UInt8] {
        command(seq, .send) { data in
            data.field("conversationId", conversation)
            message(clientId, kind, content, to: &data)
        }
    }

    /// Sends to a user, whether or not there is a conversation yet.
    package static func send(
        seq: String?, to user: UserID, clientId: String, kind: EventKind = .text, content: [UInt8]
    ) -> [UInt8] {
        command(seq, .send) { data in
            data.field("to", user)
            message(clientId, kind, content, to: &data)
        }
    }

    private static func message(_ clientId: String, _ kind: EventKind, _ content: [UInt8], to data: inout JSONObject) {
        data.field("clientId", clientId)
        data.field("type", kind)
        data.field("content", RawJSON(content))
    }

    /// `cursors`: the last `seq` that the client has of each conversation.
    package static func sync(
        seq: String?, cursors: [(conversation: ConversationID, seq: Int64)], limit: Int? = nil
    ) -> [UInt8] {
        var map = JSONWriter()
        map.byte(UInt8(ascii: "{"))
        for (index, cursor) in cursors.enumerated() {
            if index > 0 { map.byte(UInt8(ascii: ",")) }
            map.string(cursor.conversation.text)
            map.byte(UInt8(ascii: ":"))
            map.integer(cursor.seq)
        }
        map.byte(UInt8(ascii: "}"))
        return command(seq, .sync) { data in
            data.field("cursors", RawJSON(map.bytes))
            data.optional("limit", limit)
        }
    }

    /// Any command; `fill` writes its data.
    package static func command(
        _ seq: String?, _ name: NativeCommandName, _ fill: (inout JSONObject) -> Void
    ) -> [UInt8] {
        let data = JSONWriter.object(fill)
        return JSONWriter.object { frame in
            frame.optional("seq", seq)
            frame.field("cmd", "\(name.text)")
            frame.field("data", RawJSON(data))
        }
    }
}
