import MartletBench
import MartletWire
import NIOCore
import Testing

@testable import PeerBench

/// As much of a gowebsocket server as a run needs: WebSocket and HTTP on one port.
private final class GoWebSocketServer: StandInRules {
    private var online: [String: StandInConnection] = [:]
    private var seen: Set<String> = []

    func read(_ bytes: inout ByteBuffer, from connection: StandInConnection) {
        while connection.isUpgraded {
            var decoder = WebSocketDecoder(role: .server, maximumMessage: 65_536)
            guard let item = try? decoder.next(&bytes), case .text(let text) = item else { return }
            signIn(String(buffer: text), connection)
        }
        switch RequestPeek.read(bytes.readableBytesUInt8Span, paths: ["/acc"]) {
        case .upgrade(let request, let head):
            bytes.moveReaderIndex(forwardBy: head)
            connection.isUpgraded = true
            connection.write(UpgradeResponse.accept(key: request.key))
        case .http: while answer(&bytes, connection) {}
        case .incomplete: break
        case .refused: connection.cut()
        }
    }

    func closed(_ connection: StandInConnection) {
        if let user = connection.user { online[user] = nil }
    }

    private func signIn(_ text: String, _ connection: StandInConnection) {
        let parts = text.split(separator: "\"")
        guard let key = parts.firstIndex(of: "userId"), key + 2 < parts.count else { return }
        let user = String(parts[key + 2])
        connection.user = user
        connection.write(frame(#"{"seq":"1","cmd":"login","response":{"code":200,"codeMsg":"Success","data":null}}"#))
        for other in online.values { push("enter", seq: "9", from: user, "哈喽~", to: other) }
        online[user] = connection
    }

    /// One request; false where it is not whole yet.
    private func answer(_ bytes: inout ByteBuffer, _ connection: StandInConnection) -> Bool {
        let text = String(buffer: bytes)
        guard let blank = text.firstRange(of: "\r\n\r\n"), let length = text.firstMatch(of: /Content-Length: (\d+)/),
            let count = Int(length.1), text[blank.upperBound...].utf8.count >= count
        else { return false }
        bytes.moveReaderIndex(forwardBy: text[..<blank.upperBound].utf8.count + count)
        var form: [String: String] = [:]
        for field in text[blank.upperBound...].prefix(count).split(separator: "&") {
            let parts = field.split(separator: "=", maxSplits: 1).map(String.init)
            if parts.count == 2 { form[parts[0]] = parts[1] }
        }
        let isSent = send(form, toAll: text.hasPrefix("POST /user/sendMessageAll "))
        let body = #"{"code":200,"msg":"Success","data":{\#(isSent ? #""sendResults":true"# : "")}}"#
        connection.write(Array("HTTP/1.1 200 OK\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8))
        return true
    }

    private func send(_ form: [String: String], toAll: Bool) -> Bool {
        guard let user = form["userId"], let number = form["msgId"], let message = form["message"],
            seen.insert(number).inserted
        else { return false }
        if !toAll {
            guard let receiver = online[user] else { return false }
            push("msg", seq: number, from: form["from"] ?? user, message, to: receiver)
            return true
        }
        for (name, receiver) in online where name != user {
            push("msg", seq: number, from: user, message, to: receiver)
        }
        return true
    }

    private func push(_ command: String, seq: String, from: String, _ text: String, to receiver: StandInConnection) {
        let data = #"{"target":"","type":"text","msg":"\#(text)","from":"\#(from)"}"#
        receiver.write(
            frame(#"{"seq":"\#(seq)","cmd":"\#(command)","response":{"code":200,"codeMsg":"Ok","data":\#(data)}}"#))
    }
}

@Suite struct GoWebSocketRunTests {
    private func run(_ load: PeerLoad) async throws -> PeerReport {
        try await withStandIn {
            GoWebSocketServer()
        } _: { port in
            var plan = PeerPlan(load, port: port, connections: 6)
            plan.path = "/acc"
            plan.window = 4
            plan.duration = .milliseconds(100)
            plan.warmup = .milliseconds(20)
            return try await PeerRun<GoWebSocketPeer>(plan).report()
        }
    }

    @Test func pairsPostToOneAnother() async throws {
        let report = try await run(.pairs)
        #expect(report.integrity.sent > 0)
        #expect(report.integrity.delivered == report.integrity.sent)
        #expect(report.integrity.unanswered == 0)
        #expect(report.integrity.isSound)
        #expect(report.acknowledgedLatency != nil)
    }

    @Test func theFirstPostsToTheRoom() async throws {
        let report = try await run(.room)
        #expect(report.integrity.sent > 0)
        #expect(report.integrity.delivered == 5 * report.integrity.sent)
        #expect(report.integrity.isSound)
    }
}
