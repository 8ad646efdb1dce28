import Foundation
import MartletCore
import MartletWire
import Testing

@testable import MartletBench

/// The parts of the generator that know no sockets.
@Suite struct PacingTests {
    @Test func `Messages are due in even steps from the start`() {
        var pacing = Pacing(rate: 1000, start: 5_000_000)
        #expect(pacing.take(4_999_999) == nil)
        #expect(pacing.take(5_000_000) == 5_000_000)
        #expect(pacing.next == 6_000_000)
        #expect(pacing.take(5_999_999) == nil)
        #expect(pacing.take(6_000_000) == 6_000_000)
        #expect(pacing.count == 2)
    }

    @Test func `Who comes late gets everything that was due, at its own time`() {
        var pacing = Pacing(rate: 4, start: 0)
        var due: [UInt64] = []
        while let time = pacing.take(1_000_000_000) { due.append(time) }
        #expect(due == [0, 250_000_000, 500_000_000, 750_000_000, 1_000_000_000])
    }

    @Test func `A rate that does not divide a second keeps its count over hours`() {
        var pacing = Pacing(rate: 7, start: 0)
        while pacing.take(3600 * 1_000_000_000) != nil {}
        #expect(pacing.count == 7 * 3600 + 1)
    }
}

@Suite struct MarkTests {
    private let mark = Mark(run: 0xDEAD_BEEF, sender: 0x12_3456, counter: 77, time: 0x0123_4567_89AB_CDEF)

    @Test func `A mark is read as it was written`() {
        let bytes = mark.bytes
        #expect(bytes.count == Mark.length)
        #expect(String(decoding: bytes, as: UTF8.self) == "mk~deadbeef1234560000004d0123456789abcdef")
        #expect(read(bytes) == mark)
    }

    private func read(_ bytes: [UInt8], at offset: Int = 0) -> Mark? { Mark(bytes.span, at: offset) }

    @Test func `What is no mark is none`() {
        var bytes = mark.bytes
        #expect(read(Array(bytes.dropLast())) == nil)
        #expect(read(bytes, at: 1) == nil)
        #expect(read(bytes, at: -1) == nil)
        bytes[10] = UInt8(ascii: "G")
        #expect(read(bytes) == nil)
    }

    @Test func `Marks are found wherever they stand`() {
        var finder = MarkFinder()
        for length in [0, 3, 100, 3, 99] {
            let bytes = Array(repeating: UInt8(ascii: "m"), count: length) + mark.bytes + Array("\"}}".utf8)
            let found = finder.find(bytes.span)
            #expect(found == mark)
        }
        let other = Array("{\"cmd\":\"msg\"}".utf8)
        let none = finder.find(other.span)
        #expect(none == nil)
    }
}

@Suite struct LedgerTests {
    private func sender(_ sent: Int, acknowledged: [UInt32]) -> SendLedger {
        var ledger = SendLedger()
        for _ in 0..<sent { _ = ledger.send() }
        for counter in acknowledged { _ = ledger.acknowledge(counter) }
        return ledger
    }

    @Test func `Counters go up, and each is acknowledged once`() {
        var ledger = SendLedger()
        #expect((0..<200).map { _ in ledger.send() } == Array(0..<200))
        let acknowledged = [130, 130, 200].map { ledger.acknowledge($0) }
        #expect(acknowledged == [true, false, false])
        ledger.refuse()
        #expect(ledger.isAcknowledged(130))
        #expect(!ledger.isAcknowledged(129))
        #expect((ledger.acknowledged, ledger.refused, ledger.answered) == (1, 1, 2))
    }

    @Test func `All in order is neither lost nor repeated`() {
        var ledger = DeliveryLedger()
        for counter in UInt32(0)..<10 { ledger.receive(counter) }
        #expect((ledger.delivered, ledger.repeated, ledger.outOfOrder) == (10, 0, 0))
        #expect(ledger.lost(of: sender(10, acknowledged: Array(0..<10))) == 0)
    }

