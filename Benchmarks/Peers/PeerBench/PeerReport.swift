import Foundation
import MartletBench

/// What a run found; `table.py` reads it.
struct PeerReport: Encodable, Sendable {
    let system: String
    let profile: String
    let load: String
    let connections: Int
    let rate: Double
    let window: Int
    let size: Int
    /// Seconds measured, without the warm-up.
    let seconds: Double

    /// While measured.
    var sent = 0
    var delivered = 0
    /// Of an open loop: 1 where everything that was asked for came in time.
    var deliveredRatio: Double?
    var deliveredLatency: Latency?
    /// Of servers that answer each message.
    var acknowledgedLatency: Latency?
    /// User and system time of all the server's processes while measured.
    var serverCPUSeconds: Double?
    var serverProcesses: Int?
    var generatorCPUSeconds: Double?
    /// Resident memory of all the server's processes after connecting, less before, by connection.
    var serverBytesPerConnection: Int?
    var disconnects = 0
    /// The whole run, warm-up and drain included.
    var integrity = Integrity()
    /// Why the figures may not be the server's.
    var warnings: [String] = []

    struct Integrity: Encodable, Sendable {
        var sent = 0
        var unanswered = 0
        var delivered = 0
        var lost = 0
        var repeated = 0
        var outOfOrder = 0
        var misdelivered = 0

        var isSound: Bool { lost == 0 && repeated == 0 && outOfOrder == 0 && misdelivered == 0 }
    }

    /// Microseconds.
    struct Latency: Encodable, Sendable {
        let p50, p90, p99, p999, max: UInt64

        init(_ summary: LatencySummary) {
            (p50, p90, p99, p999, max) = (summary.p50, summary.p90, summary.p99, summary.p999, summary.max)
        }
    }

    init(_ plan: PeerPlan, seconds: Double) {
        system = plan.system
        profile = plan.profile
        load = plan.load.rawValue
        connections = plan.connections
        rate = plan.rate
        window = plan.window
        size = plan.size
        self.seconds = seconds
    }

    var deliveredPerSecond: Double { seconds > 0 ? Double(delivered) / seconds : 0 }
    var cpuPerMillionDeliveries: Double? {
        guard let serverCPUSeconds, delivered > 0 else { return nil }
        return serverCPUSeconds / Double(delivered) * 1_000_000
    }

    /// Notes what speaks against the figures. A generator that is busy for nine tenths of the time can't tell a slow
    /// server from itself.
    mutating func judge(lateness: LatencySummary?) {
        if let generatorCPUSeconds, seconds > 0, generatorCPUSeconds / seconds > 0.9 {
            warnings.append("the generator was busy all the time: the rate may be its own; CPU seconds still hold")
        }
        if let lateness, lateness.p99 > 10_000 {
            warnings.append("the generator sent 1 % of its messages more than 10 ms late")
        }
        if let deliveredRatio, deliveredRatio < 0.995 {
            warnings.append("less than 99.5 % of what was offered was delivered in time: the rate is too high")
        }
        if integrity.unanswered > 0 { warnings.append("some messages were never answered") }
        if disconnects > 0 { warnings.append("the server closed \(disconnects) connections") }
    }

    func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
        return try encoder.encode(self) + Data("\n".utf8)
    }

    /// For the person who waits.
    var line: String {
        func milliseconds(_ value: UInt64?) -> String { value.map { String(format: "%.2f", Double($0) / 1000) } ?? "-" }
        let cpu = cpuPerMillionDeliveries.map { String(format: "%.2f", $0) } ?? "-"
        let latency = [deliveredLatency?.p50, deliveredLatency?.p99, deliveredLatency?.p999, deliveredLatency?.max]
        return "\(system) \(profile): \(Int(deliveredPerSecond))/s, "
            + "p50/p99/p99.9/max \(latency.map(milliseconds).joined(separator: "/")) ms, "
            + "server \(cpu) CPU s per million, generator \(String(format: "%.2f", generatorCPUSeconds ?? 0)) CPU s, "
            + "\(integrity.isSound ? "sound" : "BROKEN"): sent \(integrity.sent), delivered \(integrity.delivered), "
            + "lost \(integrity.lost), repeated \(integrity.repeated), out of order \(integrity.outOfOrder), "
            + "misdelivered \(integrity.misdelivered)"
    }
}
