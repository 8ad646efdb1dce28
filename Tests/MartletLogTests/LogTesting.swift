import Dispatch
import Foundation
import MartletCore
import MartletLog
import MartletSQL
import Synchronization
import Testing

/// A clock that the test moves.
final class ManualClock: TimeSource {
    private let current = Mutex(Instant(milliseconds: 1_700_000_000_000))

    var now: Instant { current.withLock { $0 } }

    func advance(_ duration: Duration) { current.withLock { $0 = $0 + duration } }
}

/// Everything that a log announced, in the order of its announcements.
final class CommitRecorder: Sendable {
    private let recorded = Mutex<[Event]>([])

    var events: [Event] { recorded.withLock { $0 } }

    func note(_ events: [Event]) { recorded.withLock { $0 += events } }
}

/// A log that is open on some store.
struct OpenLog: Sendable {
    let log: any EventLog
    let database: any Database
    /// Returns once everything that was answered so far is announced.
    let settle: @Sendable () async throws -> Void
    let close: @Sendable () -> Void
}

/// Data that outlives the logs that are opened on it.
protocol LogStore: AnyObject, Sendable {
    func open(
        clock: any TimeSource, window: Duration, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws -> OpenLog
    func remove() async
}

/// An implementation of the port, as the conformance suite sees it. Another engine is another value of this.
struct LogEngine: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Whether this log is all that announces: then it does so in order, and each event once.
    var isAlone = true
    let make: @Sendable () throws -> any LogStore

    static let all = durable + [sqliteMemory]
    /// Those whose data can be opened anew.
    static let durable = [sqliteFile, postgres]
    static let alone = all.filter(\.isAlone)

    static let sqliteFile = LogEngine(testDescription: "SQLite file") { try SQLiteFileStore() }
    static let sqliteMemory = LogEngine(testDescription: "SQLite memory") { SQLiteMemoryStore() }
}

final class SQLiteMemoryStore: LogStore {
    func open(
        clock: any TimeSource, window: Duration, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws -> OpenLog {
        try await openSQLite(.memory, clock, window, onCommit)
    }

    func remove() {}
}

final class SQLiteFileStore: LogStore {
    let folder: URL
    var path: String { folder.appending(path: "martlet.sqlite").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appending(path: "martlet-log-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    }

    func open(
        clock: any TimeSource, window: Duration, onCommit: @escaping @Sendable ([Event]) -> Void
    ) async throws -> OpenLog {
        try await openSQLite(.file(path), clock, window, onCommit)
    }

    func remove() { try? FileManager.default.removeItem(at: folder) }
}

private func openSQLite(
    _ location: SQLiteDatabase.Location, _ clock: any TimeSource, _ window: Duration,
    _ onCommit: @escaping @Sendable ([Event]) -> Void
) async throws -> OpenLog {
    let database = try SQLiteDatabase(location)
    try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: clock.now)
    let log = try await SQLiteEventLog(database, clock: clock, window: window, onCommit: onCommit)
    return OpenLog(log: log, database: database) {
        try await database.write { _ throws(Fault) in }
    } close: {
        log.close()
    }
}

/// A log under test, with its clock and what it announced.
final class LogFixture: Sendable {
    let clock = ManualClock()
    private let recorder = CommitRecorder()
    private let store: any LogStore
    private let window: Duration
    private let current: Mutex<OpenLog>

    private init(_ store: any LogStore, window: Duration) async throws {
        self.store = store
        self.window = window
        current = Mutex(try await store.open(clock: clock, window: window) { [recorder] in recorder.note($0) })
    }

    var log: any EventLog { current.withLock { $0.log } }
    var database: any Database { current.withLock { $0.database } }

    /// Closes the log, and opens another one on the same data.
    func reopen() async throws {
        close()
        let opened = try await store.open(clock: clock, window: window) { [recorder] in recorder.note($0) }
        current.withLock { $0 = opened }
    }

    func close() { current.withLock { $0 }.close() }

    /// Runs `body` with a new log, and removes its data.
    static func run(
        _ engine: LogEngine, window: Duration = .seconds(24 * 3600), _ body: (LogFixture) async throws -> Void
    ) async throws {
        let store = try engine.make()
        let result: Result<Void, any Error>
        do {
            let fixture = try await LogFixture(store, window: window)
            defer { fixture.close() }
            result = .success(try await body(fixture))
        } catch {
            result = .failure(error)
        }
        await store.remove()
        try result.get()
    }

