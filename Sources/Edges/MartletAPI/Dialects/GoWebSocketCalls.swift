import MartletCore
import MartletWire

/// What the HTTP calls of the gowebsocket dialect need of the features. Each call throws `not_allowed` where this
/// caller may not.
package protocol GoWebSocketCalls: Sendable {
    /// Whom a credential stands for: an API key or an access token. Without one: `anyone` where the operator opened the
    /// calls, else throws `not_signed_in`. Throws `invalid_token` for one that is no good.
    func caller(credential: String?, from visitor: Visitor) async throws(Fault) -> Poster
    /// Who is in the room of an app.
    func people(in app: AppID, for caller: Poster) async throws(Fault) -> GoWebSocketPeople
    /// Whether the person of this name has a session. False for a name that nobody has.
    func isOnline(_ userId: String, in app: AppID, for caller: Poster) async throws(Fault) -> Bool
    /// Stores and pushes a message. Making the guest who speaks may take from the visitor's rate.
    func send(
        _ posting: GoWebSocketPosting, by caller: Poster, from visitor: Visitor
    ) async throws(Fault) -> GoWebSocketSent
    /// Messages of an app's room, older than `before` where that is given: the newest `limit` of those.
    func history(
        of app: AppID, before: Int64?, limit: Int, for caller: Poster
    ) async throws(Fault) -> GoWebSocketHistory
    /// How this node fares. `includesLists` asks also for who is connected; it is true only for who may know.
    func state(includesLists: Bool) async throws(Fault) -> GoWebSocketState
}

/// A message that is to be sent.
package struct GoWebSocketPosting: Sendable, Equatable {
    package enum Target: Sendable, Equatable {
        /// Everybody in the app's room but the sender.
        case room
        /// The person of this name.
        case person(String)
        /// Another conversation that the sender may write to.
        case conversation(ConversationID)
    }

    package let app: AppID
    package let target: Target
    /// The sender's name. Nil where none was given: then an account speaks as itself, and to a person the message comes
    /// from that person, as it did in the old server.
    package let sender: String?
    /// The caller's name for the message, at most `GoWebSocketMessage.maximumMsgIdBytes`. An empty one names nothing.
    package let msgId: String
    package let message: GoWebSocketMessage
}

/// What became of a message.
package enum GoWebSocketSent: Sendable, Equatable {
    case stored
    /// The recipient is not there, and nothing was stored.
    case offline
    /// A message of this `msgId` was sent before: this one is not.
    case repeated
}

/// Who is in a room.
package struct GoWebSocketPeople: Sendable, Equatable {
    package let names: [String]
    /// More than the names where the room is large.
    package let count: Int

    package init(names: [String], count: Int) {
        self.names = names
        self.count = count
    }
}

/// A page of a room's messages.
package struct GoWebSocketHistory: Sendable {
    /// Ascending, with their senders' names.
    package let messages: [Event]
    /// The next `before`; nil where nothing is older.
    package let next: Int64?

    package init(messages: [Event], next: Int64?) {
        self.messages = messages
        self.next = next
    }
}

/// What the old server told about its inside, as far as this one has it.
package struct GoWebSocketState: Sendable, Equatable {
    /// Who is connected.
    package struct Lists: Sendable, Equatable {
        /// `address:port` of each connection.
        package let clients: [String]
        /// `<appId>_<userId>`.
        package let users: [String]

        package init(clients: [String], users: [String]) {
            self.clients = clients
            self.users = users
        }
    }

    /// Connections, with and without a login.
    package let clientCount: Int
    /// Sessions with a login.
    package let userCount: Int
    package let processors: Int
    /// What this server has in place of the old one's goroutines: its threads.
    package let threads: Int
    package let lists: Lists?

    package init(clientCount: Int, userCount: Int, processors: Int, threads: Int, lists: Lists? = nil) {
        self.clientCount = clientCount
        self.userCount = userCount
        self.processors = processors
        self.threads = threads
        self.lists = lists
    }
}
