import Foundation
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletMessaging
import MartletWeb
import MartletWire
import Synchronization

/// The HTTP calls of the gowebsocket dialect, from the features that do them.
struct GoWebSocketAdapter: GoWebSocketCalls {
    let features: Features
    let authenticator: any TokenAuthenticator
    let presence: any Presence
    /// Nobody needs a key.
    let isOpen: Bool
    let gateway: GatewayReference

    // More people are counted, and not named.
    private static let namedPeople = 1000

    func caller(credential: String?, from visitor: Visitor) async throws(Fault) -> Poster {
        guard let credential else {
            guard isOpen else { throw Fault(.notSignedIn, "a key or a token is expected") }
            return .anyone
        }
        if APIKeys.canBeKey(credential) { return .backend(app: try await features.apiKeys.check(credential).app) }
        return .account(try await authenticator.caller(from: credential, trace: visitor.trace))
    }

    func people(in app: AppID, for caller: Poster) async throws(Fault) -> GoWebSocketPeople {
        let people = try await features.rooms.people(
            in: .room(app, nil), limit: Self.namedPeople, for: caller)
        return GoWebSocketPeople(names: people.cards.map(\.username), count: people.count)
    }

    func isOnline(_ userId: String, in app: AppID, for caller: Poster) async throws(Fault) -> Bool {
        try Policy.requireWorldRoom(of: app, for: caller)
        guard let card = try await features.accounts.person(named: userId, app: app) else { return false }
        return await presence.online(among: [card.id]).contains(card.id)
    }

    // MARK: Sending

    func send(
        _ posting: GoWebSocketPosting, by caller: Poster, from visitor: Visitor
    ) async throws(Fault) -> GoWebSocketSent {
        // Before anybody is looked up or made.
        try Policy.requireWorldRoom(of: posting.app, for: caller)
        guard case .person(let name) = posting.target else {
            let sender = try await sender(posting, caller, visitor, instead: nil)
            return try await post(posting, from: sender, to: Self.target(posting), caller)
        }
        guard let recipient = try await features.accounts.person(named: name, app: posting.app) else {
            return .offline
        }
        let isGuest = recipient.role == .guest
        // A guest who has gone may come back as somebody else: nothing is kept for them.
        if isGuest, await !presence.online(among: [recipient.id]).contains(recipient.id) { return .offline }
        let sender = try await sender(posting, caller, visitor, instead: recipient)
        return try await post(posting, from: sender, to: .user(recipient), caller)
    }

    private static func target(_ posting: GoWebSocketPosting) -> PostingTarget {
        if case .conversation(let conversation) = posting.target { return .conversation(conversation) }
        return .room
    }

    private func post(
        _ posting: GoWebSocketPosting, from sender: UserCard, to target: PostingTarget, _ caller: Poster
    ) async throws(Fault) -> GoWebSocketSent {
        let outcome = try await features.postings.post(
            Posting(
                app: posting.app, messageId: posting.msgId, sender: sender, target: target,
                kind: posting.message.kind, content: posting.message.content), by: caller)
        return if case .repeated = outcome { .repeated } else { .stored }
    }

    /// Who speaks: whom the call names, else an account that calls as itself, else `instead`.
    private func sender(
        _ posting: GoWebSocketPosting, _ caller: Poster, _ visitor: Visitor, instead: UserCard?
    ) async throws(Fault) -> UserCard {
        let accounts = features.accounts
        if case .account(let account) = caller {
            guard let card = try await features.users.card(account.user) else {
                throw Fault(.unknownUser, "there is no such user")
            }
            // The policy decides; a name that is somebody else's is not passed over.
            guard let name = posting.sender, name != card.username else { return card }
            guard let other = try await accounts.person(named: name, app: posting.app) else {
                throw Fault(.notAllowed, "you may only speak as yourself")
            }
            return other
        }
        guard let name = posting.sender else {
            guard let instead else { throw .missing("userId") }
            return instead
        }
        if case .anyone = caller {
            return try await accounts.speaker(named: name, app: posting.app, address: visitor.address)
        }
        return try await accounts.spokenFor(named: name, app: posting.app)
    }

    // MARK: Looking

    func history(
        of app: AppID, before: Int64?, limit: Int, for caller: Poster
    ) async throws(Fault) -> GoWebSocketHistory {
        let page = try await features.roomHistory.messages(
            in: .room(app, nil), before: before, limit: limit, for: caller)
        return GoWebSocketHistory(messages: page.messages, next: page.nextCursor)
    }

    func state(includesLists: Bool) async throws(Fault) -> GoWebSocketState {
        let connections = await gateway.connected(named: includesLists)
        let lists = connections.sessions.map { sessions in
            GoWebSocketState.Lists(
                clients: sessions.map(\.address), users: sessions.map { "\($0.app.value)_\($0.username)" })
        }
        return GoWebSocketState(
            clientCount: connections.count, userCount: connections.sessionCount,
            processors: ProcessInfo.processInfo.activeProcessorCount, threads: Self.threads, lists: lists)
    }

    /// Threads of this process, as the system counts them; 0 where it does not say.
    private static var threads: Int {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/task").count) ?? 0
    }
}

/// The gateway, for those who are made before it.
final class GatewayReference: Sendable {
    private let gateway = Mutex<Gateway?>(nil)

    func set(_ gateway: Gateway) { self.gateway.withLock { $0 = gateway } }

    func connected(named: Bool) async -> GatewayConnections {
        await gateway.withLock { $0 }?.connected(named: named)
            ?? GatewayConnections(count: 0, sessionCount: 0, sessions: nil)
    }
}

extension Features {
    /// The calls of the dialect, where it is spoken.
    func goWebSocket(
        _ configuration: DialectsConfiguration.GoWebSocket, _ ports: Ports, _ authenticator: any TokenAuthenticator,
        _ gateway: GatewayReference
    ) -> GoWebSocketRoutes? {
        guard configuration.isEnabled else { return nil }
        let calls = GoWebSocketAdapter(
            features: self, authenticator: authenticator, presence: ports.presence, isOpen: configuration.isOpen,
            gateway: gateway)
        return GoWebSocketRoutes(calls: calls, rooms: configuration.rooms, page: WebAssets.roomPage)
    }
}
