import MartletCore
import MartletSQL

/// The statements of an append.
enum PostgresLogStatements {
    /// What a connection that appends is told once. Each statement's plan is made once, and never reads a table from
    /// end to end, however small the planner believes it to be: it will have grown by the time the plan is used.
    static let session = [
        "SET plan_cache_mode = force_generic_plan", "SET enable_seqscan = off",
        "SET default_transaction_isolation = 'read committed'",
    ].map { (text: String) in PostgresStatement(text: text, isKept: false) }

    // MARK: Conversations

    private static let makeMissing = """
        INSERT INTO log_conversations (name)
        SELECT n.name FROM unnest($1::text[]) AS n (name)
        WHERE NOT EXISTS (SELECT 1 FROM log_conversations c WHERE c.name = n.name) ORDER BY n.name COLLATE "C"
        ON CONFLICT (name) DO NOTHING
        """

    /// Makes the conversations that are not there yet. In the order of their names, so that two who make the same ones
    /// do not wait for one another in a circle.
    static func make(_ names: [String]) -> PostgresStatement { PostgresStatement(text: makeMissing, [.texts(names)]) }

    /// Returns `id` and `name` of conversations that are there.
    static func find(_ names: [String]) -> PostgresStatement {
        PostgresStatement(text: "SELECT id, name FROM log_conversations WHERE name = ANY ($1::text[])", [.texts(names)])
    }

    /// Notes what `find` returned.
    static func read(_ rows: [SQLRow], into keys: inout [ConversationID: Int64]) throws(PostgresFailure) {
        do throws(Fault) {
            for row in rows { keys[try row.conversation("name")] = try row.integer("id") }
        } catch {
            throw unreadable(error)
        }
    }

    /// A row that is not what the statement says: our own mistake or a damaged database.
    static func unreadable(_ fault: Fault) -> PostgresFailure {
        PostgresFailure(.refused, fault.cause ?? fault.message)
    }

    /// Shares the buckets' locks until the transaction's end.
    ///
    /// - Parameter buckets: ascending.
    static func share(_ buckets: [Int32]) -> PostgresStatement {
        PostgresStatement(
            text: "SELECT count(pg_advisory_xact_lock_shared(\(PostgresLock.space), b)) FROM unnest($1::int4[]) AS b",
            [.mediumIntegers(buckets)])
    }

    /// Locks conversations, always in the order of their ids.
    static func lock(_ keys: [Int64]) -> PostgresStatement {
        PostgresStatement(
            text: "SELECT id FROM log_conversations WHERE id = ANY ($1::int8[]) ORDER BY id FOR UPDATE",
            [.integers(keys)])
    }

    // MARK: Sends

    /// One row for each draft, in their order: `seq`, `ordinal`, `time`, and the `digest` of an earlier send with the
    /// same clientId, where there is one: then nothing was stored, and the rest is that one's.
    static let store = """
        WITH drafts AS MATERIALIZED (
            SELECT d.*, r.seq AS earlier, r.ordinal AS earlier_ordinal, r.time AS earlier_time, r.digest AS earlier_digest
            FROM unnest($1::int8[], $2::int8[], $3::int2[], $4::text[], $5::int8[], $6::bytea[])
                WITH ORDINALITY AS d (conversation, sender, kind, client_id, digest, body, place)
            LEFT JOIN LATERAL (
                SELECT seq, ordinal, time, digest FROM log_retries
                WHERE client_id = d.client_id AND sender = d.sender AND conversation = d.conversation
                    AND part >= $8::int8 AND d.client_id <> '' ORDER BY part DESC LIMIT 1) r ON true
        ), stored AS MATERIALIZED (
            SELECT n.*, nextval('log_ordinals') AS ordinal FROM (
                SELECT d.place, d.conversation, d.sender, d.kind, d.client_id, d.digest, d.body,
                    c.last_seq + row_number() OVER (PARTITION BY d.conversation ORDER BY d.place) AS seq,
                    greatest(c.last_time, $7::int8) AS time
                FROM drafts d JOIN log_conversations c ON c.id = d.conversation
                WHERE d.earlier IS NULL ORDER BY d.place) n
        ), events AS (
            INSERT INTO log_events (part, conversation, seq, ordinal, time, sender, kind, client_id, body)
            SELECT 1 + time / $9::int8, conversation, seq, ordinal, time, sender, kind, client_id, body FROM stored
        ), retries AS (
            INSERT INTO log_retries (part, client_id, sender, conversation, seq, ordinal, time, digest)
            SELECT 1 + time / \(PostgresPartitions.day), client_id, sender, conversation, seq, ordinal, time, digest
            FROM stored WHERE client_id <> ''
        ), conversations AS (
            UPDATE log_conversations c SET last_seq = s.seq, last_time = s.time
            FROM (SELECT conversation, max(seq) AS seq, max(time) AS time FROM stored GROUP BY conversation) s
            WHERE c.id = s.conversation
        )
        SELECT coalesce(s.seq, d.earlier) AS seq, coalesce(s.ordinal, d.earlier_ordinal) AS ordinal,
            coalesce(s.time, d.earlier_time) AS time, d.earlier_digest AS digest
        FROM drafts d LEFT JOIN stored s ON s.place = d.place ORDER BY d.place
        """

