import MartletCore

/// One page of a list, and where the next one begins.
package struct MessagingPage<Item: Sendable>: Sendable {
    package let items: [Item]
    /// Nil on the last page.
    package let nextCursor: String?

    package init(items: [Item], nextCursor: String?) {
        self.items = items
        self.nextCursor = nextCursor
    }

    /// A page of at most `limit` from `rows`, which holds one more where there is a further page.
    static func of(_ rows: [Item], limit: Int, cursor: (Item) -> String) -> MessagingPage {
        guard rows.count > limit else { return MessagingPage(items: rows, nextCursor: nil) }
        let items = Array(rows.prefix(limit))
        return MessagingPage(items: items, nextCursor: items.last.map(cursor))
    }

    func map<Other: Sendable>(_ transform: (Item) -> Other) -> MessagingPage<Other> {
        MessagingPage<Other>(items: items.map(transform), nextCursor: nextCursor)
    }
}

/// The cursor of a list that is ordered by a number: the last number of the page before.
enum NumberCursor {
    /// 0 for the first page.
    static func read(_ cursor: String?) throws(Fault) -> Int64 {
        guard let cursor else { return 0 }
        guard let number = Int64(cursor), number > 0, number <= maximumIdentifier else {
            throw .invalid("cursor", "not a cursor of this list")
        }
        return number
    }
}
