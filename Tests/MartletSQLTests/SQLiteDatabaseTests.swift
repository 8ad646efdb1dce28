import Foundation
import MartletCore
import MartletSQL
import Testing

@Suite struct SQLiteDatabaseTests {
    @Test func `A commit waits for the disk, behind a write-ahead log`() async throws {
        try await withDatabase { database, _ throws in
            let synchronous = try await database.pragma("synchronous")
            let journal = try await database.pragma("journal_mode")
            let keys = try await database.pragma("foreign_keys")
            #expect(synchronous == .integer(2))
            #expect(journal == .text("wal"))
            #expect(keys == .integer(1))
        }
    }

    // MARK: Groups

    /// Hands `jobs` in while the writer is held back, so that they share one transaction.
    private func together(
        _ database: SQLiteDatabase, _ jobs: [@Sendable () async throws -> Void]
    ) async -> [Fault?] {
        let gate = Gate()
        async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
        await gate.someoneWaits()
        let results = await withTaskGroup { tasks in
            for (index, job) in jobs.enumerated() {
                tasks.addTask { (index, await fault(job)) }
                while database.queueDepth <= index { await Task.yield() }
            }
            gate.open()
            return await tasks.reduce(into: [Fault?](repeating: nil, count: jobs.count)) { $0[$1.0] = $1.1 }
        }
        await held
        return results
    }

    @Test func `A job that fails undoes itself alone`() async throws {
        try await withDatabase { database, _ throws in
            let faults = await together(
                database,
                [
                    { try await database.add(1) },
                    {
                        _ = try await database.write { connection throws(Fault) in
                            try connection.run("INSERT INTO things (id, name) VALUES (2, 'lost')")
                            throw Fault(.blocked, "no")
                        }
                    },
                    { try await database.add(1, "twice") },
                    { try await database.add(3) },
                ])
            #expect(faults.map { $0?.reason } == [nil, .blocked, .internalError, nil])
            #expect(try await database.ids() == [1, 3])
        }
    }

    @Test func `A commit that fails fails all its jobs, and the next one is well`() async throws {
        try await withDatabase { database, _ throws in
            _ = try await database.write { connection throws(Fault) in
                try connection.run(
                    "CREATE TABLE parts (thing BIGINT REFERENCES things (id) DEFERRABLE INITIALLY DEFERRED)")
            }
            let faults = await together(
                database,
                [
                    { try await database.add(1) },
                    {
                        _ = try await database.write { connection throws(Fault) in
                            try connection.run("INSERT INTO parts (thing) VALUES (99)")
                        }
                    },
                    {
                        _ = try await database.write { _ throws(Fault) in throw Fault(.blocked, "no") }
                    },
                ])
            #expect(faults.map { $0?.isOurs } == [true, true, false])
            try await database.add(2)
            #expect(try await database.ids() == [2])
        }
    }

    @Test func `Past its capacity the writer refuses, and says when to come back`() async throws {
        try await withDatabase { database, _ throws in
            let gate = Gate()
            async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            let jobs = (0..<20_100).map { _ in CountingJob() }
            for job in jobs { database.submit(job) }
            #expect(database.queueDepth == 20_000)
            #expect(jobs.count { $0.refusals == 1 } == 100)
            gate.open()
            await held
            // The writer has answered the first job, but may not have taken the others yet.
            while database.queueDepth > 0 { await Task.yield() }
            _ = try await database.write { _ throws(Fault) in }
            #expect(jobs.count { $0.finishes == 1 && $0.refusals == 0 } == 20_000)
            #expect(jobs.allSatisfy { $0.finishes + $0.refusals == 1 })
        }
    }

    // MARK: The end

    @Test func `Closing finishes what was taken and refuses the rest`() async throws {
        try await withFolder { folder throws in
            let path = folder + "/test.sqlite"
            let database = try SQLiteDatabase(.file(path))
            try await makeTable(database)
            let gate = Gate()
            async let held: Void? = try? database.write { _ throws(Fault) in gate.pass() }
            await gate.someoneWaits()
            async let added: Void = database.add(1)
            while database.queueDepth < 1 { await Task.yield() }
            async let closed: Void = close(database)
            gate.open()
            await held
            try await added
            await closed
            let write = await fault { try await database.add(2) }
            let read = await fault { try await database.ids() }
            #expect(write?.reason == .shuttingDown)
            #expect(read?.reason == .shuttingDown)
            database.close()

            let again = try SQLiteDatabase(.file(path))
            defer { again.close() }
            #expect(try await again.ids() == [1])
        }
    }

    private func close(_ database: SQLiteDatabase) async {
        await withCheckedContinuation { continuation in
            Thread.detachNewThread {
                database.close()
                continuation.resume()
            }
        }
    }
}

/// Counts how it was ended.
private final class CountingJob: SQLiteJob, @unchecked Sendable {
    private let lock = NSLock()
    private var counts = (finishes: 0, refusals: 0)

    var finishes: Int { lock.withLock { counts.finishes } }
    var refusals: Int { lock.withLock { counts.refusals } }

    func run(_ connection: SQLiteConnection) throws(Fault) {}
    func finish(_ failure: Fault?) { lock.withLock { counts.finishes += 1 } }
    func refuse(_ fault: Fault) { lock.withLock { counts.refusals += fault.reason == .overloaded ? 1 : 0 } }
}
