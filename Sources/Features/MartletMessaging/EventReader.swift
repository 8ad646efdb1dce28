import MartletCore
import MartletLog
import MartletWire

/// Turns what the log holds into what people see: messages in their present state, with their senders' names.
package struct EventReader: Sendable {
    private let users: any UserDirectory

    package init(users: any UserDirectory) { self.users = users }

    /// The events of pages, page by page; names are looked up once for all of them.
    package func outputs(_ pages: [LogPage]) async throws(Fault) -> [[EventOutput]] {
        let names = try await names(pages.flatMap(\.events))
        return pages.map { page in
            let folded = EventFolding.fold(page.amendments)
            return page.events.map { event in
                // What was recalled shows neither its edits nor its reactions.
                let state = event.body == nil ? EventFolding.State() : folded[event.seq] ?? EventFolding.State()
                return EventOutput(
                    event: event, name: Self.name(event, names), edited: state.edited, editedContent: state.content,
                    reactions: state.reactions)
            }
        }
    }

    /// The messages of a page in their present state, with their senders' names; those that were recalled are left out.
    package func messages(_ page: LogPage) async throws(Fault) -> [Event] {
        try await current(page).filter { $0.kind.isMessage && $0.body != nil }
    }

    /// All events of a page, its messages in their present state, with their senders' names.
    package func current(_ page: LogPage) async throws(Fault) -> [Event] {
        let folded = EventFolding.fold(page.amendments)
        return try await named(page.events).map { event in
            guard event.body != nil, let content = folded[event.seq]?.content else { return event }
            return Event(
                conversation: event.conversation, seq: event.seq, ordinal: event.ordinal, sender: event.sender,
                senderName: event.senderName, kind: event.kind, clientId: event.clientId, time: event.time,
                body: content, origin: event.origin)
        }
    }

    /// The same events with their senders' names, as sessions are pushed them.
    package func named(_ events: [Event]) async throws(Fault) -> [Event] {
        let names = try await names(events)
        return events.map { event in
            Event(
                conversation: event.conversation, seq: event.seq, ordinal: event.ordinal, sender: event.sender,
                senderName: Self.name(event, names), kind: event.kind, clientId: event.clientId, time: event.time,
                body: event.body, origin: event.origin)
        }
    }

    private func names(_ events: [Event]) async throws(Fault) -> [UserID: String] {
        let unnamed = Set(events.filter { $0.senderName.isEmpty && $0.sender != .system }.map(\.sender))
        guard !unnamed.isEmpty else { return [:] }
        return try await users.cards(Array(unnamed)).mapValues(\.name)
    }

    private static func name(_ event: Event, _ names: [UserID: String]) -> String {
        event.senderName.isEmpty ? names[event.sender] ?? "" : event.senderName
    }
}

/// Folds edits and reactions into the state of the messages that they are about.
enum EventFolding {
    struct State: Sendable {
        /// When it was edited last.
        var edited: Instant?
        /// The content since then.
        var content: [UInt8]?
        var reactions: [EventOutput.Reaction] = []
    }

    /// States by seq, of those events that have amendments, which come in the order of the log.
    static func fold(_ amendments: [Amendment]) -> [Int64: State] {
        var states: [Int64: State] = [:]
        for amendment in amendments {
            guard let body = amendment.body else { continue }
            var state = states[amendment.target] ?? State()
            switch amendment.kind {
            case .edit:
                guard let content = content(body) else { continue }
                state.edited = amendment.time
                state.content = content
            case .react: react(amendment.sender, body, &state.reactions)
            default: continue
            }
            states[amendment.target] = state
        }
        return states
    }

    private static func content(_ body: [UInt8]) -> [UInt8]? {
        guard case .object(let members) = try? JSONValue(parsing: body),
            let member = members.first(where: { $0.key == "content" })
        else { return nil }
        return Array(body[member.range])
    }

    /// Emojis stand in the order in which they first came, users in the order in which they set them.
    private static func react(_ user: UserID, _ body: [UInt8], _ reactions: inout [EventOutput.Reaction]) {
        guard let value = try? JSONValue(parsing: body), let emoji = value["emoji"]?.string, let on = value["on"]?.bool
        else { return }
        let index = reactions.firstIndex { $0.emoji == emoji }
        var users = index.map { reactions[$0].userIds } ?? []
        guard users.contains(user) != on else { return }
        if on { users.append(user) } else { users.removeAll { $0 == user } }
        switch (index, users.isEmpty) {
        case (.some(let index), true): reactions.remove(at: index)
        case (.some(let index), false): reactions[index] = EventOutput.Reaction(emoji: emoji, userIds: users)
        case (nil, true): return
        case (nil, false): reactions.append(EventOutput.Reaction(emoji: emoji, userIds: users))
        }
    }
}