    @Test func `A hole is a loss only where its message was acknowledged`() {
        var ledger = DeliveryLedger()
        for counter in [0, 3, 4] as [UInt32] { ledger.receive(counter) }
        #expect(ledger.lost(of: sender(8, acknowledged: [0, 1, 3, 4, 6])) == 2)
        #expect(ledger.lost(of: sender(8, acknowledged: [0, 3, 4])) == 0)
    }

    @Test func `What comes late is out of order, what comes twice is repeated`() {
        var ledger = DeliveryLedger()
        for counter in [0, 2, 1, 1, 0, 3] as [UInt32] { ledger.receive(counter) }
        #expect((ledger.delivered, ledger.repeated, ledger.outOfOrder) == (4, 2, 1))
        #expect(ledger.lost(of: sender(4, acknowledged: [0, 1, 2, 3])) == 0)
    }

    @Test func `A message has reached everybody once all receivers have it`() {
        var count = FanOutCount(receivers: 3)
        let steps = [0, 0, 1, 1, 0, 1, 2].map { count.receive(UInt32($0)) }
        #expect(steps == [0, 0, 0, 0, 1, 1, 0])
    }

    @Test func `A refused message holds nobody up`() {
        var count = FanOutCount(receivers: 2)
        let steps = [count.receive(1), count.receive(1), count.skip(0), count.skip(2), count.receive(0)]
        #expect(steps == [0, 0, 2, 1, 0])
    }

    @Test func `The cursor waits for what is missing`() {
        var followed = FollowedConversation(cursor: 3)
        followed.note(2)
        followed.note(5)
        followed.note(6)
        #expect(followed.cursor == 3)
        #expect(followed.comesAgain(5))
        #expect(!followed.comesAgain(4))
        followed.note(4)
        #expect(followed.cursor == 6)
        #expect(!followed.comesAgain(5))
    }
}

@Suite struct BenchOptionsTests {
    @Test(arguments: [
        ("ws://127.0.0.1:8080/ws", "127.0.0.1", 8080, "/ws"), ("ws://localhost", "localhost", 80, "/ws"),
        ("ws://[::1]:99/x", "::1", 99, "/x"), ("ws://127.8.0.255:1/", "127.8.0.255", 1, "/"),
    ])
    func `A loopback address is taken apart`(_ url: String, _ host: String, _ port: Int, _ path: String) throws {
        let address = try BenchAddress(url)
        #expect((address.host, address.port, address.path) == (host, port, path))
    }

    @Test(arguments: [
        "ws://192.168.0.1:80/ws", "ws://example.org/ws", "ws://127.0.0.1.example.org/ws", "http://127.0.0.1/ws",
        "ws://",
        "ws://127.0.0.1:0/ws", "ws://127.0.0.1:http/ws", "ws://1270.0.0.1/", "ws://127.0.0.256/", "wss://127.0.0.1/ws",
        "ws://[::2]/ws", "ws://127.0.0.1@example.org/ws", "ws://localhost.example.org/",
    ])
    func `Nothing else is`(_ url: String) {
        #expect(throws: BenchFailure.self) { try BenchAddress(url) }
    }

    @Test func `Tokens are read line by line`() throws {
        let tokens = try BenchToken.read("5 abc\r\n\n  7\tdef \n")
        #expect(tokens == [BenchToken(user: 5, token: "abc"), BenchToken(user: 7, token: "def")])
        #expect(throws: BenchFailure.self) { try BenchToken.read("abc 5") }
        #expect(throws: BenchFailure.self) { try BenchToken.read("5") }
    }

    private func options(_ profile: BenchProfile, tokens: Int = 30_000) throws -> BenchOptions {
        BenchOptions(
            profile, try BenchAddress("ws://127.0.0.1/ws"),
            (0..<tokens).map { BenchToken(user: Int64($0) + 1, token: "t") })
    }

