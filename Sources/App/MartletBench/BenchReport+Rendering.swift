import MartletWire

extension BenchReport {
    /// For people.
    package var table: String {
        var lines = ["\(profile.rawValue): \(connections) connections, \(load), \(Self.decimal(seconds)) s"]
        if profile == .echo {
            lines.append(row("pings", "\(sent) sent, \(delivered) came back, \(Int(deliveredPerSecond)) per second"))
        } else if sent > 0 || delivered > 0 {
            lines.append(row("messages", "\(sent) sent, \(acknowledged) acknowledged, \(delivered) delivered"))
            lines.append(
                row("per second", "\(Int(acknowledgedPerSecond)) acknowledged, \(Int(deliveredPerSecond)) delivered"))
        }
        if let deliveredRatio, profile != .storm {
            lines.append(row("of offered", "\(Self.decimal(deliveredRatio * 100)) % delivered"))
        }
        if let secondsUntilBack {
            lines.append(row(profile == .slow ? "all caught up" : "all back", "\(Self.decimal(secondsUntilBack)) s"))
        }
        if !latencies.isEmpty || !parts.isEmpty {
            lines.append(row("latency in ms", ["p50", "p90", "p99", "p99.9", "max"].map(Self.cell).joined()))
        }
        for (name, latency) in latencies { lines.append(row("  " + name, Self.cells(latency))) }
        for part in parts { lines += table(of: part) }
        if let serverCPU { lines.append(row("server CPU", cpu(serverCPU))) }
        if let generatorCPU { lines.append(row("generator CPU", "\(Self.decimal(generatorCPU)) s")) }
        if let memory {
            lines.append(
                row(
                    "server memory",
                    "\(memory.before / 1024) KB before, \(memory.after / 1024) KB after, \(memory.bytesPerSession) bytes a session"
                ))
        }
        lines.append(row("integrity", integrityText))
        for delivery in slowest {
            lines.append(
                row(
                    "slow delivery",
                    "\(Self.decimal(Double(delivery.microseconds) / 1000)) ms at \(Self.decimal(delivery.offset)) s "
                        + "(\(delivery.time)), from \(delivery.sender) to \(delivery.receiver)"))
        }
        if connectRetries > 0 { lines.append(row("connecting", "\(connectRetries) tries failed")) }
        if toldToWait > 0 { lines.append(row("told to wait", "\(toldToWait) sign-ins and syncs")) }
        for (code, count) in refusals.sorted(by: { $0.key < $1.key }) {
            lines.append(row("refused", "\(count) with \(code)"))
        }
        for (code, count) in closeCodes.sorted(by: { $0.key < $1.key }) {
            lines.append(row("closed", "\(count) with \(code)"))
        }
        let silent = disconnects - closeCodes.values.reduce(0, +)
        if silent > 0 { lines.append(row("closed", "\(silent) without a code")) }
        for warning in warnings { lines.append("warning: \(warning)") }
        return lines.joined(separator: "\n")
    }

    private var load: String {
        switch profile {
        case .idle: "silent"
        case .storm: "burst of \(window)"
        case .pairs, .room, .group, .slow, .rest, .echo:
            rate > 0 ? "\(Self.decimal(rate)) messages/s" : "window \(window)"
        }
    }

    private func table(of part: Part) -> [String] {
        var facts = "\(Self.decimal(part.seconds)) s, \(part.delivered) delivered"
        if let cpu = part.serverCPU, part.delivered > 0 {
            facts += ", \(Self.decimal(cpu / Double(part.delivered) * 1_000_000)) s CPU per million"
        }
        if let resident = part.resident { facts += ", \(resident / 1024) KB" }
        var lines = [row("  " + part.name, facts)]
        if let latency = part.deliveries { lines.append(row("    delivered", Self.cells(latency))) }
        if let latency = part.lastReceivers { lines.append(row("    last receiver", Self.cells(latency))) }
        return lines
    }

    private static func cells(_ latency: LatencySummary) -> String {
        [latency.p50, latency.p90, latency.p99, latency.p999, latency.max]
            .map { cell(decimal(Double($0) / 1000)) }.joined()
    }

    private func cpu(_ seconds: Double) -> String {
        var text = "\(Self.decimal(seconds)) s"
        if profile == .echo {
            return cpuPerMillionDeliveries.map { "\(text), \(Self.decimal($0)) s per million round trips" } ?? text
        }
        if let cpuPerMillionMessages { text += ", \(Self.decimal(cpuPerMillionMessages)) s per million messages" }
        if let cpuPerMillionDeliveries { text += ", \(Self.decimal(cpuPerMillionDeliveries)) s per million deliveries" }
        return text
    }

    private var integrityText: String {
        let all = integrity
        return
            "\(all.isSound ? "sound" : "BROKEN"): sent \(all.sent), acknowledged \(all.acknowledged), refused \(all.refused), "
            + "unanswered \(all.unanswered), delivered \(all.delivered), lost \(all.lost), repeated \(all.repeated), "
            + "out of order \(all.outOfOrder), misdelivered \(all.misdelivered), resets \(all.resets)"
    }

    private func row(_ name: String, _ value: String) -> String {
        "  " + name + String(repeating: " ", count: max(1, 18 - name.count)) + value
    }

    private static func cell(_ text: String) -> String {
        String(repeating: " ", count: max(0, 10 - text.count)) + text
    }

