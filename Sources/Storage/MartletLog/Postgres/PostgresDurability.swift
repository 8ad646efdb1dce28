import Logging
import MartletSQL
import Synchronization

/// Whether an acknowledged event is on the disk that the contract means, as far as the server's settings say. Shared by a
/// log's appenders, so that the operator reads of a setting once.
final class PostgresDurability: Sendable {
    /// What a connection that appends asks the server.
    static let question = PostgresStatement(
        text: """
            SELECT current_setting('synchronous_commit') AS commits,
            current_setting('synchronous_standby_names') AS standbys
            """, isKept: false)

    private struct Setting: Equatable {
        let commits: String
        let hasStandbys: Bool
    }

    private let logger: Logger
    private let last = Mutex<Setting?>(nil)

    init(_ logger: Logger) { self.logger = logger }

    /// Takes the answer to `question`, and warns where a commit may be lost that was acknowledged: once for each change.
    func note(_ answer: PostgresResult?) {
        guard let row = answer?.rows.first, let commits = try? row.text("commits"),
            let standbys = try? row.text("standbys")
        else { return }
        let setting = Setting(commits: commits, hasStandbys: !standbys.isEmpty)
        let isNew = last.withLock { last in
            defer { last = setting }
            return last != setting
        }
        guard isNew, let loss = Self.loss(commits: commits, hasStandbys: setting.hasStandbys) else { return }
        logger.warning(
            "acknowledged messages can be lost: set synchronous_commit = on in PostgreSQL",
            metadata: ["synchronous_commit": "\(commits)", "loss": "\(loss)"])
    }

    /// What takes acknowledged events away (PostgreSQL manual, 20.5.1); nil where nothing does that the settings promise
    /// to outlive.
    static func loss(commits: String, hasStandbys: Bool) -> String? {
        switch commits {
        case "off": "a crash of the server, since its commits do not wait for the disk"
        case "local" where hasStandbys: "a change to a standby, since commits do not wait for any"
        default: nil
        }
    }
}
