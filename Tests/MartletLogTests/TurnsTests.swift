import MartletCore
import MartletSQL
import MartletTestServices
import Synchronization
import Testing

@testable import MartletLog

/// Changes of one conversation, one after another.
@Suite struct TurnsTests {
    @Test func `One goes through at a time, and who finds too many waiting is refused`() async throws {
        let turns = Turns(patience: .seconds(600))
        let (entered, enter) = AsyncStream<Void>.makeStream()
        let (left, leave) = AsyncStream<Void>.makeStream()
        let inside = Mutex(0)
        let most = Mutex(0)
        let work = { @Sendable () async throws(Fault) in
            let count = inside.withLock { count in
                count += 1
                return count
            }
            most.withLock { $0 = max($0, count) }
            await Task.yield()
            inside.withLock { $0 -= 1 }
        }
        // Awaited below.
        let first = Task {
            try await turns.take(1) { () async throws(Fault) in
                enter.finish()
                for await _ in left {}
            }
        }
        for await _ in entered {}
        let faults = await withTaskGroup(of: Fault?.self) { tasks -> [Fault] in
            for _ in 0..<2010 {
                tasks.addTask {
                    do throws(Fault) {
                        try await turns.take(1, work)
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            var faults: [Fault] = []
            // Ten are answered while the first one is still inside.
            while faults.count < 10, let answer = await tasks.next() { if let answer { faults.append(answer) } }
            // Another key is free meanwhile.
            try? await turns.take(2, work)
            leave.finish()
            for await answer in tasks { if let answer { faults.append(answer) } }
            return faults
        }
        try await first.value
        #expect(faults.map(\.reason) == Array(repeating: .overloaded, count: 10))
        #expect(faults.allSatisfy { $0.retryAfter != nil })
        try await turns.take(1, work)
        let together = most.withLock { $0 }
        #expect(together == 1)
    }

    @Test(.timeLimit(.minutes(1)))
    func `Who waits too long is refused, and its turn goes to the next one`() async throws {
        let turns = Turns(patience: .seconds(600))
        let (entered, enter) = AsyncStream<Void>.makeStream()
        let (left, leave) = AsyncStream<Void>.makeStream()
        // Awaited below.
        let first = Task {
            await reason {
                try await turns.take(1) { () async throws(Fault) in
                    enter.finish()
                    for await _ in left {}
                }
            }
        }
        let passed = Passed()
        func start(_ number: Int) -> Task<Fault.Reason?, Never> {
            Task { await reason { try await turns.take(1) { () throws(Fault) in passed.note(number) } } }
        }
        for await _ in entered {}
        let impatient = [start(1), start(2)]
        while turns.depth < 2 { await Task.yield() }
        turns.refuseLate(at: .now + .seconds(590))
        #expect(turns.depth == 2)
        turns.refuseLate(at: .now + .seconds(601))
        for task in impatient {
            let thrown = await task.value
            #expect(thrown == .overloaded)
        }
        let last = start(3)
        while turns.depth < 1 { await Task.yield() }
        leave.finish()
        let thrown = [await first.value, await last.value]
        #expect(thrown == [nil, nil])
        #expect(passed.numbers == [3])
        let next = start(4)
        let fault = await next.value
        #expect(fault == nil)
    }

    @Test(.timeLimit(.minutes(1)))
    func `A change waits for another one of its group no longer than the database's patience`() async throws {
        let store = PostgresStore()
        var settings = PostgresDatabase.Settings()
        settings.connections = 2
        settings.patience = .milliseconds(100)
        let database = try PostgresDatabase(try await store.url, settings, logger: quiet)
        let log = try await PostgresEventLog(database, clock: ManualClock(), logger: quiet) { _ in }
        let gate = Gate()
        // Awaited below.
        let slow = Task { await reason { try await log.transact(on: group(1)) { _, _ throws(Fault) in gate.pass() } } }
        await gate.someoneWaits()
        await refused(.overloaded) { try await log.transact(on: group(1)) { _, _ throws(Fault) in } }
        gate.open()
        let thrown = await slow.value
        #expect(thrown == nil)
        try await log.transact(on: group(1)) { _, _ throws(Fault) in }
        log.close()
        await store.remove()
    }

    @Test func `Changes of one group from two nodes at once all go well`() async throws {
        let store = PostgresStore()
        let clock = ManualClock()
        var logs: [OpenLog] = []
        for _ in 0..<2 { logs.append(try await store.open(clock: clock, window: .seconds(24 * 3600)) { _ in }) }
        let faults = await withTaskGroup(of: Fault?.self) { [logs] tasks -> [Fault] in
            for index in 0..<60 {
                tasks.addTask {
                    let log = logs[index % 2].log
                    do throws(Fault) {
                        try await log.transact(on: group(1)) { connection, drafts throws(Fault) in
                            let last = try log.lastSeq(group(1), in: connection)
                            drafts = [message("change", in: group(1), id: "turn-\(last + 1)")]
                        }
                        return nil
                    } catch {
                        return error
                    }
                }
            }
            return await tasks.reduce(into: []) { faults, fault in if let fault { faults.append(fault) } }
        }
        #expect(faults.map(\.message) == [])
        let events = try await logs[0].log.read(group(1), 1...Int64.max, limit: 100, newest: false).events
        #expect(events.map(\.clientId) == (1...60).map { "turn-\($0)" })
        for log in logs { log.close() }
        await store.remove()
    }
}

/// Who came through.
private final class Passed: Sendable {
    private let noted = Mutex<[Int]>([])

    var numbers: [Int] { noted.withLock { $0 } }

    func note(_ number: Int) { noted.withLock { $0.append(number) } }
}
