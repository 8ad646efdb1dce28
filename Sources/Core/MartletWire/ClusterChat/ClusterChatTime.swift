import MartletCore

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// The time that clusterchat clients show beside a message.
package enum ClusterChatTime {
    /// `YYYY-MM-DD HH:MM:SS` in the time zone of this process; in that of 1970 where the C library knows no such day.
    package static func local(_ time: Instant) -> String {
        var seconds = time_t(time.seconds)
        var parts = tm()
        guard localtime_r(&seconds, &parts) != nil else { return "1970-01-01 00:00:00" }
        let day = "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-"
        let rest = [parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec].map { padded(Int($0), 2) }
        return "\(day)\(rest[0]) \(rest[1]):\(rest[2]):\(rest[3])"
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }
}
