import MartletWire
import Synchronization

/// One device of a fleet: it sends, loses its connection, comes back with its cursors and sends again what was not
/// answered.
final class FleetClient: Sendable {
    struct Send: Sendable {
        let clientId: String
        let conversation: String
        let payload: String
    }

    private struct Desk: Sendable {
        var random: SeededRandom
        /// Sends that were not answered: they go out again under the same clientId.
        var unanswered: [Send] = []
        var count = 0
        /// Of this session: acknowledgements until the client hangs up by itself.
        var hangUpAfter = Int.max
    }

    let device: String
    let user: TestUser
    let conversations: [String]
    private let kind: String
    private let fleet: Fleet
    private let desk: Mutex<Desk>
    private let follower: Watched<Follower>

    init(_ fleet: Fleet, _ user: TestUser, device: String, kind: String, cursors: [String: Int64], seed: UInt64) {
        self.fleet = fleet
        self.user = user
        self.device = device
        self.kind = kind
        conversations = cursors.keys.sorted()
        desk = Mutex(Desk(random: SeededRandom(seed: seed)))
        follower = Watched(Follower(cursors: cursors))
    }

    // MARK: Coming and going

    func run() async throws {
        while true {
            let generation = try await fleet.state.wait("the server to be there", for: .seconds(60)) { state -> Int? in
                state.isUp ? state.generation : nil
            }
            var isHangUp = false
            do {
                let voyage = try await signIn()
                isHangUp = try await send(voyage)
                if !isHangUp, isDone { return try await arrive(voyage) }
                await note(end: voyage, isHangUp)
            } catch let error where Self.isLoss(error) {
                // The server was stopped while the session began.
            }
            let state = fleet.state.value
            if !isHangUp, state.isUp, state.generation == generation {
                return fleet.fail("\(device) lost its connection to a running server")
            }
            if isHangUp { try await stayAway() }
        }
    }

    private var isDone: Bool { fleet.state.value.isStopping && desk.withLock { $0.unanswered.isEmpty } }

    private static func isLoss(_ error: any Error) -> Bool {
        !(error is Refused || error is WaitedTooLong || error is FleetFailed)
    }

    private func signIn() async throws -> Voyage {
        let limit = desk.withLock { desk in
            desk.hangUpAfter =
                Int.random(in: 0..<3, using: &desk.random) == 0 ? .random(in: 5...60, using: &desk.random) : .max
            return [5, 50, 200].randomElement(using: &desk.random) ?? 50
        }
        let traveller = Traveller(
            device: device, user: user, kind: kind, oracle: fleet.oracle, follower: follower)
        return try await Voyage.begin(traveller, port: fleet.server.port, first: limit, limit: anyLimit)
    }

    private func anyLimit() -> Int { desk.withLock { desk in Int.random(in: 1...200, using: &desk.random) } }

    /// Waits until others have gone on without this client.
    private func stayAway() async throws {
        let some = desk.withLock { desk in Int.random(in: 20...200, using: &desk.random) }
        let target = fleet.state.update { state -> Int? in
            // Somebody has to stay.
            guard state.away < 3, !state.isStopping else { return nil }
            state.away += 1
            return state.acknowledged + some
        }
        guard let target else { return }
        try await fleet.state.wait("others to go on", for: .seconds(60)) { state -> Bool? in
            state.acknowledged >= target || state.isStopping || !state.failures.isEmpty ? true : nil
        }
        fleet.state.update { $0.away -= 1 }
    }

    private func note(end voyage: Voyage, _ isHangUp: Bool) async {
        guard !isHangUp, let code = try? await voyage.client.waitClosed() else { return }
        let hadGoAway = !voyage.client.pushes("goaway").isEmpty
        fleet.state.update { $0.closures.append(.init(code: code, hadGoAway: hadGoAway)) }
    }

    // MARK: Sending

    /// Sends until the connection ends or there is nothing more to do; returns true where the client hung up by itself.
    private func send(_ voyage: Voyage) async throws -> Bool {
        try await withThrowingTaskGroup(of: Bool.self) { lanes in
            for _ in 0..<fleet.plan.inFlight { lanes.addTask { try await self.lane(voyage) } }
            return try await lanes.reduce(false) { $0 || $1 }
        }
    }

    private func lane(_ voyage: Voyage) async throws -> Bool {
        while let send = next() {
            fleet.oracle.update {
                $0.attempted(
                    voyage.number, clientId: send.clientId, sender: user.id, conversation: send.conversation,
                    payload: send.payload)
            }
            let answer: WireAnswer
            do {
                answer = try await voyage.client.request(
                    "send", textMessage(send.payload, in: send.conversation, clientId: send.clientId))
            } catch is ConnectionLost {
                putBack(send)
                return false
            }
            switch (answer.code, answer.data["seq"]?.integer) {
            case (200, .some(let seq)):
                if desk.withLock({ desk in Int.random(in: 0..<64, using: &desk.random) == 0 }) {
                    do { try await voyage.followOn(limit: anyLimit) } catch is ConnectionLost {
                        // The lane's next send meets the same.
                    }
                }
                if acknowledged(send, seq) {
                    await voyage.client.drop()
                    return true
                }
            case (503, _):
                putBack(send)
                // The node is leaving: it ends the session.
                if answer.reason == "shutting_down" { return try await voyage.client.waitClosed() == 0 }
            default: throw Refused(answer)
            }
        }
        return false
    }

