/// What a run found.
package struct BenchReport: Sendable {
    package let profile: BenchProfile
    package let connections: Int
    /// Messages a second that were asked for; 0 for a closed loop.
    package let rate: Double
    package let window: Int
    package let size: Int
    /// Seconds measured, without the warm-up.
    package let seconds: Double

    /// While measured.
    package var sent = 0
    package var acknowledged = 0
    package var delivered = 0
    /// What should have been delivered of what was asked for, while measured.
    package var offered = 0.0

    package var integrity = Integrity()
    package var latencies: [(name: String, latency: LatencySummary)] = []
    /// CPU seconds while measured; nil where the server's process was not named.
    package var serverCPU: Double?
    package var generatorCPU: Double?
    package var memory: Memory?
    /// Of a run in parts: each part's figures.
    package var parts: [Part] = []
    /// When the slowest deliveries were, where that was asked for; slowest first.
    package var slowest: [SlowDelivery] = []
    /// Of a storm: until the last session was back. Of slow readers: until they had what they missed.
    package var secondsUntilBack: Double?
    package var connectRetries = 0
    /// Sign-ins and syncs that the server had no time for, and that were asked for again.
    package var toldToWait = 0
    package var disconnects = 0
    package var refusals: [Int: Int] = [:]
    package var closeCodes: [UInt16: Int] = [:]
    /// Why the figures may not be the server's.
    package var warnings: [String] = []

    /// The whole run, warm-up and drain included.
    package struct Integrity: Sendable, Equatable {
        package var sent = 0
        package var acknowledged = 0
        package var refused = 0
        package var unanswered = 0
        package var delivered = 0
        package var lost = 0
        package var repeated = 0
        package var outOfOrder = 0
        package var misdelivered = 0
        package var resets = 0

        package init() {}

        /// Refusals are no breach: they were said. Silence is.
        package var isSound: Bool { lost == 0 && repeated == 0 && outOfOrder == 0 && misdelivered == 0 && resets == 0 }
    }

    package struct Memory: Sendable, Equatable {
        package let before: Int
        package let after: Int
        package let sessions: Int
        package var bytesPerSession: Int { sessions > 0 ? (after - before) / sessions : 0 }

        package init(before: Int, after: Int, sessions: Int) {
            self.before = before
            self.after = after
            self.sessions = sessions
        }
    }

    /// A part of a run, with the latencies of those who read all the time.
    package struct Part: Sendable {
        package let name: String
        package let seconds: Double
        package let delivered: Int
        package let serverCPU: Double?
        /// The server's resident memory at its end, in bytes.
        package let resident: Int?
        package let deliveries: LatencySummary?
        package let lastReceivers: LatencySummary?
    }

    package struct SlowDelivery: Sendable, Equatable {
        /// Seconds from the beginning of what is measured to when the message should have gone out.
        package let offset: Double
        /// The same in milliseconds since 1970, to find it in a log or among metrics.
        package let time: Int64
        package let microseconds: UInt64
        package let sender: Int
        package let receiver: Int
    }

    package init(_ options: BenchOptions, seconds: Double) {
        profile = options.profile
        connections = options.connections
        rate = options.rate
        window = options.window
        size = options.size
        self.seconds = seconds
    }

    package var acknowledgedPerSecond: Double { seconds > 0 ? Double(acknowledged) / seconds : 0 }
    package var deliveredPerSecond: Double { seconds > 0 ? Double(delivered) / seconds : 0 }
    /// 1 where everything that was asked for came.
    package var deliveredRatio: Double? { offered > 0 ? Double(delivered) / offered : nil }
    package var cpuPerMillionMessages: Double? { Self.perMillion(serverCPU, acknowledged) }
    package var cpuPerMillionDeliveries: Double? { Self.perMillion(serverCPU, delivered) }

    private static func perMillion(_ cpu: Double?, _ count: Int) -> Double? {
        guard let cpu, count > 0 else { return nil }
        return cpu / Double(count) * 1_000_000
    }

    /// Notes what speaks against the figures. `loops` that are busy for nine tenths of the time can't tell a slow
    /// server from themselves.
    package mutating func judge(loops: Int, lateness: LatencySummary?) {
        if let generatorCPU, seconds > 0, generatorCPU / seconds / Double(loops) > 0.9 {
            warnings.append("the generator was busy all the time: its own speed is what was measured. Try --loops")
        }
        if let lateness, lateness.p99 > 10_000 {
            warnings.append("the generator sent 1 % of its messages more than 10 ms late")
        }
        if rate > 0, let deliveredRatio, deliveredRatio < 0.995 {
            warnings.append("less than 99.5 % of what was offered was delivered in time: the rate is too high")
        }
        if integrity.unanswered > 0, profile != .storm { warnings.append("some sends were never answered") }
        if integrity.refused > 0 { warnings.append("the server refused sends; is it started without rate limits?") }
        if disconnects > 0, profile != .slow { warnings.append("the server closed connections") }
    }
}
