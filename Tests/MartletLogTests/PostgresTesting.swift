import Foundation
import Logging
import MartletCore
import MartletLog
import MartletSQL
import MartletTestServices
import Synchronization

extension LogEngine {
    static let postgres = LogEngine(testDescription: "PostgreSQL", isAlone: false) { PostgresStore() }
}

/// A database of its own on the tests' server.
final class PostgresStore: LogStore {
    /// Milliseconds whose events lie together.
    static let period = Duration.seconds(600)

    private let made = Mutex<PostgresURL?>(nil)
    private let server: PostgresServer?

    /// - Parameter server: another one than all tests share.
    init(_ server: PostgresServer? = nil) { self.server = server }

    var url: PostgresURL {
        get async throws {
            if let url = made.withLock({ $0 }) { return url }
            let url: PostgresURL
            if let server {
                url = try await server.database()
                try await Self.migrate(url)
            } else {
                await Turnstile.shared.enter()
                url = try await PostgresServer.shared.database(copyOf: try await MigratedDatabase.shared.name)
            }
            made.withLock { $0 = url }
            return url
        }
    }

    func open(
        clock: any TimeSource, window: Duration, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws -> OpenLog {
        let url = try await url
        var settings = PostgresDatabase.Settings()
        settings.connections = 2
        let database = try PostgresDatabase(url, settings, logger: quiet)
        let log = try await PostgresEventLog(
            database, clock: clock, window: window, period: Self.period, logger: quiet, onCommit: onCommit)
        return OpenLog(log: log, database: database) {
            await settle(log)
        } close: {
            log.close()
        }
    }

    func remove() async {
        guard let url = made.withLock({ $0 }) else { return }
        if let server {
            await server.remove(url)
        } else if let shared = try? await PostgresServer.shared {
            await shared.remove(url)
            await Turnstile.shared.leave()
        }
    }

    static func migrate(_ url: PostgresURL) async throws {
        let database = try PostgresDatabase(url, logger: quiet)
        defer { database.close() }
        let migrations = Migration.all(log: Migration.postgresLog)
        try await Migrator(migrations).migrate(database, now: .distantPast)
    }
}

let quiet = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

/// What an appender refuses is answered behind the announcements of what it stored before. These go to every appender.
private func settle(_ log: PostgresEventLog) async {
    let lane = CollectingLane()
    let nowhere = (0..<32).map { group(9_000_000 + $0) }
    log.submit(lane.requests(nowhere.map { amendment(.edit, of: 1, in: $0) }))
    await lane.wait(nowhere.count)
}

/// A database with the program's tables, which the tests' databases are copies of.
private actor MigratedDatabase {
    static let shared = MigratedDatabase()

    private var making: Task<String, any Error>?

    var name: String {
        get async throws {
            // Awaited right below, by each that asks.
            let task =
                making
                ?? Task {
                    let url = try await PostgresServer.shared.database()
                    try await PostgresStore.migrate(url)
                    return url.description.split(separator: "/").last.map(String.init) ?? ""
                }
            making = task
            return try await task.value
        }
    }
}

/// Lets so many tests have a database at a time as the server has connections for.
private actor Turnstile {
    static let shared = Turnstile()

    private var places = 16
    private var waiting: [CheckedContinuation<Void, Never>] = []

    func enter() async {
        guard places == 0 else {
            places -= 1
            return
        }
        await withCheckedContinuation { waiting.append($0) }
    }

    func leave() {
        guard waiting.isEmpty else { return waiting.removeFirst().resume() }
        places += 1
    }
}
