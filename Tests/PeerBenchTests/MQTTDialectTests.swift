import MartletBench
import NIOCore
import Testing

@testable import PeerBench

@Suite struct MQTTDialectTests {
    private let plan = PeerPlan(.pairs, port: 1, connections: 4)
    private let subscription: [UInt8] = [0x82, 7, 0, 1, 0, 2, 0x75, 0x32, 0]

    @Test func connectsWithoutKeepAlive() {
        var dialect = MQTTDialect(2, plan)
        var out = ByteBuffer()
        dialect.begin(&out)
        let bytes = Array(out.readableBytesView)
        #expect(bytes == [0x10, 18, 0, 4] + Array("MQTT".utf8) + [4, 2, 0, 0, 0, 6] + Array("bench2".utf8))
    }

    @Test func publishesToThePartner() {
        var dialect = MQTTDialect(2, plan)
        let bytes = published(&dialect, 7, due: 99)
        #expect(bytes == [0x30, 104, 0, 2] + Array(("u3" + plan.text(2, 7, due: 99)).utf8))
    }

    @Test func writesLengthsOfTwoBytes() {
        var plan = plan
        plan.size = 200
        var dialect = MQTTDialect(2, plan)
        let bytes = published(&dialect, 0, due: 0)
        #expect(Array(bytes.prefix(5)) == [0x30, 0xCC, 0x01, 0, 2])
        #expect(bytes.count == 207)
    }

    @Test func readsPacketsAtEverySplit() throws {
        var plan = plan
        plan.size = 200
        let message = [0x30, 0xCC, 0x01, 0, 2] + Array(("u2" + plan.text(3, 5, due: 1)).utf8)
        let bytes: [UInt8] = [0x20, 2, 0, 0, 0x90, 3, 0, 1, 0] + message + [0xD0, 0]
        let heard = try hearAtEverySplit(bytes) { MQTTDialect(2, plan) }
        #expect(heard.events == [.other, .ready, .message(plan.mark(3, 5, due: 1)), .other])
        #expect(heard.sent == subscription)
    }

    @Test func aRoomsSenderIsReadyOnceConnected() throws {
        var dialect = MQTTDialect(0, PeerPlan(.room, port: 1, connections: 4))
        let heard = try hear(&dialect, [[0x20, 2, 0, 0]])
        #expect(heard.events == [.ready])
        #expect(heard.sent.isEmpty)
    }

    @Test(arguments: [[0x20, 2, 0, 5], [0x90, 3, 0, 1, 0x80], [0x30, 0xFF, 0xFF, 0xFF, 0xFF]] as [[UInt8]])
    func refusesRefusalsAndEndlessLengths(_ bytes: [UInt8]) {
        var dialect = MQTTDialect(2, plan)
        let failed = fails { _ = try hear(&dialect, [bytes[...]]) }
        #expect(failed)
    }
}