    @Test func `A run that makes no sense is refused`() throws {
        var good = try options(.pairs)
        try good.check()
        good.connections = 19_000
        try good.check()
        let changes: [(inout BenchOptions) -> Void] = [
            { $0.connections = 19_002 }, { $0.connections = 0 }, { $0.connections = 3 }, { $0.size = 10 },
            { $0.size = 5000 }, { $0.window = 0 }, { $0.rate = -1 }, { $0.duration = .zero }, { $0.loops = 0 },
        ]
        for change in changes {
            var bad = good
            change(&bad)
            #expect(throws: BenchFailure.self) { try bad.check() }
        }
        #expect(throws: BenchFailure.self) { try options(.pairs, tokens: 99).check() }
        var room = try options(.room)
        room.senders = 100
        #expect(throws: BenchFailure.self) { try room.check() }
    }

    @Test func `Each profile's own options are checked`() throws {
        func refused(_ profile: BenchProfile, _ change: (inout BenchOptions) -> Void) throws {
            var bad = try options(profile)
            change(&bad)
            #expect(throws: BenchFailure.self) { try bad.check() }
        }
        try refused(.echo) { $0.size = 126 }
        try refused(.pairs) { $0.active = 3 }
        try refused(.pairs) { $0.active = 102 }
        try refused(.echo) { $0.active = 2 }
        try refused(.group) { $0.members = 99 }
        try refused(.group) { $0.members = 20_001 }
        try refused(.slow) { $0.slow = 0 }
        try refused(.slow) { $0.slow = 99 }
        try refused(.room) { $0.slow = 1 }
        try refused(.rest) { $0.window = 2 }
        try refused(.rest) { $0.connections = 3 }
        var group = try options(.group)
        group.members = 20_000
        try group.check()
    }
}

@Suite struct BenchReportTests {
    private func report(rate: Double = 0) throws -> BenchReport {
        var options = BenchOptions(.pairs, try BenchAddress("ws://127.0.0.1/ws"), [])
        options.rate = rate
        var report = BenchReport(options, seconds: 10)
        report.sent = 50_000
        report.acknowledged = 40_000
        report.delivered = 20_000
        report.offered = 50_000
        report.serverCPU = 2
        return report
    }

    @Test func `Rates and CPU follow from the counts`() throws {
        let report = try report()
        #expect(report.acknowledgedPerSecond == 4000)
        #expect(report.deliveredPerSecond == 2000)
        #expect(report.deliveredRatio == 0.4)
        #expect(report.cpuPerMillionMessages == 50)
        #expect(report.cpuPerMillionDeliveries == 100)
        #expect(BenchReport.Memory(before: 1000, after: 6000, sessions: 5).bytesPerSession == 1000)
    }

    @Test func `What speaks against the figures is said`() throws {
        var report = try report(rate: 5000)
        report.generatorCPU = 9.5
        report.judge(loops: 1, lateness: LatencySummary(count: 1, p50: 0, p90: 0, p99: 20_000, p999: 0, max: 0))
        #expect(report.warnings.count == 3)
        var quiet = try self.report()
        quiet.generatorCPU = 9.5
        quiet.judge(loops: 2, lateness: nil)
        #expect(quiet.warnings.isEmpty)
    }

    @Test func `Integrity is broken by what the contract forbids, not by refusals`() {
        var integrity = BenchReport.Integrity()
        integrity.refused = 5
        integrity.unanswered = 2
        #expect(integrity.isSound)
        let fields: [WritableKeyPath<BenchReport.Integrity, Int>] = [
            \.lost, \.repeated, \.outOfOrder, \.misdelivered, \.resets,
        ]
        for field in fields {
            var broken = integrity
            broken[keyPath: field] = 1
            #expect(!broken.isSound)
        }
    }

