import MartletBus
import MartletCore
import MartletLog
import MartletMessaging
import MartletWire
import NIOCore

/// Who signed in.
package struct SessionUser: Sendable {
    package let caller: Caller
    package let username: String
    package let nickname: String
    /// When the token that let them in was made. Without one, whatever ended for this user ends this sign-in, too.
    package let issuedAt: Instant

    package init(caller: Caller, username: String, nickname: String, issuedAt: Instant = .distantPast) {
        self.caller = caller
        self.username = username
        self.nickname = nickname
        self.issuedAt = issuedAt
    }
}

/// Turns what somebody shows at the door into a caller.
package protocol SessionAuthenticator: Sendable {
    /// `address` is the client's, for rate limits.
    func signIn(_ signIn: SignIn, address: String, session: SessionID) async throws(Fault) -> SessionUser
    /// Throws where the sign-in was revoked since it was checked. Returns the user as they are now: a token may have an old name.
    func confirm(_ user: SessionUser) async throws(Fault) -> SessionUser
}

/// What clients without a memory come back to, and what they have got.
package protocol RosterSource: Sendable {
    /// `device` is the dialect's (`Manners.device`).
    func roster(of caller: Caller, device: String) async throws(Fault) -> Roster
    /// Remembers what was written to devices. Never goes back.
    func received(_ cursors: [ReceivedCursor]) async throws(Fault)
}

/// What the sessions follow, and what they missed.
package protocol ConversationSource: Sendable {
    /// The groups of a user.
    func groups(of user: UserID) async throws(Fault) -> [ConversationID]
    /// Events as they are pushed, with their senders' names, ascending, at most `limit`. `isCurrent`: messages in their present state, for those who
    /// get no edits.
    func events(
        _ conversation: ConversationID, from seq: Int64, through: Int64, limit: Int, isCurrent: Bool
    ) async throws(Fault) -> [Event]
    func sync(
        _ caller: Caller, cursors: [(ConversationID, Int64)], limit: Int, rooms: [ConversationID]
    ) async throws(Fault) -> SyncResult
    /// The direct conversations of these users.
    func directs(of users: [UserID]) async throws(Fault) -> [ConversationID]
    /// Throws where the caller may not enter the room. Returns its newest seq.
    func enter(_ caller: Caller, _ room: ConversationID) async throws(Fault) -> Int64
}

/// Decides who may write where.
package protocol WriteRights: Sendable {
    func sendRight(_ caller: Caller, _ conversation: ConversationID) async throws(Fault) -> SendRight
}

/// Who has a command run.
package struct Requester: Sendable {
    /// Nil where nobody has signed in yet.
    package let caller: Caller?
    /// The client's, for rate limits.
    package let address: String
}

/// Runs those commands of a dialect that have nothing to do with the session itself.
package protocol CommandRunner: Sendable {
    /// `command` is the dialect's number for it (`Ticket.command`). Returns what the dialect's `answer` takes.
    func run(_ command: UInt8, by requester: Requester, data: [UInt8]) async throws(Fault) -> [UInt8]
}

/// A dialect that the server speaks: its registration.
package struct SpokenDialect: Sendable {
    package let dialect: any Dialect
    package let runner: any CommandRunner
    /// For one on bare TCP: 0 takes a free port.
    package let port: Int?
    /// Where the port is taken, any other will do.
    package let takesAnyPort: Bool

    package init(_ dialect: any Dialect, runner: any CommandRunner, port: Int? = nil, takesAnyPort: Bool = false) {
        self.dialect = dialect
        self.runner = runner
        self.port = port
        self.takesAnyPort = takesAnyPort
    }

    /// Of one over WebSocket.
    var path: String? { if case .webSocket(let path) = dialect.transport { path } else { nil } }
}

/// Hears of users who come and go.
package protocol PresenceAnnouncer: Sendable {
    func announce(_ user: UserID, online: Bool) async
}

/// Serves what is not a session.
package protocol HTTPEdge: Sendable {
    /// Adds HTTP's handlers to a channel, on its loop. `claimed` is whom a trusted proxy's PROXY header names as its other end. The returned work serves the channel until it closes, and ends early when it is cancelled.
    func adopt(_ channel: any Channel, claimed: IPAddress?) -> EventLoopFuture<@Sendable () async -> Void>
}

/// All that the gateway leans on.
package final class GatewayServices: Sendable {
    package let log: any EventLog
    package let broker: any Broker
    package let presence: any Presence
    package let presenceWriter: any PresenceWriter
    package let limiter: any RateLimiter
    package let clock: any TimeSource
    package let authenticator: any SessionAuthenticator
    package let conversations: any ConversationSource
    package let rights: any WriteRights
    /// At most `GatewayConfiguration.dialects`; the first is the one of connections that have not said theirs.
    package let dialects: [SpokenDialect]
    package let rosters: any RosterSource
    package let announcer: any PresenceAnnouncer
    package let http: any HTTPEdge
    package let departure: Departure

    package init(
        log: any EventLog, broker: any Broker, presence: any Presence, presenceWriter: any PresenceWriter,
        limiter: any RateLimiter,
        clock: any TimeSource, authenticator: any SessionAuthenticator, conversations: any ConversationSource,
        rights: any WriteRights,
        dialects: [SpokenDialect], rosters: any RosterSource, announcer: any PresenceAnnouncer, http: any HTTPEdge,
        departure: Departure = Departure()
    ) {
        self.log = log
        self.broker = broker
        self.presence = presence
        self.presenceWriter = presenceWriter
        self.limiter = limiter
        self.clock = clock
        self.authenticator = authenticator
        self.conversations = conversations
        self.rights = rights
        self.dialects = dialects
        self.rosters = rosters
        self.announcer = announcer
        self.http = http
        self.departure = departure
    }
}
