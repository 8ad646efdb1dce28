import MartletCore

/// Whom a request is for: by number or by name.
package enum FriendReference: Sendable {
    case id(UserID)
    case username(String)
}

/// What came of asking.
package struct RequestOutcome: Sendable, Equatable {
    package let id: Int64
    /// The other side had asked already: both are friends.
    package let isAccepted: Bool
}

/// Somebody's friend, as they see them.
package struct Friend: Sendable {
    package let card: UserCard
    package let remark: String
    package let isOnline: Bool
}

/// A request that waits for an answer.
package struct FriendRequest: Sendable {
    package let id: Int64
    /// Who asks.
    package let card: UserCard
    package let message: String
    package let time: Instant

    init(row: FriendStore.RequestRow, card: UserCard) {
        id = row.id
        self.card = card
        message = row.message
        time = row.time
    }
}

/// A part of a list. The next part begins behind `last`.
package struct FriendPage<Item: Sendable>: Sendable {
    package let items: [Item]
    package let hasMore: Bool

    /// `rows` has one more than `limit` where there is a next page. Rows of accounts that are gone are left out.
    init<Row>(_ rows: [Row], limit: Int, _ item: (Row) -> Item?) {
        items = rows.prefix(limit).compactMap(item)
        hasMore = rows.count > limit
    }
}
