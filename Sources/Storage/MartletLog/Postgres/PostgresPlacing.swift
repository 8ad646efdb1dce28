import MartletCore
import MartletSQL

/// Places drafts of every kind in the log, within a transaction that its caller begins and ends.
struct PostgresPlacing {
    let connection: any PostgresPipeline
    let partitions: PostgresPartitions
    /// The time that the events get, unless their conversation has a later one.
    let now: Instant

    /// Places drafts in their order. An outcome of failure is a refusal, which leaves the transaction as it was; what is
    /// thrown ends it.
    ///
    /// - Parameter shares: whether the buckets' locks are wanted, as plain appends hold them.
    func place(_ drafts: [Draft], shares: Bool) throws(PostgresFailure) -> (
        outcomes: [AppendOutcome], keys: [ConversationID: Int64]
    ) {
        let keys = try prepare(drafts, shares: shares)
        var outcomes: [AppendOutcome] = []
        outcomes.reserveCapacity(drafts.count)
        var start = 0
        while start < drafts.count {
            if drafts[start].kind.isAmendment {
                outcomes.append(try amend(drafts[start], keys[drafts[start].conversation]))
                start += 1
            } else {
                let end = drafts[start...].firstIndex { $0.kind.isAmendment } ?? drafts.count
                let sends = PostgresSends(Array(drafts[start..<end]))
                outcomes += try sends.outcomes(try connection.execute(sends.store(keys, now, partitions)).rows)
                start = end
            }
        }
        return (outcomes, keys)
    }

    /// Makes conversations that are to get their first event, and locks all. Returns their keys; one that has nothing to
    /// amend is left out.
    private func prepare(_ drafts: [Draft], shares: Bool) throws(PostgresFailure) -> [ConversationID: Int64] {
        let conversations = Set(drafts.map(\.conversation))
        let names = conversations.map(\.text)
        var statements: [PostgresStatement] = []
        if shares { statements.append(PostgresLogStatements.share(PostgresBuckets.buckets(of: conversations))) }
        let sent = drafts.filter { !$0.kind.isAmendment }
        if !sent.isEmpty { statements.append(PostgresLogStatements.make(Set(sent.map(\.conversation)).map(\.text))) }
        statements.append(PostgresLogStatements.find(names))
        let found = try connection.pipeline(statements)
        var keys: [ConversationID: Int64] = [:]
        try PostgresLogStatements.read(found.last?.rows ?? [], into: &keys)
        _ = try connection.execute(PostgresLogStatements.lock(Array(keys.values)))
        return keys
    }

    /// Checks an amendment's target and notes the amendment; a recall erases the content and its edits.
    private func amend(_ draft: Draft, _ key: Int64?) throws(PostgresFailure) -> AppendOutcome {
        guard let key, let target = draft.target else { return .failure(Self.unknown) }
        // The conversation is locked: what comes later in this transaction sees what is there now.
        let found = try connection.pipeline([
            PostgresLogStatements.retry(draft, key, oldest: partitions.oldestRetries(now)),
            PostgresLogStatements.target(key, target),
        ])
        let sends = PostgresSends([draft])
        // A retry of what could not be done twice is a retry first.
        if !draft.clientId.isEmpty, !found[0].rows.isEmpty { return try sends.outcomes(found[0].rows)[0] }
        if let refusal = try refusal(found[1].rows.first) { return .failure(refusal) }
        var statements = draft.kind == .recall ? PostgresLogStatements.erase(key, target) : []
        statements.append(sends.store([draft.conversation: key], now, partitions))
        let outcome = try sends.outcomes(try connection.pipeline(statements).last?.rows ?? [])[0]
        if case .success(let receipt) = outcome {
            _ = try connection.execute(PostgresLogStatements.note(draft, key, target: target, receipt))
        }
        return outcome
    }

    private static let unknown = Fault(.unknownMessage, "there is no such message", field: "target")

    /// Why an event can't be amended, nil where it can.
    private func refusal(_ event: SQLRow?) throws(PostgresFailure) -> Fault? {
        guard let event else { return Self.unknown }
        do throws(Fault) {
            guard try event.eventKind("kind").isMessage else { return Self.unknown }
            return try event.flag("erased") ? Fault(.alreadyRecalled, "the message was recalled") : nil
        } catch {
            throw PostgresLogStatements.unreadable(error)
        }
    }
}