    /// As above, on a file that the test may also open by itself.
    static func runOnFile(_ body: (LogFixture, String) async throws -> Void) async throws {
        let store = try SQLiteFileStore()
        try await run(LogEngine(testDescription: "SQLite file") { store }) { try await body($0, store.path) }
    }

    /// What the log announced so far. Answers come before announcements, so this waits for those.
    var committed: [Event] {
        get async throws {
            try await current.withLock { $0 }.settle()
            return recorder.events
        }
    }

    func seqs(_ conversation: ConversationID) async throws -> [Int64] {
        try await all(conversation).events.map(\.seq)
    }

    func all(_ conversation: ConversationID) async throws -> LogPage {
        try await log.read(conversation, 1...Int64.max, limit: 1_000_000, newest: false)
    }
}

/// Collects answers, and lets a test wait for a number of them.
final class CollectingLane: AppendLane {
    private struct State {
        var requests: [AppendRequest] = []
        var waiter: (count: Int, continuation: CheckedContinuation<Void, Never>)?
    }

    private let state = Mutex(State())

    var requests: [AppendRequest] { state.withLock { $0.requests } }
    var receipts: [Receipt] { requests.compactMap { try? $0.outcome.get() } }
    var faults: [Fault] {
        requests.compactMap { if case .failure(let fault) = $0.outcome { fault } else { nil } }
    }

    func complete(_ requests: ArraySlice<AppendRequest>) {
        let ready = state.withLock { state in
            state.requests += requests
            guard let waiter = state.waiter, state.requests.count >= waiter.count else {
                return nil as CheckedContinuation<Void, Never>?
            }
            state.waiter = nil
            return waiter.continuation
        }
        ready?.resume()
    }

    func wake() {}

    /// Returns once `count` answers have come in all.
    func wait(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if state.requests.count >= count { return true }
                state.waiter = (count, continuation)
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func requests(_ drafts: [Draft]) -> [AppendRequest] {
        drafts.enumerated().map { AppendRequest(draft: $0.element, token: $0.offset, lane: self) }
    }
}

/// Holds a writer back until the test lets it go.
final class Gate: Sendable {
    private let reached = DispatchSemaphore(value: 0)
    private let opened = DispatchSemaphore(value: 0)

    /// Called by what is held back.
    func pass() {
        reached.signal()
        opened.wait()
    }

    /// Returns once somebody stands at the gate.
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

// MARK: Drafts

let alice = UserID(unchecked: 1)
let bob = UserID(unchecked: 2)
let direct = ConversationID.direct(alice, bob)

func group(_ id: Int64) -> ConversationID { .group(GroupID(unchecked: id)) }

func message(
    _ text: String, in conversation: ConversationID = direct, from sender: UserID = alice, id: String? = nil,
    kind: EventKind = .text
) -> Draft {
    Draft(
        conversation: conversation, sender: sender, senderName: "name", kind: kind, clientId: id ?? UUID().uuidString,
        body: Array(#"{"text":"\#(text)"}"#.utf8))
}

func amendment(
    _ kind: EventKind, of target: Int64?, in conversation: ConversationID = direct, from sender: UserID = alice,
    id: String = "", body: String = "{}"
) -> Draft {
    Draft(
        conversation: conversation, sender: sender, senderName: "name", kind: kind, clientId: id,
        body: Array(body.utf8), target: target)
}

func body(_ text: String) -> [UInt8] { Array(#"{"text":"\#(text)"}"#.utf8) }

/// Expects that `work` throws a fault with this reason. (The closure stands outside of `#expect`, since closures in its arguments may be mixed up
/// with their neighbours.)
func refused<Value>(
    _ expected: Fault.Reason, sourceLocation: SourceLocation = #_sourceLocation, _ work: () async throws -> Value
) async {
    let thrown = await reason(work)
    #expect(thrown == expected, sourceLocation: sourceLocation)
}

/// The reason of the fault that `work` throws.
func reason<Value>(_ work: () async throws -> Value) async -> Fault.Reason? {
    do {
        _ = try await work()
        return nil
    } catch let fault as Fault {
        return fault.reason
    } catch {
        Issue.record(error)
        return nil
    }
}
