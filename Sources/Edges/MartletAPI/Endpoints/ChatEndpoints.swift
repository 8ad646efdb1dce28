import MartletCore
import MartletMessaging
import MartletWire

/// Messages and conversations: the protocol's table "Chat". Inputs and outputs are in `ChatMessages.swift`.
package struct ChatEndpoints: Sendable {
    private let messages: Messages
    private let history: History
    private let cursors: Cursors
    private let conversations: Conversations

    package init(messages: Messages, history: History, cursors: Cursors, conversations: Conversations) {
        self.messages = messages
        self.history = history
        self.cursors = cursors
        self.conversations = conversations
    }

    package var all: [Endpoint] { writing + following }

    private var writing: [Endpoint] {
        let tag = "Chat"
        return [
            Endpoint(.post, "/api/chat/send", tag: tag, "Send a message", send),
            Endpoint(.post, "/api/chat/edit", tag: tag, "Edit a text message of one's own", command: .edit, edit),
            Endpoint(.post, "/api/chat/recall", tag: tag, "Take a message back", command: .recall, recall),
            Endpoint(.post, "/api/chat/react", tag: tag, "Set a reaction or take it back", command: .react, react),
        ]
    }

    private var following: [Endpoint] {
        let tag = "Chat"
        return [
            Endpoint(.get, "/api/chat/messages", tag: tag, "Read a conversation", command: .history, readHistory),
            Endpoint(.put, "/api/chat/read", tag: tag, "Mark as read up to an event", command: .read, markRead),
            Endpoint(.put, "/api/chat/ack", tag: tag, "Mark as received up to an event", command: .ack, acknowledge),
            Endpoint(.get, "/api/chat/conversations", tag: tag, "List one's conversations", list),
            Endpoint(.put, "/api/chat/conversation", tag: tag, "Pin, mute or hide a conversation", set),
            Endpoint(.get, "/api/chat/cursors", tag: tag, "List how far everybody has read", listCursors),
        ]
    }

    // MARK: Writing

    @Sendable
    private func send(_ caller: Caller, _ input: SendInput) async throws(Fault) -> SendOutput {
        let sent = try await messages.send(
            caller, to: input.destination, clientId: input.clientId, kind: input.kind, content: input.content)
        return SendOutput(conversation: sent.conversation, receipt: sent.receipt)
    }

    @Sendable
    private func edit(_ caller: Caller, _ input: EditInput) async throws(Fault) -> SeqOutput {
        let receipt = try await messages.edit(
            caller, input.conversation, target: input.target, clientId: input.clientId, content: input.content)
        return SeqOutput(seq: receipt.seq)
    }

    @Sendable
    private func recall(_ caller: Caller, _ input: RecallInput) async throws(Fault) -> SeqOutput {
        let receipt = try await messages.recall(
            caller, input.conversation, target: input.target, clientId: input.clientId)
        return SeqOutput(seq: receipt.seq)
    }

    @Sendable
    private func react(_ caller: Caller, _ input: ReactInput) async throws(Fault) -> SeqOutput {
        let receipt = try await messages.react(
            caller, input.conversation, target: input.target, emoji: input.emoji, on: input.on, clientId: input.clientId
        )
        return SeqOutput(seq: receipt.seq)
    }

    // MARK: Following

    @Sendable
    private func readHistory(_ caller: Caller, _ input: HistoryInput) async throws(Fault) -> HistoryOutput {
        HistoryOutput(page: try await history.page(caller, input.conversation, input.position, limit: input.limit))
    }

    @Sendable
    private func markRead(_ caller: Caller, _ input: CursorInput) async throws(Fault) -> ReadOutput {
        let state = try await cursors.read(caller, input.conversation, seq: input.seq)
        return ReadOutput(readSeq: state.readSeq, unread: state.unread)
    }

    @Sendable
    private func acknowledge(_ caller: Caller, _ input: CursorInput) async throws(Fault) -> EmptyOutput {
        try await cursors.ack(caller, input.conversation, seq: input.seq)
        return EmptyOutput()
    }

    @Sendable
    private func list(_ caller: Caller, _ input: PageInput) async throws(Fault) -> PageOutput<ConversationOutput> {
        let page = try await conversations.list(caller, limit: input.limit, cursor: input.cursor)
        return PageOutput(page) { ConversationOutput(summary: $0) }
    }

    @Sendable
    private func set(_ caller: Caller, _ input: SettingsInput) async throws(Fault) -> SettingsOutput {
        let settings = try await conversations.set(caller, input.conversation, input.change)
        return SettingsOutput(conversation: input.conversation, settings: settings)
    }

    @Sendable
    private func listCursors(_ caller: Caller, _ input: CursorsInput) async throws(Fault) -> PageOutput<CursorOutput> {
        let page = try await cursors.list(
            caller, input.conversation, limit: input.page.limit, cursor: input.page.cursor)
        return PageOutput(page) { CursorOutput(cursor: $0) }
    }
}