    @Test func `Both renderings carry the figures`() throws {
        var report = try report()
        report.latencies = [
            ("acknowledged", LatencySummary(count: 3, p50: 460, p90: 900, p99: 2040, p999: 3000, max: 12_345))
        ]
        report.integrity.lost = 3
        let part = LatencySummary(count: 1, p50: 7, p90: 7, p99: 7, p999: 7, max: 77_000)
        report.parts = [
            .init(
                name: "all read", seconds: 2, delivered: 3, serverCPU: 1, resident: 4096, deliveries: part,
                lastReceivers: nil)
        ]
        report.slowest = [.init(offset: 1.5, time: 1_700_000_000_000, microseconds: 12_000, sender: 3, receiver: 4)]
        report.refusals = [429: 2]
        report.closeCodes = [4002: 1]
        #expect(report.table.contains("0.460"))
        #expect(report.table.contains("BROKEN"))
        #expect(report.table.contains("50.00 s per million messages"))
        let json = try JSONValue(parsing: Array(report.json.utf8))
        #expect(json["latencyMicroseconds"]?["acknowledged"]?["p99.9"]?.integer == 3000)
        #expect(json["integrity"]?["lost"]?.integer == 3)
        #expect(json["sound"]?.bool == false)
        #expect(json["refusals"]?["429"]?.integer == 2)
        #expect(json["closeCodes"]?["4002"]?.integer == 1)
        #expect(report.table.contains("77.00"))
        #expect(json["parts"]?[0]?["deliveredMicroseconds"]?["max"]?.integer == 77_000)
        #expect(json["parts"]?[0]?["serverBytes"]?.integer == 4096)
        #expect(json["slowest"]?[0]?["time"]?.integer == 1_700_000_000_000)
    }

    @Test(arguments: [
        (0.0, "0.000"), (0.4604, "0.460"), (12.345, "12.35"), (999.96, "1000.0"), (-3.5, "-3.50"), (40_123.7, "40124"),
    ])
    func `Numbers show what says something`(_ value: Double, _ text: String) {
        #expect(BenchReport.decimal(value) == text)
    }

    @Test func `A process's usage is read from its texts`() throws {
        let stat = "12 (a (strange) name) S 1 2 3 4 5 6 7 8 9 10 1250 250 0 0 20 0 1 0 5 6 7"
        let usage = try #require(
            ProcessUsage(stat: stat, status: "Name:\tx\nVmRSS:\t   2048 kB\n", ticksPerSecond: 100))
        #expect(usage.cpu == 15)
        #expect(usage.resident == 2048 * 1024)
        #expect(ProcessUsage(stat: "12", status: "", ticksPerSecond: 100) == nil)
    }

    @Test func `Percentiles come from all that was recorded`() throws {
        var one = LatencyRecorder()
        var other = LatencyRecorder()
        #expect(one.summary == nil)
        for value in UInt64(1)...500 { one.record(nanoseconds: value * 1_000_000) }
        for value in UInt64(501)...1000 { other.record(nanoseconds: value * 1_000_000) }
        one.add(other)
        let summary = try #require(one.summary)
        #expect(summary.count == 1000)
        #expect(abs(Double(summary.p50) - 500_000) < 1000)
        #expect(abs(Double(summary.p99) - 990_000) < 1000)
        #expect(summary.max >= 1_000_000)
    }
}

@Suite struct SeveralNodesTests {
    @Test func neighboursMeetOnDifferentNodes() throws {
        let nodes = try ["ws://127.0.0.1:1/ws", "ws://127.0.0.1:2/ws", "ws://127.0.0.1:3/ws"].map {
            try BenchAddress($0)
        }
        let options = BenchOptions(.pairs, first: nodes[0], others: Array(nodes.dropFirst()), [])
        #expect((0..<4).map { options.address(of: $0).port } == [1, 2, 3, 1])
    }

    @Test func usageOfSeveralProcessesIsTheirSum() throws {
        let own = try #require(ProcessUsage.ofThisProcess())
        let twice = try #require(ProcessUsage.of([getpid(), getpid()]))
        #expect(twice.cpu >= 2 * own.cpu)
        #expect(ProcessUsage.of([getpid(), -1]) == nil)
        #expect(ProcessUsage.of([Int32]()) == nil)
    }
}
