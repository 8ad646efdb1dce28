import MartletCore

/// A message that was looked at.
package struct CommandHead: Sendable, Equatable {
    package enum Access: Sendable, Equatable {
        case anyone
        /// Only behind a login.
        case user
    }

    package let ticket: Ticket
    package let access: Access
    /// Where the command's data stands, for the dialect itself.
    package let body: Range<Int>?

    package init(_ ticket: Ticket, _ access: Access, body: Range<Int>?) {
        self.ticket = ticket
        self.access = access
        self.body = body
    }
}

/// A message that says no command.
package struct UnreadableMessage: Error {
    package let ticket: Ticket
    package let fault: Fault

    package init(_ ticket: Ticket, _ fault: Fault) {
        self.ticket = ticket
        self.fault = fault
    }
}

/// What a client asks for, in the words that all dialects share.
package enum Command: Sendable {
    indirect case signIn(SignIn)
    /// The session ends, the connection stays.
    case signOut
    /// Answered at once, with this.
    case answer([UInt8]?)
    case send(Submission)
    /// Brings the client up to date behind its cursors.
    case sync(cursors: [(ConversationID, Int64)], limit: Int)
    case typing(ConversationID)
    case enter(ConversationID)
    case exit(ConversationID)
    /// Everything else leaves the loop: the dialect's runner does it.
    case run(data: [UInt8])
}

/// A message to store.
package struct Submission: Sendable {
    package enum Target: Sendable, Equatable {
        case conversation(ConversationID)
        /// The direct conversation with this user.
        case user(UserID)
    }

    package let target: Target
    package let kind: EventKind
    /// Empty where the dialect's clients don't name their sends: then a repeat is a second message.
    package let clientId: String
    /// An object's JSON, not checked yet.
    package let content: [UInt8]

    package init(target: Target, kind: EventKind, clientId: String, content: [UInt8]) {
        self.target = target
        self.kind = kind
        self.clientId = clientId
        self.content = content
    }
}

/// Somebody who wants to come in.
package struct SignIn: Sendable {
    package enum Credentials: Sendable, Equatable {
        case token(String)
        /// A guest of a name that others may have, too.
        case guest(String)
        /// The guest of this name, the same one at each sign-in.
        case namedGuest(String)
        case number(UserID, password: String)
    }

    /// What the session gets from its beginning on.
    package enum Start: Sendable, Equatable {
        /// What is sent from now on.
        case live
        /// Nothing before the first sync is answered.
        case afterSync
        /// As `live`, and what is said in a room: the answer comes once the session is in it.
        case room(ConversationID)
        /// What it has missed, which comes with the answer and behind it.
        case roster
    }

    package let credentials: Credentials
    package let device: DeviceKind?
    package let app: AppID?
    package let start: Start

    package init(_ credentials: Credentials, device: DeviceKind? = nil, app: AppID? = nil, start: Start = .live) {
        self.credentials = credentials
        self.device = device
        self.app = app
        self.start = start
    }
}
