import Dispatch
import Foundation
import GRDBSQLite
import MartletCore
import MartletSQL
import MartletTestServices
import Testing

/// A folder that is gone after the test.
func withFolder(_ body: (String) async throws -> Void) async throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "martlet-sql-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try await body(folder)
}

/// A database in a file, with one table.
func withDatabase(_ body: (SQLiteDatabase, String) async throws -> Void) async throws {
    try await withFolder { folder throws in
        let path = folder + "/test.sqlite"
        let database = try SQLiteDatabase(.file(path))
        defer { database.close() }
        try await makeTable(database)
        try await body(database, path)
    }
}

func makeTable(_ database: some Database) async throws(Fault) {
    _ = try await database.write { connection throws(Fault) in
        try connection.run("CREATE TABLE things (id BIGINT PRIMARY KEY, name TEXT NOT NULL)")
    }
}

extension Database {
    func add(_ id: Int64, _ name: String = "thing") async throws(Fault) {
        _ = try await write { connection throws(Fault) in
            try connection.run("INSERT INTO things (id, name) VALUES (\(id), \(name))")
        }
    }

    func ids() async throws(Fault) -> [Int64] {
        try await read { connection throws(Fault) in
            var ids: [Int64] = []
            for row in try connection.rows("SELECT id FROM things ORDER BY id") { ids.append(try row.integer("id")) }
            return ids
        }
    }

}

extension SQLiteDatabase {
    func pragma(_ name: String) async throws(Fault) -> SQLValue? {
        try await write { connection throws(Fault) in
            try connection.row(SQL(stringLiteral: "PRAGMA \(name)"))?.value(name)
        }
    }
}

/// An engine of the port, as the conformance suites see it.
struct Engine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Runs work with a new, empty database.
    let run: @Sendable (_ body: (any Database) async throws -> Void) async throws -> Void

    static let all = [memory, file, postgres]

    static let memory = Engine(testDescription: "SQLite memory") { body throws in
        let database = try SQLiteDatabase(.memory)
        defer { database.close() }
        try await body(database)
    }

    static let file = Engine(testDescription: "SQLite file") { body throws in
        try await withFolder { folder throws in
            let database = try SQLiteDatabase(.file(folder + "/test.sqlite"))
            defer { database.close() }
            try await body(database)
        }
    }

    static let postgres = Engine(testDescription: "PostgreSQL") { body throws in
        var settings = PostgresDatabase.Settings()
        settings.patience = .seconds(60)
        try await withPostgres(settings) { database throws in try await body(database) }
    }
}

/// A new, empty database on the shared server.
func withPostgres(
    _ settings: PostgresDatabase.Settings = PostgresDatabase.Settings(),
    _ body: (PostgresDatabase) async throws -> Void
) async throws {
    let server = try await PostgresServer.shared
    let url = try await server.database()
    let database = try PostgresDatabase(url, settings)
    let result: Result<Void, any Error>
    do { result = .success(try await body(database)) } catch { result = .failure(error) }
    database.close()
    await server.remove(url)
    try result.get()
}

/// The fault that `work` throws.
func fault<Value>(_ work: () async throws -> Value) async -> Fault? {
    do {
        _ = try await work()
        return nil
    } catch let fault as Fault {
        return fault
    } catch {
        Issue.record(error)
        return nil
    }
}

/// Holds a writer back until the test lets it go.
final class Gate: Sendable {
    private let reached = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    func pass() {
        reached.signal()
        opened.wait()
    }

    func someoneWaits() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async { [reached] in
                reached.wait()
                continuation.resume()
            }
        }
    }

    func open() { opened.signal() }
}
