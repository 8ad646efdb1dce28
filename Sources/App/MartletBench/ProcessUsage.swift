#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// What a process has used, from `/proc`.
package struct ProcessUsage: Sendable, Equatable {
    /// User and system time of all its threads, in seconds.
    package let cpu: Double
    /// Resident memory in bytes.
    package let resident: Int

    /// Nil where there is no such process, or no `/proc`.
    package static func of(_ process: Int32) -> ProcessUsage? {
        guard let stat = read("/proc/\(process)/stat"), let status = read("/proc/\(process)/status") else { return nil }
        return ProcessUsage(stat: stat, status: status, ticksPerSecond: Double(sysconf(Int32(_SC_CLK_TCK))))
    }

    /// Of several together; nil where there are none, or one of them is not there.
    package static func of(_ processes: [Int32]) -> ProcessUsage? {
        let usages = processes.compactMap { of($0) }
        guard !usages.isEmpty, usages.count == processes.count else { return nil }
        return ProcessUsage(
            cpu: usages.reduce(0) { $0 + $1.cpu }, resident: usages.reduce(0) { $0 + $1.resident })
    }

    private init(cpu: Double, resident: Int) {
        self.cpu = cpu
        self.resident = resident
    }

    package static func ofThisProcess() -> ProcessUsage? { of(getpid()) }

    /// Reads the texts of `stat` and `status`.
    init?(stat: String, status: String, ticksPerSecond: Double) {
        // The name in parentheses may hold anything; fields are counted behind it. The 14th and 15th of all are the
        // times.
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        guard fields.count > 12, let user = Double(fields[11]), let system = Double(fields[12]) else { return nil }
        cpu = (user + system) / ticksPerSecond
        let line = status.split(separator: "\n").first { $0.hasPrefix("VmRSS:") }
        guard let words = line?.split(whereSeparator: { $0 == " " || $0 == "\t" }), words.count > 1,
            let kilobytes = Int(words[1])
        else { return nil }
        resident = kilobytes * 1024
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var bytes = [UInt8](repeating: 0, count: 16 * 1024)
        let count = fread(&bytes, 1, bytes.count, file)
        return String(decoding: bytes[..<count], as: UTF8.self)
    }
}

/// The files that this process may open.
package enum FileLimit {
    /// Raises the limit as far as it goes, and returns it.
    package static func raise() -> Int {
        var limit = rlimit()
        #if canImport(Glibc)
            let resource = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        #else
            let resource = RLIMIT_NOFILE
        #endif
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        limit.rlim_cur = min(limit.rlim_max, 1 << 20)
        _ = setrlimit(resource, &limit)
        guard getrlimit(resource, &limit) == 0 else { return 1024 }
        return Int(min(limit.rlim_cur, 1 << 20))
    }
}
