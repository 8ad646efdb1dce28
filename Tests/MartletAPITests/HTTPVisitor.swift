import MartletCore
import MartletWire
import NIOCore
import NIOPosix

/// A client that writes HTTP by hand, so that it can write it wrong.
struct HTTPVisitor {
    let port: Int

    struct Answer {
        let status: Int
        let headers: [(name: String, value: String)]
        let body: [UInt8]

        subscript(_ name: String) -> String? { headers.first { $0.name == name.lowercased() }?.value }

        var text: String { String(decoding: body, as: UTF8.self) }
        var json: JSONValue? { try? JSONValue(parsing: body, depth: 64) }
        var reason: String? { json?["data"]?["reason"]?.string }
    }

    func get(_ target: String, _ headers: [String] = [], token: String? = nil) async throws -> Answer {
        try await send("GET", target, headers, token: token)
    }

    func post(_ target: String, _ body: String, token: String? = nil) async throws -> Answer {
        try await send("POST", target, ["Content-Type: application/json"], body: Array(body.utf8), token: token)
    }

    func send(
        _ method: String, _ target: String, _ headers: [String] = [], body: [UInt8] = [], token: String? = nil
    ) async throws -> Answer {
        var lines = ["\(method) \(target) HTTP/1.1", "Host: test", "Connection: close"] + headers
        if let token { lines.append("Authorization: Bearer \(token)") }
        if !body.isEmpty { lines.append("Content-Length: \(body.count)") }
        return try await raw(Array((lines.joined(separator: "\r\n") + "\r\n\r\n").utf8) + body)
    }

    /// Sends bytes and reads until the server closes; returns the first answer.
    func raw(_ bytes: [UInt8]) async throws -> Answer {
        let answers = try await exchange(bytes)
        guard let answer = Self.parse(answers) else { throw Unreadable(text: String(decoding: answers, as: UTF8.self)) }
        return answer
    }

    struct Unreadable: Error {
        let text: String
    }

    /// Sends bytes and returns all that comes until the server closes.
    func exchange(_ bytes: [UInt8]) async throws -> [UInt8] {
        let client = try await ClientBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .connect(host: "127.0.0.1", port: port) { channel in
                channel.eventLoop.makeCompletedFuture {
                    try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
                }
            }
        return try await client.executeThenClose { inbound, outbound in
            try await outbound.write(ByteBuffer(bytes: bytes))
            var received: [UInt8] = []
            for try await part in inbound { received.append(contentsOf: part.readableBytesView) }
            return received
        }
    }

    private static func parse(_ bytes: [UInt8]) -> Answer? {
        let end = Array("\r\n\r\n".utf8)
        guard let split = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
        let lines = String(decoding: bytes[..<split], as: UTF8.self).split(separator: "\r\n")
        guard let first = lines.first?.split(separator: " "), first.count > 1, let status = Int(first[1]) else {
            return nil
        }
        let headers = lines.dropFirst().compactMap { line -> (name: String, value: String)? in
            let parts = line.split(separator: ":", maxSplits: 1)
            return parts.count == 2 ? (parts[0].lowercased(), String(parts[1].drop { $0 == " " })) : nil
        }
        return Answer(status: status, headers: headers, body: Array(bytes[(split + 4)...]))
    }
}