    private func putBack(_ send: Send) { desk.withLock { $0.unanswered.append(send) } }

    /// Returns true where it is time to hang up.
    private func acknowledged(_ send: Send, _ seq: Int64) -> Bool {
        let isRepeat = fleet.oracle.update { oracle in
            defer { oracle.acknowledged(clientId: send.clientId, seq: seq) }
            return oracle.isAcknowledged(send.clientId)
        }
        follower.update { $0.acknowledged(send.conversation, seq) }
        fleet.state.update { state in
            state.acknowledged += 1
            if isRepeat { state.repeats += 1 }
        }
        return desk.withLock { desk in
            // Now and then an answered send goes out again, as from a client that lost its notes.
            if !isRepeat, Int.random(in: 0..<32, using: &desk.random) == 0 { desk.unanswered.append(send) }
            desk.hangUpAfter = max(0, desk.hangUpAfter - 1)
            return desk.hangUpAfter == 0
        }
    }

    /// What to send next: first what was not answered; nothing new once the run ends.
    private func next() -> Send? {
        let isStopping = fleet.state.value.isStopping
        return desk.withLock { desk in
            if !desk.unanswered.isEmpty { return desk.unanswered.removeFirst() }
            guard !isStopping, let conversation = conversations.randomElement(using: &desk.random) else { return nil }
            desk.count += 1
            return Send(
                clientId: Self.identifier(&desk.random), conversation: conversation, payload: "\(device) \(desk.count)")
        }
    }

    /// In the form of a UUIDv7.
    static func identifier(_ random: inout SeededRandom) -> String {
        let high = String(random.next() | 1 << 63, radix: 16)
        let low = String(random.next() | 1 << 63, radix: 16)
        return "\(high.prefix(8))-\(high.dropFirst(8).prefix(4))-7\(high.suffix(3))-\(low.prefix(4))-\(low.suffix(12))"
    }

    // MARK: The end

    /// All is answered. What is still under way must come live; then the client comes back once more, to find nothing
    /// new.
    private func arrive(_ voyage: Voyage) async throws {
        fleet.state.update { $0.quiet += 1 }
        let ends = try await fleet.state.wait("the log to be read", for: .seconds(60)) { state -> [String: Int64]? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.ends
        }
        let conversations = conversations
        try await follower.wait("\(device) to get live what was sent last") { follower -> Bool? in
            conversations.allSatisfy { follower.cursors[$0] == ends[$0] } ? true : nil
        }
        voyage.client.close()
        _ = try await voyage.client.waitClosed()
        let last = try await signIn()
        last.client.close()
        _ = try await last.client.waitClosed()
    }
}

extension Oracle {
    func isAcknowledged(_ clientId: String) -> Bool { attempts[clientId]?.answers.isEmpty == false }
}

extension FleetClient {
    /// Seven users, one of them with two devices; a group of all, and four direct conversations.
    static func crew(for fleet: Fleet, _ rest: RestClient) async throws -> [FleetClient] {
        var users: [TestUser] = []
        for name in ["ada", "ben", "cleo", "dan", "eve", "finn", "gus"] { users.append(try await register(rest, name)) }
        let group = "g:\(try await rest.group("everybody", of: users))"
        let pairs = [(0, 1), (2, 3), (4, 5), (6, 0)]
        var members = [group: users]
        for (one, other) in pairs {
            let conversation = users[one].direct(users[other])
            members[conversation] = [users[one], users[other]]
            try await rest.succeed("POST", "/api/chat/send", by: users[one], textMessage("hello", in: conversation))
        }
        var ends: [String: Int64] = [:]
        for (conversation, people) in members {
            ends[conversation] = try await rest.everything(in: conversation, by: people[0]).last?.seq ?? 0
        }
        var clients: [FleetClient] = []
        for (index, (user, kind)) in (users.map { ($0, "web") } + [(users[0], "ios")]).enumerated() {
            let own = ends.filter { members[$0.key]?.contains { $0.id == user.id } == true }
            clients.append(
                FleetClient(
                    fleet, user, device: "\(user.name)/\(kind)", kind: kind, cursors: own,
                    seed: fleet.plan.seed &+ UInt64(index + 1)))
        }
        for (conversation, end) in ends {
            let devices = clients.filter { $0.conversations.contains(conversation) }.map(\.device)
            fleet.oracle.update { $0.watch(conversation, after: end, by: devices) }
        }
        return clients
    }
}
