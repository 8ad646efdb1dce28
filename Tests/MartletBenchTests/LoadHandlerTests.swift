import MartletCore
import NIOCore
import NIOEmbedded
import Testing

@testable import MartletBench
@testable import MartletWire

/// The client's side of a connection, with the test in the place of the server.
@Suite struct LoadHandlerTests {
    /// A loop with its sessions connected to embedded channels.
    private final class Stage {
        let eventLoop = EmbeddedEventLoop()
        let loop: LoadLoop
        private(set) var channels: [EmbeddedChannel] = []
        private var decoders: [Int: ByteBuffer] = [:]

        init(_ profile: BenchProfile, connections: Int = 2, _ change: (inout BenchOptions) -> Void = { _ in }) throws {
            var options = BenchOptions(
                profile, try BenchAddress("ws://127.0.0.1:8080/ws"),
                (0..<connections).map { BenchToken(user: Int64($0) + 11, token: "token\($0)") })
            options.connections = connections
            change(&options)
            try options.check()
            loop = LoadLoop(
                eventLoop, index: 0,
                plan: LoadPlan(
                    options, run: 7, timeOfDay: Instant(milliseconds: 1_700_000_000_000),
                    group: .group(GroupID(unchecked: 5))))
            loop.all = [loop]
            for session in loop.sessions { try connect(session) }
        }

        /// Connects a session (again) and answers its handshake.
        func connect(_ session: LoadSession) throws {
            let handler = LoadHandler(session, loop)
            session.handler = handler
            let channel = EmbeddedChannel(handler: handler, loop: eventLoop)
            channel.connect(to: try SocketAddress(ipAddress: "127.0.0.1", port: 8080), promise: nil)
            if session.number < channels.count { channels[session.number] = channel } else { channels.append(channel) }
            let request = String(buffer: try channel.readOutbound(as: ByteBuffer.self) ?? ByteBuffer())
            #expect(request.hasPrefix("GET /ws HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"))
            let key = request.split(separator: "\r\n").first { $0.hasPrefix("Sec-WebSocket-Key: ") }?.dropFirst(19)
            let acceptance = UpgradeResponse.acceptance(of: String(key ?? ""))
            let answer =
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                + "Sec-WebSocket-Accept: \(acceptance)\r\n\r\n"
            // In two pieces, as a network may bring it.
            try channel.writeInbound(ByteBuffer(string: String(answer.prefix(30))))
            try channel.writeInbound(ByteBuffer(string: String(answer.dropFirst(30))))
        }

        /// The commands that a session sent since the last call.
        func commands(_ session: Int) throws -> [JSONValue] {
            var bytes = ByteBuffer()
            while var part = try channels[session].readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
            var decoder = WebSocketDecoder(role: .server, maximumMessage: 65_536)
            var commands: [JSONValue] = []
            while let item = try decoder.next(&bytes) {
                guard case .text(let payload) = item else { continue }
                commands.append(try JSONValue(parsing: Array(payload.readableBytesView)))
            }
            #expect(bytes.readableBytes == 0)
            return commands
        }

        /// The payloads of the pings that a session sent since the last call.
        func pings(_ session: Int) throws -> [ByteBuffer] {
            var bytes = ByteBuffer()
            while var part = try channels[session].readOutbound(as: ByteBuffer.self) { bytes.writeBuffer(&part) }
            var decoder = WebSocketDecoder(role: .server, maximumMessage: 65_536)
            var pings: [ByteBuffer] = []
            while let item = try decoder.next(&bytes) {
                if case .ping(let payload) = item { pings.append(payload) }
            }
            return pings
        }

        func pong(_ payload: ByteBuffer, to session: Int) throws {
            try channels[session].writeInbound(WebSocketEncoder.pong(payload, allocator: ByteBufferAllocator()))
        }

        func push(_ json: String, to session: Int) throws {
            try channels[session].writeInbound(
                WebSocketEncoder.text(Array(json.utf8), allocator: ByteBufferAllocator()))
        }

        func signIn(_ session: Int) throws {
            try push(
                #"{"seq":"login","cmd":"login","response":{"code":200,"codeMsg":"Success","data":{}}}"#, to: session)
        }

        func answer(_ command: JSONValue, to session: Int, code: Int = 200, seq: Int = 1) throws {
            let number = command["seq"]?.string ?? ""
            try push(
                #"{"seq":"\#(number)","cmd":"send","response":{"code":\#(code),"codeMsg":"","data":{"seq":\#(seq)}}}"#,
                to: session)
        }

        func deliver(_ command: JSONValue, to session: Int, seq: Int = 1) throws {
            let text = command["data"]?["content"]?["text"]?.string ?? ""
            try push(
                #"{"cmd":"msg","data":{"conversationId":"d:11:12","seq":\#(seq),"content":{"text":"\#(text)"}}}"#,
                to: session)
        }
    }