    /// With as many decimals as say something: none from 1,000 on, three below 1.
    static func decimal(_ value: Double) -> String {
        let digits = abs(value) >= 1000 ? 0 : abs(value) >= 100 ? 1 : abs(value) >= 1 ? 2 : 3
        var scale = 1.0
        for _ in 0..<digits { scale *= 10 }
        let scaled = Int64((abs(value) * scale).rounded())
        let sign = value < 0 && scaled > 0 ? "-" : ""
        guard digits > 0 else { return sign + String(scaled) }
        let rest = String(scaled % Int64(scale))
        return sign + "\(scaled / Int64(scale))." + String(repeating: "0", count: digits - rest.count) + rest
    }

    // MARK: JSON

    /// For machines: one object in one line. Latencies in microseconds, everything else in the units of its name.
    package var json: String {
        let bytes = JSONWriter.object { object in
            object.field("profile", profile.rawValue)
            object.field("connections", connections)
            object.field("rate", Number(rate))
            object.field("window", window)
            object.field("size", size)
            object.field("seconds", Number(seconds))
            object.field("sent", sent)
            object.field("acknowledged", acknowledged)
            object.field("delivered", delivered)
            object.field("acknowledgedPerSecond", Number(acknowledgedPerSecond))
            object.field("deliveredPerSecond", Number(deliveredPerSecond))
            object.optional("deliveredRatio", deliveredRatio.map(Number.init))
            object.field("latencyMicroseconds", Latencies(latencies: latencies))
            object.optional("serverCPUSeconds", serverCPU.map(Number.init))
            object.optional("serverCPUSecondsPerMillionMessages", cpuPerMillionMessages.map(Number.init))
            object.optional("serverCPUSecondsPerMillionDeliveries", cpuPerMillionDeliveries.map(Number.init))
            object.optional("generatorCPUSeconds", generatorCPU.map(Number.init))
            object.optional("serverBytesBefore", memory?.before)
            object.optional("serverBytesAfter", memory?.after)
            object.optional("serverBytesPerSession", memory?.bytesPerSession)
            object.optional("secondsUntilBack", secondsUntilBack.map(Number.init))
            if !parts.isEmpty { object.field("parts", parts) }
            if !slowest.isEmpty { object.field("slowest", slowest) }
            object.field("connectRetries", connectRetries)
            object.field("toldToWait", toldToWait)
            object.field("disconnects", disconnects)
            object.field("refusals", Counts(refusals))
            object.field("closeCodes", Counts(closeCodes))
            object.field("integrity", integrity)
            object.field("sound", integrity.isSound)
            object.field("warnings", warnings)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    fileprivate struct Number: JSONEncodable {
        static let schema = Schema.number
        let value: Double
        init(_ value: Double) { self.value = value }
        func write(to writer: inout JSONWriter) { writer.raw(Array(BenchReport.decimal(value).utf8)) }
    }

    private struct Latencies: JSONOutput {
        static let example = Latencies(latencies: [])
        let latencies: [(name: String, latency: LatencySummary)]
        func write(to object: inout JSONObject) { for item in latencies { object.field(item.name, item.latency) } }
    }

    private struct Counts: JSONOutput {
        static let example = Counts([Int: Int]())
        let counts: [(key: String, count: Int)]
        init(_ counts: [some BinaryInteger: Int]) {
            self.counts = counts.map { (String($0.key), $0.value) }.sorted { $0.0 < $1.0 }
        }
        func write(to object: inout JSONObject) { for item in counts { object.field(item.key, item.count) } }
    }
}

extension LatencySummary: JSONOutput {
    package static let example = LatencySummary(count: 1, p50: 1, p90: 1, p99: 1, p999: 1, max: 1)

    package func write(to object: inout JSONObject) {
        object.field("count", count)
        for (name, value) in [("p50", p50), ("p90", p90), ("p99", p99), ("p99.9", p999), ("max", max)] {
            object.field(name, Int(value))
        }
    }
}

extension BenchReport.Part: JSONOutput {
    package static let example = BenchReport.Part(
        name: "", seconds: 0, delivered: 0, serverCPU: nil, resident: nil, deliveries: nil, lastReceivers: nil)

    package func write(to object: inout JSONObject) {
        object.field("name", name)
        object.field("seconds", BenchReport.Number(seconds))
        object.field("delivered", delivered)
        object.optional("serverCPUSeconds", serverCPU.map(BenchReport.Number.init))
        object.optional("serverBytes", resident)
        object.optional("deliveredMicroseconds", deliveries)
        object.optional("lastReceiverMicroseconds", lastReceivers)
    }
}

extension BenchReport.SlowDelivery: JSONOutput {
    package static let example = BenchReport.SlowDelivery(offset: 0, time: 0, microseconds: 0, sender: 0, receiver: 1)

    package func write(to object: inout JSONObject) {
        object.field("offsetSeconds", BenchReport.Number(offset))
        object.field("time", time)
        object.field("microseconds", Int(microseconds))
        object.field("sender", sender)
        object.field("receiver", receiver)
    }
}

extension BenchReport.Integrity: JSONOutput {
    package static let example = BenchReport.Integrity()

    package func write(to object: inout JSONObject) {
        object.field("sent", sent)
        object.field("acknowledged", acknowledged)
        object.field("refused", refused)
        object.field("unanswered", unanswered)
        object.field("delivered", delivered)
        object.field("lost", lost)
        object.field("repeated", repeated)
        object.field("outOfOrder", outOfOrder)
        object.field("misdelivered", misdelivered)
        object.field("resets", resets)
    }
}
