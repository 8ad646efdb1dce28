import MartletWire
import NIOCore
import NIOPosix
import Synchronization

/// One device of a fleet in front of a cluster whose parts fail all the time: it sends at its own pace, gives up on what
/// does not answer, comes back with its cursors and sends again what was not acknowledged.
final class ClusterDevice: Sendable {
    private struct Desk: Sendable {
        var random: SeededRandom
        /// Sends that were not acknowledged: they go out again under the same clientId.
        var unanswered: [FleetClient.Send] = []
        var count = 0
        /// Of this session: acknowledgements until the device hangs up by itself.
        var hangUpAfter = Int.max
    }

    let traveller: Traveller
    let conversations: [String]
    private let fleet: ClusterFleet
    /// The node that it always comes to; nil for one that comes through the front.
    private let node: Int?
    /// It only listens: on its node nobody sends to its conversations, so that nothing but the bus brings news of them.
    private let isSilent: Bool
    /// How long it waits for an answer before it gives up on its connection.
    private let patience: Duration
    private let desk: Mutex<Desk>

    init(_ fleet: ClusterFleet, _ place: ClusterFleet.Place, cursors: [String: Int64], seed: UInt64) {
        self.fleet = fleet
        let (user, node) = (place.user, place.node)
        self.node = node
        isSilent = place.isSilent
        var traveller = Traveller(
            device: "\(user.name)/\(place.kind)", user: user, kind: place.kind, oracle: fleet.oracle,
            follower: Watched(Follower(cursors: cursors)))
        if let node, isSilent { traveller.onPush = { fleet.notePush($0.clientId, on: node) } }
        self.traveller = traveller
        conversations = cursors.keys.sorted()
        var random = SeededRandom(seed: seed)
        patience = node == nil ? .seconds([3, 5, 10].randomElement(using: &random) ?? 5) : .seconds(3)
        desk = Mutex(Desk(random: random))
    }

    // MARK: Coming and going

    func run() async throws {
        while true {
            do {
                let voyage = try await begin()
                let isHangUp = await send(voyage)
                if !isHangUp, isDone { return try await arrive(voyage) }
                await voyage.client.drop()
            } catch let error where Self.isPassing(error) {
                // Something of the cluster is away.
            }
            try await Task.sleep(for: .milliseconds(any(50...400)))
        }
    }

    private var isDone: Bool { fleet.state.value.isStopping && desk.withLock { $0.unanswered.isEmpty } }

    private func any(_ range: ClosedRange<Int>) -> Int {
        desk.withLock { desk in Int.random(in: range, using: &desk.random) }
    }

    /// What a client of a cluster in trouble has to live with.
    private static func isPassing(_ error: any Error) -> Bool {
        switch error {
        case let refused as UpgradeRefused: [0, 502, 503, 504].contains(refused.status)
        case is ConnectionLost, is WaitedTooLong, is IOError, is ChannelError, is NIOConnectionError: true
        default: false
        }
    }

    private func begin() async throws -> Voyage {
        desk.withLock { desk in
            let hangsUp = node == nil && Int.random(in: 0..<3, using: &desk.random) == 0
            desk.hangUpAfter = hangsUp ? .random(in: 5...60, using: &desk.random) : .max
        }
        let port = node.map { fleet.cluster.nodes[$0].port } ?? fleet.cluster.port
        let first = any(5...200)
        return try await Voyage.begin(traveller, port: port, patience: patience, first: first) { self.any(1...200) }
    }

    // MARK: Sending

    /// Sends until the connection ends or there is nothing more to do; returns true where the device hung up by itself.
    private func send(_ voyage: Voyage) async -> Bool {
        guard !isSilent else { return await listen(voyage) }
        return await withTaskGroup(of: Bool.self) { lanes in
            for _ in 0..<2 { lanes.addTask { await self.lane(voyage) } }
            return await lanes.reduce(false) { $0 || $1 }
        }
    }

    /// Stays for as long as the node answers and there is something to hear.
    private func listen(_ voyage: Voyage) async -> Bool {
        while !Task.isCancelled, !fleet.state.value.isStopping {
            guard (try? await voyage.client.request("heartbeat", "{}", timeout: patience)) != nil else { break }
            try? await Task.sleep(for: .milliseconds(500))
        }
        return voyage.client.isClosed || !fleet.state.value.isStopping
    }

