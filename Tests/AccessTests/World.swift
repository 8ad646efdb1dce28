import EndToEndSupport
import MartletWire

/// The people and places that the tables speak of, made once for a server.
struct World: Sendable {
    /// What a server has to be started with.
    static let settings = [
        "MARTLET_ACCOUNTS_APPS": "1,2", "MARTLET_ACCOUNTS_GUESTS": "true", "MARTLET_GATEWAY_SIGN_IN_TIMEOUT": "600",
        "MARTLET_GATEWAY_HEARTBEAT": "600",
    ]

    let rest: RestClient
    let users: [Asker: TestUser]
    /// A second sign-in of each, to be ended.
    let spares: [Asker: TestUser]
    let sockets: [Asker: WireClient]
    let places: [Place: String]

    /// Nobody's friend.
    let newcomer: TestUser
    /// Whom administrators ban, and everybody blocks.
    let victim: TestUser
    /// Friends of the member.
    let friend, formerFriend: TestUser
    /// Blocked all of the app.
    let blocker: TestUser
    /// Takes no messages of strangers.
    let recluse: TestUser
    /// A plain member besides `.member`.
    let other: TestUser

    /// Takes members by approval.
    let group: Int64
    let closed, leaving, transferring, dissolving: Int64
    /// Waits for the member's answer.
    let friendRequest: Int64
    /// Wait for an answer in the group.
    let applications: [Asker: Int64]
    /// Plain members, each to be put out by one.
    let kickable: [Asker: TestUser]
    /// Texts in the group by their author's role.
    let texts: [Asker: Int64]

    func user(_ asker: Asker) -> TestUser {
        guard let user = users[asker] else { preconditionFailure("\(asker) has no account") }
        return user
    }

    func place(_ place: Place) -> String { places[place] ?? "" }

    // MARK: The one of a server

    private actor Cache {
        var worlds: [Int: Task<World, any Error>] = [:]

        func world(_ server: ServerProcess) -> Task<World, any Error> {
            if let known = worlds[server.port] { return known }
            // Awaited by everybody who asks for the world.
            let task = Task { try await World.make(server) }
            worlds[server.port] = task
            return task
        }
    }

    private static let cache = Cache()

    /// That of the suite's server.
    static func current() async throws -> World { try await cache.world(TestServer.current).value }

    private static func make(_ server: ServerProcess) async throws -> World {
        try await WorldBuilder(server: server, rest: RestClient(port: server.port)).build()
    }
}
