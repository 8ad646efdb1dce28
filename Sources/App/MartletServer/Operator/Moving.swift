import Foundation
import Logging
import MartletCore
import MartletLog
import MartletSQL

/// Moves everything of one machine's SQLite database into an empty PostgreSQL database: the same conversations,
/// numbers, times, accounts and sign-ins, and the records by which retries are recognised. The server must be stopped.
///
/// It may be ended at any point, and goes on from there when it is started again. At its end both sides are verified
/// and compared; only then the target says that it is whole (`MovingState.requireWhole`).
package struct Moving: Sendable {
    private let path: String
    private let url: PostgresURL
    private let folders: Set<String>

    /// - Parameters:
    ///   - from: `sqlite:PATH`; nil for the configured store.
    ///   - to: `postgres://…`; nil for the configured store.
    package init(_ configuration: ServerConfiguration, from: String?, to: String?) throws(OperatorFailure) {
        let source = try from.map { text throws(OperatorFailure) in
            try ServerConfiguration.store(text, in: configuration.dataFolder)
        }
        let target = try to.map { text throws(OperatorFailure) in
            try ServerConfiguration.store(text, in: configuration.dataFolder)
        }
        guard case .sqlite(let path) = source ?? configuration.store else {
            throw OperatorFailure(.usage, "--from sqlite:PATH is expected: a move goes from SQLite to PostgreSQL")
        }
        guard case .postgres(let text) = target ?? configuration.store else {
            throw OperatorFailure(.usage, "--to postgres://… is expected: a move goes from SQLite to PostgreSQL")
        }
        self.path = path
        do throws(Fault) {
            url = try PostgresURL(text)
        } catch {
            throw OperatorFailure(.usage, error.message)
        }
        let folder = (path as NSString).deletingLastPathComponent
        var folders: Set = [folder.isEmpty ? "." : folder]
        if configuration.store == .sqlite(path), FileManager.default.fileExists(atPath: configuration.dataFolder) {
            folders.insert(configuration.dataFolder)
        }
        // One folder has many names, and can be locked once.
        self.folders = Set(folders.map { URL(fileURLWithPath: $0).resolvingSymlinksInPath().path })
    }

    package func run(_ watch: MovingWatch) async throws(OperatorFailure) -> MovingReport {
        let source = try await MovingSource(path, folders: folders)
        defer { source.close() }
        let target = try openTarget()
        defer { target.close() }
        let found = try await examine(target, source.identity)
        var report = MovingReport()
        if case .finished = found {
            report.wasFinished = true
            return report
        }
        if case .unfinished = found { report.isResumed = true }
        try await requireNoNodes(target)
        try await migrate(target)
        let copied = try await copy(source, watch)
        (report.rows, report.moved, report.time) = (copied.rows, copied.moved, copied.time)
        watch.progress(.verifying, 0, 2)
        report.problems = try await problems(Verifier(database: source.database, log: .sqlite), "SQLite")
        watch.progress(.verifying, 1, 2)
        try watch.requireGoingOn()
        report.problems += try await problems(Verifier(database: target, log: .postgres), "PostgreSQL")
        watch.progress(.verifying, 2, 2)
        report.differences = try await compare(source, watch, isSound: report.problems.isEmpty)
        return report
    }

    // MARK: The target

    private func openTarget() throws(OperatorFailure) -> PostgresDatabase {
        var settings = PostgresDatabase.Settings()
        settings.connections = 1
        settings.statementTimeout = Workbench.verificationTimeout
        settings.name = MovingTarget.name
        do throws(Fault) {
            return try PostgresDatabase(url, settings, logger: .quiet)
        } catch {
            // The message has the cause in it.
            throw OperatorFailure(.unavailable, error.message)
        }
    }

    /// One that has just stopped may need a moment to be gone.
    private func requireNoNodes(_ target: PostgresDatabase) async throws(OperatorFailure) {
        for attempt in 0..<20 {
            if attempt > 0 { try? await Task.sleep(for: .milliseconds(100)) }
            let nodes = try await Self.reading(target) { connection throws(OperatorFailure) in
                try OperatorFailure.of { () throws(Fault) in try MovingState.nodes(connection) }
            }
            if nodes == 0 { return }
        }
        throw OperatorFailure(.unavailable, "nodes use the database to move into; stop them first")
    }

    private func examine(
        _ target: PostgresDatabase, _ identity: MovingIdentity
    ) async throws(OperatorFailure) -> MovingState.Found {
        try await Self.reading(target) { connection throws(OperatorFailure) in
            try MovingState.examine(connection, for: identity)
        }
    }

    private func migrate(_ target: PostgresDatabase) async throws(OperatorFailure) {
        let steps = Migration.all(log: Migration.postgresLog)
        do throws(Fault) {
            try await Migrator(steps).migrate(target, now: SystemTime().now)
            try await target.read { connection throws(Fault) in
                try MovingSource.refuseNewer(connection, known: steps.last?.number ?? 0)
            }
        } catch {
            throw OperatorFailure(error)
        }
    }

    private func problems(_ verifier: Verifier, _ side: String) async throws(OperatorFailure) -> [String] {
        do throws(Fault) {
            return try await verifier.run().problems.map { "\(side): \($0)" }
        } catch {
            throw OperatorFailure(error)
        }
    }

    // MARK: Both sides

    /// Copies what is missing, of one moment of the source.
    private func copy(_ source: MovingSource, _ watch: MovingWatch) async throws(OperatorFailure) -> MovingCopy.Result {
        let (url, identity) = (url, source.identity)
        return try await Self.reading(source.database) { connection throws(OperatorFailure) in
            try Self.with(url) { target throws(OperatorFailure) in
                try MovingCopy(source: connection, target: target, watch: watch).run(identity)
            }
        }
    }

    /// In what the sides differ. Where they do not, and nothing else is wrong (`isSound`), the move is whole.
    func compare(
        _ source: MovingSource, _ watch: MovingWatch, isSound: Bool
    ) async throws(OperatorFailure) -> [String] {
        let url = url
        return try await Self.reading(source.database) { connection throws(OperatorFailure) in
            try Self.with(url) { target throws(OperatorFailure) in
                let differences = try MovingComparison(source: connection, target: target, watch: watch).run()
                if isSound, differences.isEmpty { try OperatorFailure.of { () throws(Fault) in try target.finish() } }
                return differences
            }
        }
    }

    private static func with<Value>(
        _ url: PostgresURL, _ body: (MovingTarget) throws(OperatorFailure) -> Value
    ) throws(OperatorFailure) -> Value {
        let target = try OperatorFailure.of { () throws(Fault) in try MovingTarget(url) }
        defer { target.close() }
        return try body(target)
    }

    private static func reading<Value: Sendable>(
        _ database: some Database, _ body: @escaping @Sendable (any SQLConnection) throws(OperatorFailure) -> Value
    ) async throws(OperatorFailure) -> Value {
        let result: Result<Value, OperatorFailure>
        do throws(Fault) {
            result = try await database.read { connection throws(Fault) in
                Result { () throws(OperatorFailure) in try body(connection) }
            }
        } catch {
            throw OperatorFailure(error)
        }
        return try result.get()
    }
}

extension OperatorFailure {
    /// Says a fault of `body` to the operator.
    static func of<Value>(_ body: () throws(Fault) -> Value) throws(OperatorFailure) -> Value {
        do throws(Fault) {
            return try body()
        } catch {
            throw OperatorFailure(error)
        }
    }
}
