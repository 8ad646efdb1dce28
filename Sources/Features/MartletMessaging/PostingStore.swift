import MartletCore
import MartletSQL

/// The SQL of `posted_messages`.
struct PostingStore {
    let connection: any SQLConnection

    /// Notes that a message is posted under an id. False where that is a repeat: the id was used since `oldest`.
    func note(_ id: String, of app: AppID, since oldest: Instant, now: Instant) throws(Fault) -> Bool {
        // Without a look before, which would get in the way of others that post at the same time.
        let isNew =
            try connection.run(
                """
                INSERT INTO posted_messages (app, message_id, posted_at) VALUES (\(app), \(id), \(now))
                ON CONFLICT (app, message_id) DO NOTHING
                """) == 1
        guard !isNew else { return true }
        return try connection.run(
            """
            UPDATE posted_messages SET posted_at = \(now)
            WHERE app = \(app) AND message_id = \(id) AND posted_at <= \(oldest)
            """) == 1
    }

    /// Forgets ids that were used before `time`, at most `limit`. Returns how many went.
    func removeOld(before time: Instant, limit: Int) throws(Fault) -> Int {
        try connection.run(
            """
            DELETE FROM posted_messages WHERE (app, message_id) IN (
                SELECT app, message_id FROM posted_messages WHERE posted_at < \(time) LIMIT \(limit))
            """)
    }
}
