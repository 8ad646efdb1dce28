import Foundation
import MartletCore
import MartletLog
import MartletSQL

/// Appending to the log: from `submit` to the answer behind the commit, through the writer's thread, into a file. The work of all threads is
/// counted, that of the kernel (writing, fsync) is not.
enum LogLoops {
    static let all = [
        HotLoop(name: "log-1", operation: "event stored, one in a commit", iterations: 512) {
            try append(group: 1, $0)
        },
        HotLoop(name: "log-16", operation: "event stored, 16 in a commit", operations: 16, iterations: 100) {
            try append(group: 16, $0)
        },
        HotLoop(name: "log-256", operation: "event stored, 256 in a commit", operations: 256, iterations: 24) {
            try append(group: 256, $0)
        },
    ]

    /// Conversations that the events are spread over, and events that the log's index may lack. Both are small, and there are as many events before
    /// the first iteration, so that the index is brought up to date while it is counted.
    private static let (conversations, unindexed) = (16, 1024)

    private static func append(group: Int, _ setting: Setting) throws -> HotLoop.Body {
        let database = try openDatabase(setting.folder)
        let committed = Tally()
        let log = try blocking {
            try await SQLiteEventLog(database, clock: StandingTime(), unindexed: unindexed) {
                committed.add($0.count)
            }
        }
        let lane = Lane()
        let requests = (0..<setting.iterations).map { iteration in
            (0..<group).map { AppendRequest(draft: draft(iteration * group + $0), token: $0, lane: lane) }
        }
        log.submit((1...2 * unindexed).map { AppendRequest(draft: draft(-$0), token: $0, lane: lane) })
        try expect(lane.wait(), is: 2 * unindexed, "events stored")
        waitUntil { committed.count == 2 * unindexed }
        return { iterations in
            let before = committed.count
            for iteration in iterations {
                log.submit(requests[iteration])
                try expect(lane.wait(), is: group, "events stored")
            }
            // The last commit is announced behind its answers.
            waitUntil { committed.count - before == iterations.count * group }
            try expect(committed.count - before, is: iterations.count * group, "events announced")
        }
    }

    private static func draft(_ number: Int) -> Draft {
        let sender = UserID(unchecked: Int64(1 + abs(number) % conversations))
        return Draft(
            conversation: .direct(sender, Samples.bob), sender: sender, senderName: "alice", kind: .text,
            clientId: Samples.clientId(number), body: Samples.content)
    }

    /// A database of its own in the folder, with the server's schema.
    static func openDatabase(_ folder: String) throws -> SQLiteDatabase {
        let database = try SQLiteDatabase(.file(folder + "/martlet.sqlite"))
        _ = try blocking {
            try await Migrator(Migration.all(log: Migration.sqliteLog)).migrate(database, now: Samples.time)
        }
        return database
    }

    /// Hears the answers of one batch at a time.
    private final class Lane: AppendLane {
        private let answered = DispatchSemaphore(value: 0)
        private let stored = Tally()

        func complete(_ requests: ArraySlice<AppendRequest>) {
            for request in requests { if case .success = request.outcome { stored.add(1) } }
            answered.signal()
        }

        func wake() {}

        /// Returns how many of the batch were stored.
        func wait() -> Int {
            answered.wait()
            return stored.take()
        }
    }
}
