import Crypto
import MartletCore
import NIOCore

/// A Lua script: its steps are one to everybody else.
package struct RedisScript: Sendable {
    let source: String
    private let digest: String

    init(_ source: String) {
        self.source = source
        digest = Insecure.SHA1.hash(data: Array(source.utf8)).map { byte in
            String(byte >> 4, radix: 16) + String(byte & 15, radix: 16)
        }.joined()
    }

    fileprivate func command(_ name: String, _ script: String, _ keys: [String], _ arguments: [String]) -> RedisCommand
    {
        RedisCommand([name, script, String(keys.count)] + keys + arguments)
    }

    fileprivate func short(_ keys: [String], _ arguments: [String]) -> RedisCommand {
        command("EVALSHA", digest, keys, arguments)
    }

    fileprivate func whole(_ keys: [String], _ arguments: [String]) -> RedisCommand {
        command("EVAL", source, keys, arguments)
    }
}

extension RedisServers {
    /// Runs a script on a server that most likely knows it; `reply` as of `RedisLink.send`.
    func run(
        _ script: RedisScript, on server: Int, keys: [String], _ arguments: [String],
        within time: TimeAmount = .seconds(1), _ reply: @escaping RedisReply
    ) {
        let link = servers[server][.commands]
        link.send(script.short(keys, arguments).bytes, within: time) { result in
            guard case .failure(let fault) = result, fault.redisError?.hasPrefix("NOSCRIPT") == true else {
                return reply(result)
            }
            link.send(script.whole(keys, arguments).bytes, within: time, reply)
        }
    }

    func run(
        _ script: RedisScript, on server: Int, keys: [String], _ arguments: [String],
        within time: TimeAmount = .seconds(1)
    ) async throws(Fault) -> RESPValue {
        let result = await withCheckedContinuation { continuation in
            run(script, on: server, keys: keys, arguments, within: time) { continuation.resume(returning: $0) }
        }
        return try result.get()
    }

    /// Teaches a server scripts ahead of their first use, so that calls keep their order.
    func teach(_ scripts: [RedisScript], _ server: Int) {
        var bytes = ByteBuffer()
        for script in scripts { bytes.writeImmutableBuffer(RedisCommand("SCRIPT", "LOAD", script.source).bytes) }
        _ = servers[server][.commands].post(bytes, commands: scripts.count)
    }
}