    /// Returns the `place` of those repeated sends whose events are there and not recalled.
    static func alive(_ keys: [Int64], _ receipts: [Receipt], period: Int64) -> PostgresStatement {
        PostgresStatement(
            text: """
                SELECT r.place FROM unnest($1::int8[], $2::int8[], $3::int8[]) WITH ORDINALITY AS r (conversation, seq, part, place)
                JOIN log_events e ON e.conversation = r.conversation AND e.seq = r.seq AND e.part = r.part
                WHERE e.body IS NOT NULL ORDER BY r.place
                """,
            [
                .integers(keys), .integers(receipts.map(\.seq)),
                .integers(receipts.map { PostgresPartitions.part(of: $0.time, period: period) }),
            ])
    }

    // MARK: Amendments

    /// Returns `kind` and `erased` of an event that is not trimmed away.
    static func target(_ key: Int64, _ seq: Int64) -> PostgresStatement {
        PostgresStatement(
            text: """
                SELECT e.kind, e.body IS NULL AS erased FROM log_events e JOIN log_conversations c ON c.id = e.conversation
                WHERE e.conversation = $1::int8 AND e.seq = $2::int8 AND e.seq >= c.first_seq
                """,
            [.integer(key), .integer(seq)])
    }

    /// Returns the record of a send within the window.
    static func retry(_ draft: Draft, _ key: Int64, oldest: Int64) -> PostgresStatement {
        PostgresStatement(
            text: """
                SELECT seq, ordinal, time, digest FROM log_retries
                WHERE client_id = $1::text AND sender = $2::int8 AND conversation = $3::int8 AND part >= $4::int8
                ORDER BY part DESC LIMIT 1
                """,
            [.text(draft.clientId), .integer(draft.sender.value), .integer(key), .integer(oldest)])
    }

    /// Takes the content of an event and of its edits away.
    static func erase(_ key: Int64, _ target: Int64) -> [PostgresStatement] {
        let edit = EventKind.edit.rawValue
        return [
            """
            UPDATE log_events SET body = NULL WHERE conversation = $1::int8 AND (seq = $2::int8 OR seq IN (
                SELECT seq FROM log_amendments WHERE conversation = $1::int8 AND target = $2::int8 AND kind = \(edit)))
            """,
            """
            UPDATE log_amendments SET body = NULL WHERE conversation = $1::int8 AND target = $2::int8 AND kind = \(edit)
            """,
        ].map { (text: String) in PostgresStatement(text: text, [.integer(key), .integer(target)]) }
    }

    static func note(_ draft: Draft, _ key: Int64, target: Int64, _ receipt: Receipt) -> PostgresStatement {
        PostgresStatement(
            text: """
                INSERT INTO log_amendments (conversation, target, seq, ordinal, kind, sender, time, body)
                VALUES ($1::int8, $2::int8, $3::int8, $4::int8, $5::int8, $6::int8, $7::int8, $8::bytea)
                """,
            [
                .integer(key), .integer(target), .integer(receipt.seq), .integer(receipt.ordinal),
                .integer(Int64(draft.kind.rawValue)), .integer(draft.sender.value),
                .integer(receipt.time.milliseconds), .blob(draft.body),
            ])
    }
}

extension PostgresConnection {
    /// Runs `work` in a transaction, which is undone where it throws.
    func transaction<Value>(
        _ work: () throws(PostgresFailure) -> Value
    ) throws(PostgresFailure) -> Value {
        _ = try execute("BEGIN")
        do throws(PostgresFailure) {
            let value = try work()
            _ = try execute("COMMIT")
            return value
        } catch {
            // A connection that can't even do this is of no use.
            if isUsable, (try? execute("ROLLBACK")) == nil { close() }
            throw error
        }
    }
}
