import MartletCore
import MartletSQL

/// Sends that one statement stores: drafts of any conversations, none of them an amendment. A value: it says what to run
/// and reads what came of it.
///
/// Locking the conversations and storing are two statements, since in READ COMMITTED each statement sees what was
/// committed before it began: the second one sees the numbers that were given while the first one waited.
struct PostgresSends {
    private let drafts: [Draft]
    private let digests: [Int64]
    /// Drafts that go to the database.
    private var leaders: [Int] = []
    /// For each draft, its leader's place in `leaders`: an earlier one with the same sender, conversation and clientId,
    /// or the draft itself.
    private var leaderOf: [Int] = []

    private struct Retry: Hashable {
        let conversation: ConversationID
        let sender: UserID
        let clientId: String
    }

    init(_ drafts: [Draft]) {
        self.drafts = drafts
        digests = drafts.map { $0.clientId.isEmpty ? 0 : PayloadDigest.of($0) }
        var seen: [Retry: Int] = [:]
        leaderOf.reserveCapacity(drafts.count)
        for (index, draft) in drafts.enumerated() {
            if !draft.clientId.isEmpty {
                let retry = Retry(conversation: draft.conversation, sender: draft.sender, clientId: draft.clientId)
                if let leader = seen[retry] {
                    leaderOf.append(leader)
                    continue
                }
                seen[retry] = leaders.count
            }
            leaderOf.append(leaders.count)
            leaders.append(index)
        }
    }

    /// Stores the drafts, whose conversations are locked.
    ///
    /// - Parameters:
    ///   - keys: those of all conversations.
    ///   - now: the time that the events get, unless their conversation has a later one.
    func store(_ keys: [ConversationID: Int64], _ now: Instant, _ partitions: PostgresPartitions) -> PostgresStatement {
        let sent = leaders.map { drafts[$0] }
        return PostgresStatement(
            text: PostgresLogStatements.store,
            [
                .integers(sent.map { keys[$0.conversation] ?? 0 }),
                .integers(sent.map(\.sender.value)),
                .smallIntegers(sent.map(\.kind.rawValue)),
                .texts(sent.map(\.clientId)),
                .integers(leaders.map { digests[$0] }),
                .blobs(sent.map(\.body)),
                .integer(now.milliseconds),
                .integer(partitions.oldestRetries(now)),
                .integer(partitions.period),
            ])
    }

    /// What became of each draft, by what `store` returned. One whose conversation is not there any more is refused with
    /// `unavailable`: the others are stored.
    func outcomes(_ rows: [SQLRow]) throws(PostgresFailure) -> [AppendOutcome] {
        guard rows.count == leaders.count else {
            throw PostgresFailure(.refused, "\(rows.count) outcomes of \(leaders.count) sends")
        }
        do throws(Fault) {
            return try read(rows)
        } catch {
            throw PostgresLogStatements.unreadable(error)
        }
    }

    private func read(_ rows: [SQLRow]) throws(Fault) -> [AppendOutcome] {
        var outcomes: [AppendOutcome] = []
        outcomes.reserveCapacity(drafts.count)
        for (index, leader) in leaderOf.enumerated() {
            let row = rows[leader]
            let earlier = try row.optionalInteger("digest")
            let isFirst = leaders[leader] == index
            guard let seq = try row.optionalInteger("seq") else {
                outcomes.append(.failure(Self.gone))
                continue
            }
            guard (earlier ?? digests[leaders[leader]]) == digests[index]
            else {
                outcomes.append(
                    .failure(Fault(.clientIdReused, "this clientId was used for another payload", field: "clientId")))
                continue
            }
            outcomes.append(
                .success(
                    Receipt(
                        seq: seq, ordinal: try row.integer("ordinal"), time: try row.instant("time"),
                        isRepeat: earlier != nil || !isFirst)))
        }
        return outcomes
    }

    private static let gone = Fault(.unavailable, "the conversation has to be found anew", retryAfter: .seconds(1))
}
