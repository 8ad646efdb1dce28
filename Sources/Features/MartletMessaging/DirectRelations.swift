import MartletCore

/// What this feature asks of friendships and blocks.
package protocol DirectRelations: Sendable {
    /// Where the two stand, seen from `user`. A block counts before a friendship. Both accounts exist and are of one app.
    func relation(of user: UserID, to other: UserID) async throws(Fault) -> Relation
    /// The same for several at once; those who don't exist, or are of another app, are left out.
    func relations(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: Relation]
}
