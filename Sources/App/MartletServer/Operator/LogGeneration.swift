import MartletCore
import MartletLog
import MartletMessaging
import MartletSQL

/// Fills the empty log of a store with direct conversations between users that are there, to measure a server with a long
/// log. The server must be stopped.
package struct LogGeneration: Sendable {
    /// Conversations whose participants are written in one transaction.
    private static let batch = 2000
    /// The newest event's age: past the retry window, so that no retry of it is expected.
    private static let age = Duration.seconds(25 * 3600)

    private let configuration: ServerConfiguration
    private let conversations: [ConversationID]

    /// `users` in the order in which the load generator takes them: the first conversations are those of its pairs.
    package init(
        _ configuration: ServerConfiguration, users: [UserID], conversations count: Int
    ) throws(OperatorFailure) {
        self.configuration = configuration
        conversations = Self.conversations(count, between: users)
        guard count >= 1, conversations.count == count else {
            throw OperatorFailure(.usage, "\(users.count) users have no \(count) conversations with one another")
        }
    }

    /// Neighbours first, then those two apart, and so on: pairs of the load generator first of all.
    static func conversations(_ count: Int, between users: [UserID]) -> [ConversationID] {
        var result: [ConversationID] = []
        for place in stride(from: 0, to: users.count - 1, by: 2) where result.count < count {
            if let pair = ConversationID.between(users[place], users[place + 1]) { result.append(pair) }
        }
        var distance = 1
        while result.count < count, distance < users.count {
            for place in 0..<(users.count - distance) where result.count < count {
                if distance == 1, place.isMultiple(of: 2) { continue }
                if let pair = ConversationID.between(users[place], users[place + distance]) { result.append(pair) }
            }
            distance += 1
        }
        return result
    }

    /// Writes `events` events; `progress` gets how many are written, now and then.
    package func run(events: Int64, size: Int, progress: (Int64) -> Void) async throws(OperatorFailure) {
        let path = try configuration.sqlitePath(for: "generate-log")
        let folder = try DataFolder(preparing: configuration.dataFolder)
        let lock = try folder.lock()
        defer { withExtendedLifetime(lock) {} }
        // Brings the schema up to date.
        try await Workbench(configuration).close()
        let now = SystemTime().now
        let generator = LogGenerator(
            path: path, conversations: conversations, size: size, newest: now - Self.age)
        do throws(Fault) {
            let last = try generator.run(count: events, progress: progress)
            try await enter(Array(zip(conversations, last)), path, now)
        } catch {
            throw OperatorFailure(error)
        }
        generator.settle()
    }

    private func enter(_ conversations: [(ConversationID, Int64)], _ path: String, _ now: Instant) async throws(Fault) {
        let database = try SQLiteDatabase(.file(path))
        defer { database.close() }
        for start in stride(from: 0, to: conversations.count, by: Self.batch) {
            let part = conversations[start..<min(start + Self.batch, conversations.count)].map {
                (conversation: $0.0, last: $0.1)
            }
            try await database.write { connection throws(Fault) in
                try ParticipantImport.enter(part, in: connection, now: now)
            }
        }
    }
}
