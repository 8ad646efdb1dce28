import Logging
import Synchronization

/// What is logged, for a test to read.
package final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])

    package init() {}

    /// Logs to here.
    package var logger: Logger { Logger(label: "test") { [self] _ in LineHandler(lines: self) } }

    /// Level, message and metadata of each line, in their order.
    package var all: [String] { kept.withLock { $0 } }

    /// Those from warnings on.
    package var warnings: [String] { all.filter { $0.hasPrefix("warning") || $0.hasPrefix("error") } }

    fileprivate func add(_ line: String) { kept.withLock { $0.append(line) } }
}

private struct LineHandler: LogHandler {
    let lines: LogLines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.trace

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let facts = metadata.merging(event.metadata ?? [:]) { $1 }.sorted { $0.key < $1.key }
        lines.add(
            (["\(event.level): \(event.message)"] + facts.map { "\($0.key)=\($0.value)" }).joined(separator: " "))
    }
}