    @Test func `A session signs in once its handshake is accepted`() throws {
        let stage = try Stage(.idle)
        let commands = try stage.commands(1)
        #expect(commands.map { $0["cmd"]?.string } == ["login"])
        #expect(commands.first?["data"]?["token"]?.string == "token1")
        try stage.signIn(1)
        #expect(stage.loop.ready == 1)
        #expect(stage.loop.signIns.count == 1)
    }

    @Test func `A closed loop keeps its window full and no fuller`() throws {
        let stage = try Stage(.pairs) { $0.window = 2 }
        for session in 0..<2 { try stage.signIn(session) }
        for session in 0..<2 { _ = try stage.commands(session) }
        stage.loop.startSending()
        var sent = try stage.commands(0)
        #expect(sent.count == 2)
        #expect(sent.first?["data"]?["to"]?.integer == 12)

        // An answer alone makes no room, nor does a delivery alone.
        try stage.answer(sent[0], to: 0)
        #expect(try stage.commands(0).isEmpty)
        try stage.deliver(sent[0], to: 1)
        sent += try stage.commands(0)
        #expect(sent.count == 3)
        try stage.deliver(sent[1], to: 1)
        #expect(try stage.commands(0).isEmpty)
        try stage.answer(sent[1], to: 0)
        sent += try stage.commands(0)
        #expect(sent.count == 4)

        let counts = stage.loop.counts
        #expect((counts.sent, counts.acknowledged, counts.delivered, counts.misdelivered) == (6, 2, 2, 0))
    }

    @Test func `Latency counts only what was due while measured`() throws {
        let stage = try Stage(.pairs)
        for session in 0..<2 { try stage.signIn(session) }
        for session in 0..<2 { _ = try stage.commands(session) }
        stage.loop.startSending()
        let early = try #require(try stage.commands(0).first)
        stage.loop.recordsFrom = stage.loop.now
        try stage.answer(early, to: 0)
        try stage.deliver(early, to: 1)
        #expect(stage.loop.acknowledgements.count == 0)
        let measured = try #require(try stage.commands(0).first)
        try stage.answer(measured, to: 0)
        try stage.deliver(measured, to: 1)
        #expect(stage.loop.acknowledgements.count == 1)
        #expect(stage.loop.deliveries.count == 1)
    }

    @Test func `A refusal is counted, and rests before the next send`() throws {
        let stage = try Stage(.pairs)
        for session in 0..<2 { try stage.signIn(session) }
        for session in 0..<2 { _ = try stage.commands(session) }
        stage.loop.startSending()
        let refused = try #require(try stage.commands(0).first)
        try stage.answer(refused, to: 0, code: 429)
        #expect(try stage.commands(0).isEmpty)
        #expect(stage.loop.counts.refusals == [429: 1])
        stage.eventLoop.advanceTime(by: .milliseconds(60))
        #expect(try stage.commands(0).count == 1)
    }

