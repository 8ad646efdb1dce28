import HummingbirdCore
import Logging
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletMessaging
import MartletSocial
import MartletWire
import NIOCore

// What joins modules that do not know one another: small protocols that the one owns, and the other fulfils.

/// Accounts let sessions in.
struct AccountAuthenticator: SessionAuthenticator, TokenAuthenticator {
    let accounts: Accounts
    let tokens: AccessTokens
    let revocations: Revocations
    let users: any UserDirectory
    let clock: any TimeSource

    /// The name is today's, not the token's. Where it cannot be looked up, the token's will do.
    func caller(from token: String, trace: String) async throws(Fault) -> Caller {
        let caller = try await tokens.caller(from: token, trace: trace)
        guard let card = try? await users.card(caller.user) else { return caller }
        return caller.named(card.name)
    }

    func signIn(_ signIn: SignIn, address: String, session: SessionID) async throws(Fault) -> SessionUser {
        switch signIn.credentials {
        case .token(let token): return try await self.signIn(token: token, device: signIn.device, session: session)
        case .guest(let name):
            let card = try await accounts.guest(name: name, app: signIn.app, address: address)
            return Self.signedIn(card, signIn.device, session)
        case .namedGuest(let name):
            guard let app = signIn.app else { throw .missing("appId") }
            let now = clock.now
            let card = try await accounts.namedGuest(name, app: app, address: address)
            return Self.signedIn(card, signIn.device, session, at: now)
        case .number(let number, let password):
            let now = clock.now
            let account = try await accounts.signIn(
                number: number, password: password, app: signIn.app, address: address)
            return Self.signedIn(account.card, signIn.device ?? .desktop, session, at: now)
        }
    }

    private func signIn(token: String, device: DeviceKind?, session: SessionID) async throws(Fault) -> SessionUser {
        let identity = try await tokens.identity(from: token)
        let caller = Caller(
            user: identity.user, app: identity.app, role: identity.role, device: device ?? identity.device,
            family: identity.family,
            session: session, name: identity.name, trace: session.text)
        return SessionUser(
            caller: caller, username: identity.username, nickname: identity.name, issuedAt: identity.issuedAt)
    }

    private static func signedIn(
        _ card: UserCard, _ device: DeviceKind?, _ session: SessionID, at time: Instant = .distantPast
    ) -> SessionUser {
        let caller = Caller(
            user: card.id, app: card.app, role: card.role, device: device ?? .web, session: session, name: card.name,
            trace: session.text)
        return SessionUser(
            caller: caller, username: card.username, nickname: card.nickname, issuedAt: time)
    }

    func confirm(_ user: SessionUser) async throws(Fault) -> SessionUser {
        let caller = user.caller
        guard !revocations.isRevoked(caller.user, family: caller.family, issuedAt: user.issuedAt) else {
            throw Self.ended
        }
        guard caller.role != .guest else { return user }
        // From the store, not from memory: a change is told to sessions a moment before the memory forgets what was.
        guard let card = try await accounts.card(of: caller) else { throw Self.ended }
        return SessionUser(
            caller: caller.named(card.name), username: card.username, nickname: card.nickname, issuedAt: user.issuedAt)
    }

    private static let ended = Fault(.invalidToken, "this sign-in has ended")
}

/// The messaging feature tells sessions what to follow and what they missed.
struct MessagingSource: ConversationSource, WriteRights {
    let log: any EventLog
    let access: ConversationAccess
    let groups: Groups
    let rooms: Rooms
    let syncing: Sync
    let reader: EventReader

    func groups(of user: UserID) async throws(Fault) -> [ConversationID] { try await groups.groupsOf(user) }

    func directs(of users: [UserID]) async throws(Fault) -> [ConversationID] { try await syncing.directs(of: users) }

    func events(
        _ conversation: ConversationID, from seq: Int64, through: Int64, limit: Int, isCurrent: Bool
    ) async throws(Fault) -> [Event] {
        guard seq <= through else { return [] }
        let page = try await log.read(conversation, seq...through, limit: limit, newest: false)
        return isCurrent ? try await reader.current(page) : try await reader.named(page.events)
    }

    func sync(
        _ caller: Caller, cursors: [(ConversationID, Int64)], limit: Int, rooms: [ConversationID]
    ) async throws(Fault) -> SyncResult {
        try await syncing.sync(caller, cursors: cursors, limit: limit, rooms: rooms)
    }

    func enter(_ caller: Caller, _ room: ConversationID) async throws(Fault) -> Int64 {
        try rooms.requireEntry(caller, room)
        return try await log.bounds([room])[room]?.last ?? 0
    }

    func sendRight(_ caller: Caller, _ conversation: ConversationID) async throws(Fault) -> SendRight {
        try await access.sendRight(caller, conversation)
    }
}

/// Endpoints serve as commands.
struct EndpointCommands: CommandRunner {
    let table: CommandTable

    func run(_ command: UInt8, by requester: Requester, data: [UInt8]) async throws(Fault) -> [UInt8] {
        guard let caller = requester.caller else { throw Fault(.notSignedIn, "sign in first") }
        return try await table.run(NativeCommandName(rawValue: command) ?? .unknown, caller: caller, data: data)
    }
}

/// Friends hear of one another's coming and going.
struct FriendAnnouncer: PresenceAnnouncer {
    let friends: Friends
    let broker: any Broker
    let logger: Logger

    func announce(_ user: UserID, online: Bool) async {
        do throws(Fault) {
            let ids = try await friends.friendIds(of: user)
            if !ids.isEmpty { broker.post(.presence(user, online: online, to: ids)) }
        } catch {
            logger.warning("presence not announced", metadata: ["cause": "\(error.cause ?? error.message)"])
        }
    }
}

/// Friendships and blocks decide who may write directly.
struct SocialRelations: DirectRelations {
    let friends: Friends

    func relation(of user: UserID, to other: UserID) async throws(Fault) -> Relation {
        try await friends.relation(of: user, to: other)
    }

    func relations(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: Relation] {
        try await friends.relations(of: user, to: others)
    }
}

/// Hummingbird's HTTP/1 serves what is not a session.
struct HummingbirdEdge: HTTPEdge {
    let router: APIRouter
    let logger: Logger

    func adopt(_ channel: any Channel, claimed: IPAddress?) -> EventLoopFuture<@Sendable () async -> Void> {
        router.adopt(channel, claimed: claimed, logger: logger)
    }
}