    private func lane(_ voyage: Voyage) async -> Bool {
        while !Task.isCancelled, let send = next() {
            traveller.oracle.update {
                $0.attempted(
                    voyage.number, clientId: send.clientId, sender: traveller.user.id,
                    conversation: send.conversation, payload: send.payload)
            }
            let begun = ContinuousClock.now
            if node != nil { fleet.noteAttempt(send.clientId, at: begun) }
            let answer: WireAnswer
            do {
                answer = try await voyage.client.request(
                    "send", textMessage(send.payload, in: send.conversation, clientId: send.clientId),
                    timeout: patience)
            } catch {
                putBack(send)
                await voyage.client.drop()
                return false
            }
            switch (answer.code, answer.data["seq"]?.integer) {
            case (200, .some(let seq)):
                if let node { fleet.noteAcknowledgement(on: node, begun: begun) }
                if await acknowledged(send, seq, voyage) { return true }
            case (503, _):
                traveller.oracle.update { $0.leftOpen(voyage.number, clientId: send.clientId) }
                putBack(send)
                if answer.reason == "shutting_down" {
                    _ = try? await voyage.client.waitClosed(timeout: .seconds(10))
                    return false
                }
            default:
                fleet.fail("\(traveller.device) was refused: \(Refused(answer))")
                await voyage.client.drop()
                return false
            }
            let pace = node == nil ? any(200...1000) : any(50...100)
            try? await Task.sleep(for: .milliseconds(pace))
        }
        return false
    }

    private func putBack(_ send: FleetClient.Send) { desk.withLock { $0.unanswered.append(send) } }

    /// Returns true where it is time to hang up.
    private func acknowledged(_ send: FleetClient.Send, _ seq: Int64, _ voyage: Voyage) async -> Bool {
        let isRepeat = traveller.oracle.update { oracle in
            defer { oracle.acknowledged(clientId: send.clientId, seq: seq) }
            return oracle.isAcknowledged(send.clientId)
        }
        traveller.follower.update { $0.acknowledged(send.conversation, seq) }
        fleet.state.update { state in
            state.acknowledged += 1
            if isRepeat { state.repeats += 1 }
        }
        let isOver = desk.withLock { desk in
            // Now and then an answered send goes out again, as from a client that lost its notes.
            if !isRepeat, Int.random(in: 0..<32, using: &desk.random) == 0 { desk.unanswered.append(send) }
            desk.hangUpAfter = max(0, desk.hangUpAfter - 1)
            return desk.hangUpAfter == 0
        }
        if isOver { await voyage.client.drop() }
        return isOver
    }

    /// What to send next: first what was not answered; nothing new once the run ends.
    private func next() -> FleetClient.Send? {
        let isStopping = fleet.state.value.isStopping
        let name = traveller.device
        return desk.withLock { desk in
            if !desk.unanswered.isEmpty { return desk.unanswered.removeFirst() }
            guard !isStopping, let conversation = conversations.randomElement(using: &desk.random) else { return nil }
            desk.count += 1
            return FleetClient.Send(
                clientId: FleetClient.identifier(&desk.random), conversation: conversation,
                payload: "\(name) \(desk.count)")
        }
    }

    // MARK: The end

    /// All is answered, and nothing fails any more. What is still under way must come live; then the device comes back
    /// once more, to find nothing new.
    private func arrive(_ voyage: Voyage) async throws {
        fleet.state.update { $0.quiet += 1 }
        let ends = try await fleet.state.wait("the log to be read", for: .seconds(180)) { state -> [String: Int64]? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.ends
        }
        let (conversations, follower) = (conversations, traveller.follower)
        do {
            try await follower.wait("\(traveller.device) to get live what was sent last") { follower -> Bool? in
                conversations.allSatisfy { follower.cursors[$0] == ends[$0] } ? true : nil
            }
        } catch {
            let behind = conversations.filter { follower.value.cursors[$0] != ends[$0] }.map {
                "\($0) at \(follower.value.cursors[$0] ?? 0) of \(ends[$0] ?? 0)"
            }
            fleet.fail(
                "\(traveller.device), \(voyage.client.isClosed ? "cut off" : "connected"), waits for \(behind)")
            throw FleetFailed(failures: [])
        }
        voyage.client.close()
        _ = try await voyage.client.waitClosed()
        let last = try await begin()
        last.client.close()
        _ = try await last.client.waitClosed()
    }
}