    @Test func `In a room a message is under way until all have it`() throws {
        let stage = try Stage(.room, connections: 4)
        for session in 0..<4 {
            try stage.signIn(session)
            let entering = try stage.commands(session).last
            #expect(entering?["cmd"]?.string == "enter")
            #expect(entering?["data"]?["conversationId"]?.string == "r:1:bench")
            try stage.push(#"{"seq":"enter","cmd":"enter","response":{"code":200,"data":{}}}"#, to: session)
        }
        #expect(stage.loop.ready == 4)
        stage.loop.startSending()
        let message = try #require(try stage.commands(0).first)
        #expect(message["data"]?["conversationId"]?.string == "r:1:bench")
        try stage.answer(message, to: 0)
        for receiver in 1...2 { try stage.deliver(message, to: receiver) }
        #expect(try stage.commands(0).isEmpty)
        try stage.deliver(message, to: 3)
        #expect(try stage.commands(0).count == 1)
        #expect(stage.loop.counts.delivered == 3)
    }

    @Test func `In a group a message is measured by its last receiver`() throws {
        let stage = try Stage(.group, connections: 4)
        for session in 0..<4 { try stage.signIn(session) }
        for session in 0..<4 { _ = try stage.commands(session) }
        #expect(stage.loop.ready == 4)
        stage.loop.recordsFrom = stage.loop.now
        stage.loop.startSending()
        let message = try #require(try stage.commands(0).first)
        #expect(message["data"]?["conversationId"]?.string == "g:5")
        for receiver in 1...2 { try stage.deliver(message, to: receiver) }
        #expect(stage.loop.deliveries.count == 2)
        #expect(stage.loop.lastReceivers.count == 0)
        try stage.deliver(message, to: 3)
        #expect(stage.loop.lastReceivers.count == 1)
    }

    @Test func `A ping is under way until its pong is there`() throws {
        let stage = try Stage(.echo, connections: 1) { $0.window = 2 }
        try stage.signIn(0)
        _ = try stage.commands(0)
        stage.loop.recordsFrom = stage.loop.now
        stage.loop.startSending()
        let pings = try stage.pings(0)
        #expect(pings.count == 2)
        #expect(pings.first?.readableBytes == 100)
        try stage.pong(pings[0], to: 0)
        #expect(try stage.pings(0).count == 1)
        #expect(stage.loop.deliveries.count == 1)
        // The second one's pong is lost.
        let session = stage.loop.sessions[0]
        #expect(session.deliveries[0].lost(of: session.sends) == 2)
        try stage.pong(pings[0], to: 0)
        #expect(session.deliveries[0].repeated == 1)
        try stage.pong(ByteBuffer(string: "something else"), to: 0)
        #expect(stage.loop.counts.strayAnswers == 1)
    }

    @Test func `Nobody waits for a slow reader, who comes back with a cursor once it is to read on`() throws {
        let stage = try Stage(.slow, connections: 3) { $0.slow = 1 }
        for session in 0..<2 { try stage.signIn(session) }
        #expect(try stage.commands(2).last?["data"]?["resume"]?.bool == true)
        try stage.signIn(2)
        let empty = #"{"seq":"sync","cmd":"sync","response":{"code":200,"data":{"conversations":[]}}}"#
        try stage.push(empty, to: 2)
        for session in 0..<3 { _ = try stage.commands(session) }
        #expect(stage.loop.ready == 3)
        stage.loop.stopReading()
        stage.loop.startSending()
        let message = try #require(try stage.commands(0).first)
        try stage.answer(message, to: 0)
        try stage.deliver(message, to: 1)
        #expect(try stage.commands(0).count == 1)
        #expect(stage.loop.lastReceivers.count == 0)

        let slow = stage.loop.sessions[2]
        try stage.channels[2].writeInbound(WebSocketEncoder.close(.slowReader, allocator: ByteBufferAllocator()))
        stage.eventLoop.run()
        #expect(stage.loop.counts.closeCodes == [4002: 1])
        #expect(slow.phase == .ended)
        stage.loop.slowOnesRead = true
        slow.phase = .away
        slow.resumes = true
        try stage.connect(slow)
        _ = try stage.commands(2)
        try stage.signIn(2)
        let sync = try #require(try stage.commands(2).first)
        #expect(sync["data"]?["cursors"]?["g:5"]?.integer == 0)
        let text = message["data"]?["content"]?["text"]?.string ?? ""
        try stage.push(
            #"{"seq":"sync","cmd":"sync","response":{"code":200,"data":{"conversations":"#
                + #"[{"conversationId":"g:5","events":[{"seq":1,"from":11,"content":{"text":"\#(text)"}}],"lastSeq":1}]}}}"#,
            to: 2)
        #expect(slow.phase == .ready)
        #expect(stage.loop.counts.deliveredToSlow == 1)
        #expect(slow.deliveries[0].lost(of: stage.loop.sessions[0].sends) == 0)
    }

    @Test func `What comes to the wrong one, or comes twice, is noticed`() throws {
        let stage = try Stage(.pairs, connections: 4)
        for session in 0..<4 { try stage.signIn(session) }
        for session in 0..<4 { _ = try stage.commands(session) }
        stage.loop.startSending()
        let message = try #require(try stage.commands(0).first)
        try stage.deliver(message, to: 2)
        #expect(stage.loop.counts.misdelivered == 1)
        try stage.deliver(message, to: 1)
        try stage.deliver(message, to: 1)
        #expect(stage.loop.sessions[1].deliveries[0].repeated == 1)
        try stage.answer(message, to: 0)
        try stage.answer(message, to: 0)
        #expect(stage.loop.counts.strayAnswers == 1)
    }

    @Test func `An open loop sends by the timetable, whatever is answered`() throws {
        let stage = try Stage(.pairs) { $0.rate = 1_000_000 }
        for session in 0..<2 { try stage.signIn(session) }
        for session in 0..<2 { _ = try stage.commands(session) }
        stage.loop.startSending()
        let before = stage.loop.counts.sent
        #expect(before >= 1)
        stage.eventLoop.advanceTime(to: .now() + .milliseconds(1))
        #expect(stage.loop.counts.sent > before)
        stage.loop.isSending = false
        let last = stage.loop.counts.sent
        stage.eventLoop.advanceTime(to: .now() + .milliseconds(1))
        #expect(stage.loop.counts.sent == last)
    }

    @Test func `A cut session comes back with its cursor, and takes what it missed once`() throws {
        let stage = try Stage(.storm) { $0.window = 2 }
        let empty = #"{"seq":"sync","cmd":"sync","response":{"code":200,"data":{"conversations":[]}}}"#
        for session in 0..<2 {
            #expect(try stage.commands(session).last?["data"]?["resume"]?.bool == true)
            try stage.signIn(session)
            #expect(try stage.commands(session).map { $0["cmd"]?.string } == ["sync"])
            try stage.push(empty, to: session)
        }
        #expect(stage.loop.ready == 2)
        stage.loop.sendBurst()
        let sent = try stage.commands(0)
        _ = try stage.commands(1)
        #expect(sent.count == 2)
        for (index, message) in sent.enumerated() { try stage.answer(message, to: 0, seq: index + 1) }
        // The second arrives, the first does not.
        try stage.deliver(sent[1], to: 1, seq: 2)

        stage.loop.cut()
        #expect(stage.loop.ready == 0)
        let session = stage.loop.sessions[1]
        try stage.connect(session)
        _ = try stage.commands(1)
        try stage.signIn(1)
        let sync = try #require(try stage.commands(1).first)
        #expect(sync["data"]?["cursors"]?["d:11:12"]?.integer == 0)
        func event(_ seq: Int) -> String {
            #"{"seq":\#(seq),"from":11,"content":{"text":"\#(sent[seq - 1]["data"]?["content"]?["text"]?.string ?? "")"}}"#
        }
        let answer =
            #"{"seq":"sync","cmd":"sync","response":{"code":200,"data":{"conversations":"#
            + #"[{"conversationId":"d:11:12","events":[\#(event(1)),\#(event(2))],"lastSeq":2}]}}}"#
        try stage.push(answer, to: 1)
        #expect(stage.loop.ready == 1)
        #expect(session.followed.cursor == 2)
        let ledger = session.deliveries[0]
        #expect((ledger.delivered, ledger.repeated) == (2, 0))
        #expect(ledger.lost(of: stage.loop.sessions[0].sends) == 0)
    }

    @Test func `Who has no time for a sync is asked again when it says`() throws {
        let stage = try Stage(.storm)
        try stage.signIn(0)
        _ = try stage.commands(0)
        try stage.push(
            #"{"seq":"sync","cmd":"sync","response":{"code":503,"data":{"reason":"overloaded","retryAfterMs":700}}}"#,
            to: 0)
        stage.eventLoop.advanceTime(by: .milliseconds(600))
        #expect(try stage.commands(0).isEmpty)
        stage.eventLoop.advanceTime(by: .milliseconds(500))
        #expect(try stage.commands(0).map { $0["cmd"]?.string } == ["sync"])
        #expect(stage.loop.counts.toldToWait == 1)
        #expect(stage.loop.failure == nil)
    }

    @Test func `A ping is answered`() throws {
        let stage = try Stage(.idle)
        _ = try stage.commands(0)
        try stage.channels[0].writeInbound(
            WebSocketEncoder.ping(ByteBuffer(string: "hello"), allocator: ByteBufferAllocator()))
        var bytes = try #require(try stage.channels[0].readOutbound(as: ByteBuffer.self))
        var decoder = WebSocketDecoder(role: .server, maximumMessage: 100)
        guard case .pong(let payload) = try decoder.next(&bytes) else {
            Issue.record("no pong")
            return
        }
        #expect(String(buffer: payload) == "hello")
    }

    @Test func `A session that the server closes is counted with its code`() throws {
        let stage = try Stage(.idle)
        try stage.signIn(0)
        try stage.channels[0].writeInbound(WebSocketEncoder.close(.slowReader, allocator: ByteBufferAllocator()))
        stage.eventLoop.run()
        #expect(stage.loop.counts.closeCodes == [4002: 1])
        #expect(stage.loop.counts.disconnects == 1)
        #expect(stage.loop.ready == 0)
    }

    @Test func `A refused sign-in ends the run with its code`() throws {
        let stage = try Stage(.idle)
        try stage.push(#"{"seq":"login","cmd":"login","response":{"code":401,"data":{}}}"#, to: 0)
        #expect(stage.loop.failure == "signing in as user 11 was refused with 401")
    }
}
