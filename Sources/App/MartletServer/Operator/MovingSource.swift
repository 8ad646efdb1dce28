import Crypto
import Foundation
import MartletCore
import MartletLog
import MartletSQL

/// Tells a source from others, and from what it was before.
struct MovingIdentity: Sendable, Equatable {
    /// Of the database: when its schema's steps were applied.
    let origin: String
    /// Of what it holds, nearly: how many rows there are, and the newest event.
    let content: String

    init(_ source: any SQLConnection) throws(Fault) {
        var origin = ""
        for row in try source.rows("SELECT number, applied_at FROM schema_migrations ORDER BY number") {
            origin += "\(try row.integer("number")):\(try row.integer("applied_at")) "
        }
        self.origin = Self.digest(origin)
        var content = ""
        for row in try source.rows("SELECT name, value FROM counters ORDER BY name") {
            content += "\(try row.text("name")):\(try row.integer("value")) "
        }
        for table in MovingPlan.features + ["log_conversations", "log_amendments"] {
            content += "\(table):\(try source.integer(SQL(stringLiteral: "SELECT count(*) FROM \(table)")) ?? 0) "
        }
        content += "newest:\(try source.integer("SELECT max(ordinal) FROM log_events") ?? 0) "
        content += "oldest:\(try source.integer("SELECT min(ordinal) FROM log_events") ?? 0)"
        self.content = Self.digest(content)
    }

    private static func digest(_ text: String) -> String {
        SecretKey.hexadecimal(Array(SHA256.hash(data: Array(text.utf8)).prefix(16)))
    }
}

/// The SQLite side of a move: a database that nobody else may write to meanwhile.
final class MovingSource: Sendable {
    let database: SQLiteDatabase
    let identity: MovingIdentity
    private let locks: [DataFolderLock]

    /// Takes the folders, opens the database, and brings it to this program's schema, as a start of the server would.
    init(_ path: String, folders: Set<String>) async throws(OperatorFailure) {
        guard FileManager.default.fileExists(atPath: path) else {
            throw OperatorFailure(.noInput, "there is no database at \(path)")
        }
        var locks: [DataFolderLock] = []
        for folder in folders { locks.append(try DataFolder(existing: folder).lock()) }
        self.locks = locks
        let steps = Migration.all(log: Migration.sqliteLog)
        do throws(Fault) {
            let database = try SQLiteDatabase(.file(path))
            self.database = database
            do throws(Fault) {
                try await Migrator(steps).migrate(database, now: SystemTime().now)
                identity = try await database.read { connection throws(Fault) in
                    try Self.refuseNewer(connection, known: steps.last?.number ?? 0)
                    return try MovingIdentity(connection)
                }
            } catch {
                database.close()
                throw error
            }
        } catch {
            throw OperatorFailure(error)
        }
    }

    func close() { database.close() }

    /// A newer program may have put things where this one does not look for them.
    static func refuseNewer(_ connection: any SQLConnection, known: Int64) throws(Fault) {
        let applied = try connection.integer("SELECT max(number) FROM schema_migrations") ?? 0
        guard applied <= known else {
            throw Fault(
                .unavailable,
                "the database has schema \(applied), this program knows \(known): move it with the newer martlet")
        }
    }
}
