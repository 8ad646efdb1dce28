import Dispatch
import Foundation
import Logging
import MartletBus
import MartletCore
import MartletGateway
import MartletLog
import MartletMessaging
import MartletSQL
import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// The real gateway in this process, with one event loop on a loopback port, and stand-ins for what it leans on. Clients are sockets of the loop
/// that measures, so that all of the gateway's way is counted: NIO's selector, its reads and writes, and our code. The kernel's share is not.
final class Stage {
    /// Where sends go.
    enum Storage {
        /// Answered at once, on the event loop: what is counted is the gateway alone.
        case none
        /// The real log, in a file.
        case file
    }

    let gateway: Gateway
    private let database: SQLiteDatabase
    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let port: Int

    /// `following`: groups that everybody is in.
    init(_ setting: Setting, _ storage: Storage, following: [ConversationID] = []) throws {
        let broker = LocalBroker()
        database = try LogLoops.openDatabase(setting.folder)
        let log: any EventLog =
            switch storage {
            case .none: ImmediateLog { broker.publish($0) }
            case .file: try Self.open(database) { broker.publish($0) }
            }
        let (presence, people) = (LocalPresence(), Everybody(groups: following))
        let access = ConversationAccess(
            database: database, users: people, relations: people, presence: presence, clock: StandingTime())
        let services = GatewayServices(
            log: log, broker: broker, presence: presence, presenceWriter: presence,
            limiter: LocalRateLimiter(isOn: false), clock: StandingTime(), authenticator: people,
            conversations: people, rights: Rights(access: access),
            dialects: [SpokenDialect(NativeDialect(), runner: people)], rosters: people, announcer: people, http: people
        )
        gateway = Gateway(
            Self.configuration, services, GatewayMetrics(MetricRegistry()),
            Logger(label: "hotloops", factory: { _ in SwiftLogNoOpLogHandler() }), group: group)
        broker.attach(gateway)
        port = Self.serve(gateway, group)
    }

    private static func open(
        _ database: SQLiteDatabase, onCommit: @escaping @Sendable ([Event]) -> Void
    ) throws -> SQLiteEventLog {
        try blocking { try await SQLiteEventLog(database, clock: StandingTime(), onCommit: onCommit) }
    }

    /// Limits are off and deadlines far away, as nothing that is counted should depend on how long it takes.
    private static var configuration: GatewayConfiguration {
        var configuration = GatewayConfiguration()
        configuration.port = 0
        configuration.isRateLimited = false
        configuration.signInTimeout = .seconds(600)
        configuration.heartbeat = .seconds(600)
        return configuration
    }

    /// Serves until the process ends. Returns the port.
    private static func serve(_ gateway: Gateway, _ group: MultiThreadedEventLoopGroup) -> Int {
        let listening = DispatchSemaphore(value: 0)
        let port = Tally()
        let server = GatewayServer(gateway, group: group) {
            port.add($0.port)
            listening.signal()
        }
        // Nobody awaits it: it ends with the process.
        Task { try await server.run() }
        listening.wait()
        return port.count
    }

    /// Makes an account, which those need who write to one another: the database holds who has met whom.
    func register(_ user: UserID) throws {
        let database = database
        try blocking {
            try await database.write { connection throws(Fault) in
                _ = try connection.run(
                    """
                    INSERT INTO users (id, app, username, username_key, role, created_at)
                    VALUES (\(user), 1, 'user' || \(user), 'user' || \(user), 'user', 0)
                    """)
            }
        }
    }

    func signIn(_ user: UserID) throws -> Client { try Client(port: port, user) }

    /// Holds the event loop while `body` runs, so that what arrives meanwhile is found in one turn.
    func holdingLoop(_ body: () throws -> Void) rethrows {
        let (isHeld, mayGo) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        group.next().execute {
            isHeld.signal()
            mayGo.wait()
        }
        isHeld.wait()
        defer { mayGo.signal() }
        try body()
    }
}
