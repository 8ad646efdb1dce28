import HummingbirdCore
import Logging
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletMessaging
import MartletSQL
import MartletSocial
import MartletWeb
import MartletWire

/// The ports of one node, whatever their adapters are.
struct Ports: Sendable {
    let database: any Database
    let log: any EventLog
    let broker: any Broker
    let presence: any Presence
    let limiter: any RateLimiter
    let clock: any TimeSource
    let logger: Logger
}

/// The features of one node, wired to one another through the protocols that they own.
struct Features: Sendable {
    let accounts: Accounts
    let users: any UserDirectory
    let administration: AccountAdministration
    let friends: Friends
    let access: ConversationAccess
    let messages: Messages
    let history: History
    let cursors: Cursors
    let conversations: Conversations
    let groups: Groups
    let rooms: Rooms
    let sync: Sync
    let reader: EventReader
    let postings: Postings
    let deviceCursors: DeviceCursors
    let roomHistory: RoomHistory
    let apiKeys: APIKeys

    init(_ ports: Ports, _ configuration: ServerConfiguration, _ tokens: AccessTokens, _ revocations: Revocations) {
        let (database, log, broker, presence, clock) = (
            ports.database, ports.log, ports.broker, ports.presence, ports.clock
        )
        let directory = AccountDirectory(database: database, clock: clock)
        users = directory
        let hasher = PasswordHasher()
        administration = AccountAdministration(database: database, hasher: hasher, clock: clock)
        accounts = Accounts(
            database: database, log: log, broker: broker, presence: presence, limiter: ports.limiter, clock: clock,
            hasher: hasher,
            tokens: tokens, revocations: revocations, directory: directory, configuration: configuration.accounts,
            logger: ports.logger)
        friends = Friends(
            database: database, log: log, broker: broker, presence: presence, directory: directory, clock: clock)
        let relations = SocialRelations(friends: friends)
        access = ConversationAccess(
            database: database, users: directory, relations: relations, presence: presence, clock: clock)
        reader = EventReader(users: directory)
        messages = Messages(
            access: access, database: database, log: log, limiter: ports.limiter, clock: clock,
            configuration: configuration.messaging)
        history = History(access: access, log: log, reader: reader)
        cursors = Cursors(access: access, database: database, log: log, broker: broker, clock: clock)
        conversations = Conversations(
            access: access, database: database, log: log, users: directory, reader: reader, clock: clock)
        groups = Groups(
            database: database, log: log, access: access, users: directory, relations: relations, presence: presence,
            broker: broker,
            clock: clock)
        rooms = Rooms(access: access, users: directory, presence: presence, configuration: configuration.messaging)
        sync = Sync(database: database, log: log, reader: reader)
        postings = Postings(
            access: access, database: database, log: log, limiter: ports.limiter, clock: clock,
            configuration: configuration.messaging)
        deviceCursors = DeviceCursors(database: database, log: log, reader: reader)
        roomHistory = RoomHistory(log: log, reader: reader)
        apiKeys = APIKeys(database: database, clock: clock)
    }

    /// Every operation of the API.
    var endpoints: [Endpoint] {
        AccountEndpoints(accounts: accounts).all + FriendEndpoints(friends: friends).all
            + ChatEndpoints(messages: messages, history: history, cursors: cursors, conversations: conversations).all
            + GroupEndpoints(groups: groups).all + RoomEndpoints(rooms: rooms).all
    }

    func authenticator(
        _ tokens: AccessTokens, _ revocations: Revocations, _ clock: any TimeSource
    ) -> AccountAuthenticator {
        AccountAuthenticator(
            accounts: accounts, tokens: tokens, revocations: revocations, users: users, clock: clock)
    }

    func gatewayServices(
        _ ports: Ports, _ presenceWriter: any PresenceWriter, _ tokens: AccessTokens, _ revocations: Revocations,
        _ dialects: DialectsConfiguration, http: any HTTPEdge, departure: Departure
    ) -> GatewayServices {
        let source = MessagingSource(
            log: ports.log, access: access, groups: groups, rooms: rooms, syncing: sync, reader: reader)
        return GatewayServices(
            log: ports.log, broker: ports.broker, presence: ports.presence, presenceWriter: presenceWriter,
            limiter: ports.limiter,
            clock: ports.clock,
            authenticator: authenticator(tokens, revocations, ports.clock),
            conversations: source, rights: source,
            dialects: spoken(dialects, ports.clock),
            rosters: RosterAdapter(friends: friends, groups: groups, cursors: deviceCursors),
            announcer: FriendAnnouncer(friends: friends, broker: ports.broker, logger: ports.logger), http: http,
            departure: departure)
    }
}

extension Features {
    /// The HTTP edge with every operation, the documentation and the page.
    func router(
        _ ports: Ports, _ configuration: ServerConfiguration, _ metrics: MetricRegistry, secrets: Secrets,
        authenticator: any TokenAuthenticator, departure: Departure, goWebSocket: GoWebSocketRoutes?,
        bus: (@Sendable () -> (isPassed: Bool, detail: String))?,
        gateway: @escaping @Sendable () async throws(Fault) -> GatewayAddress
    ) -> APIRouter {
        var services = APIServices(
            authenticator: authenticator, limiter: ports.limiter, clock: ports.clock, metrics: metrics,
            logger: ports.logger,
            metricsToken: secrets.metricsToken,
            readiness: {
                let database = await Self.databaseCheck(ports.database)
                guard let bus = bus?() else { return [database] }
                return [database, ReadinessCheck(name: "bus", isPassed: bus.isPassed, detail: bus.detail)]
            },
            gateway: gateway)
        services.isLeaving = { departure.hasBegun }
        let isServing = configuration.cluster.roles.contains(.api)
        let files = WebAssets.all + (goWebSocket == nil ? [] : WebAssets.room)
        let assets = files.map {
            StaticAsset(path: $0.path, contentType: $0.contentType, bytes: $0.bytes, etag: $0.etag)
        }
        return APIRouter(
            endpoints: isServing ? endpoints : [], assets: isServing ? assets : [],
            pagePolicy: WebAssets.contentSecurityPolicy, goWebSocket: isServing ? goWebSocket : nil, services: services,
            configuration: configuration.api)
    }

    private static func databaseCheck(_ database: any Database) async -> ReadinessCheck {
        do throws(Fault) {
            _ = try await database.read { connection throws(Fault) in try connection.integer("SELECT 1") }
            return ReadinessCheck(name: "database", isPassed: true)
        } catch {
            return ReadinessCheck(name: "database", isPassed: false, detail: error.message)
        }
    }
}
