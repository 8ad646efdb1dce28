import MartletCore
import MartletLog
import MartletWire

/// A page of a conversation.
package struct HistoryPage: Sendable {
    /// Ascending.
    package let items: [EventOutput]
    /// The next `before` or `after`; nil where there is no more in that direction.
    package let nextCursor: Int64?
    /// The oldest event that the caller may read.
    package let firstSeq: Int64
    /// The newest event.
    package let lastSeq: Int64
}

/// Where a page of history lies.
package enum HistoryPosition: Sendable, Equatable {
    case newest
    /// Older ones than this, which is not included.
    case before(Int64)
    /// Newer ones than this, which is not included.
    case after(Int64)
}

/// Reads conversations page by page.
package struct History: Sendable {
    private let access: ConversationAccess
    private let log: any EventLog
    private let reader: EventReader

    package init(access: ConversationAccess, log: any EventLog, reader: EventReader) {
        self.access = access
        self.log = log
        self.reader = reader
    }

    /// Members of a group read it from their joining on.
    package func page(
        _ caller: Caller, _ conversation: ConversationID, _ position: HistoryPosition, limit: Int
    ) async throws(Fault) -> HistoryPage {
        let view = try await access.allowed(.read, caller, conversation)
        let (lower, upper) = Self.range(position, from: view.firstSeq)
        guard lower <= upper else { return try await empty(conversation, view) }
        let isForward = if case .after = position { true } else { false }
        let page = try await log.read(conversation, lower...upper, limit: limit, newest: !isForward)
        let firstSeq = max(page.bounds.first, view.firstSeq)
        let items = try await reader.outputs([page]).first ?? []
        let next = isForward ? page.events.last?.seq : page.events.first?.seq
        let hasMore = next.map { isForward ? $0 < page.bounds.last : $0 > firstSeq } ?? false
        return HistoryPage(
            items: items, nextCursor: hasMore ? next : nil, firstSeq: firstSeq, lastSeq: page.bounds.last)
    }

    private static func range(_ position: HistoryPosition, from first: Int64) -> (lower: Int64, upper: Int64) {
        switch position {
        case .newest: (first, maximumIdentifier)
        case .before(let seq): (first, seq - 1)
        case .after(let seq): (max(first, seq + 1), maximumIdentifier)
        }
    }

    private func empty(_ conversation: ConversationID, _ view: ConversationAccess.View) async throws(Fault)
        -> HistoryPage
    {
        let bounds = try await log.bounds([conversation])[conversation] ?? .empty
        return HistoryPage(items: [], nextCursor: nil, firstSeq: max(bounds.first, view.firstSeq), lastSeq: bounds.last)
    }
}
