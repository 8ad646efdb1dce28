import MartletBench
import NIOCore
import Testing

@testable import PeerBench

@Suite struct RedisDialectTests {
    private let plan = PeerPlan(.pairs, port: 1, connections: 4)

    @Test func speaksRESP3AndSubscribesToItsOwnChannel() {
        var dialect = RedisDialect(2, plan)
        let text = beginning(&dialect)
        #expect(text == "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n*2\r\n$9\r\nSUBSCRIBE\r\n$2\r\nu2\r\n")
    }

    @Test func publishesToThePartner() {
        var dialect = RedisDialect(2, plan)
        let bytes = published(&dialect, 7, due: 99)
        let wanted = "*3\r\n$7\r\nPUBLISH\r\n$2\r\nu3\r\n$100\r\n\(plan.text(2, 7, due: 99))\r\n"
        #expect(String(decoding: bytes, as: UTF8.self) == wanted)
    }

    @Test func readsRepliesAndMessagesAtEverySplit() throws {
        let text =
            "%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nmodules\r\n*0\r\n>3\r\n$9\r\nsubscribe\r\n$2\r\nu2\r\n:1\r\n"
            + ":1\r\n>3\r\n$7\r\nmessage\r\n$2\r\nu2\r\n$100\r\n\(plan.text(3, 5, due: 1))\r\n$-1\r\n_\r\n"
        let heard = try hearAtEverySplit(Array(text.utf8)) { RedisDialect(2, plan) }
        let events: [PeerEvent] = [
            .other, .ready, .other, .message(plan.mark(3, 5, due: 1)), .other, .other,
        ]
        #expect(heard.events == events)
        #expect(heard.sent.isEmpty)
    }

    @Test func aRoomsSenderIsReadyAfterTheGreeting() throws {
        let plan = PeerPlan(.room, port: 1, connections: 4)
        var dialect = RedisDialect(0, plan)
        let text = beginning(&dialect)
        #expect(!text.contains("SUBSCRIBE"))
        let heard = try hear(&dialect, [Array("%1\r\n$5\r\nproto\r\n:3\r\n".utf8)[...]])
        #expect(heard.events == [.ready])
    }

    @Test(arguments: ["-ERR unknown command\r\n", "GET / HTTP/1.1\r\n", "$12345678901\r\n", "\r\n"])
    func refusesErrorsAndOtherProtocols(_ text: String) {
        var dialect = RedisDialect(2, plan)
        let failed = fails { _ = try hear(&dialect, [Array(text.utf8)[...]]) }
        #expect(failed)
    }

    @Test func refusesEndlessNesting() {
        var dialect = RedisDialect(2, plan)
        let failed = fails { _ = try hear(&dialect, [Array(String(repeating: "*1\r\n", count: 20).utf8)[...]]) }
        #expect(failed)
    }
}

@Suite struct NATSDialectTests {
    private let plan = PeerPlan(.pairs, port: 1, connections: 4)

    @Test func subscribesToItsOwnSubjectAndAsksForAnAnswer() {
        var dialect = NATSDialect(2, plan)
        let text = beginning(&dialect)
        #expect(text.hasPrefix("CONNECT {\"verbose\":false"))
        #expect(text.hasSuffix("}\r\nSUB u2 1\r\nPING\r\n"))
    }

    @Test func publishesToThePartner() {
        var dialect = NATSDialect(3, plan)
        let bytes = published(&dialect, 1, due: 2)
        #expect(String(decoding: bytes, as: UTF8.self) == "PUB u2 100\r\n\(plan.text(3, 1, due: 2))\r\n")
    }

    @Test func readsLinesAndMessagesAtEverySplit() throws {
        let text =
            "INFO {\"server_id\":\"x\"}\r\nPONG\r\nMSG u2 1 100\r\n\(plan.text(3, 5, due: 1))\r\nPING\r\n+OK\r\n"
            + "MSG u2 1 reply.to 2\r\n\r\n\r\nPONG\r\n"
        let heard = try hearAtEverySplit(Array(text.utf8)) { NATSDialect(2, plan) }
        let events: [PeerEvent] = [
            .other, .ready, .message(plan.mark(3, 5, due: 1)), .other, .other, .other, .other,
        ]
        #expect(heard.events == events)
        #expect(heard.sent == Array("PONG\r\n".utf8))
    }

    @Test(arguments: ["-ERR 'Authorization Violation'\r\n", "HTTP/1.1 400\r\n", "MSG u2 1 many\r\n"])
    func refusesErrorsAndOtherProtocols(_ text: String) {
        var dialect = NATSDialect(2, plan)
        let failed = fails { _ = try hear(&dialect, [Array(text.utf8)[...]]) }
        #expect(failed)
    }
}
