import MartletWire
import Synchronization

/// A device, as its sessions need it: who it is, what it has, and who watches.
struct Traveller: Sendable {
    let device: String
    let user: TestUser
    /// The device kind of its sign-ins.
    let kind: String
    let oracle: Watched<Oracle>
    /// What the device has of each conversation, over all its sessions.
    let follower: Watched<Follower>
    /// Hears of each event that is pushed.
    var onPush: (@Sendable (SeenEvent) -> Void)?
}

/// One connection of a device that comes with its cursors. What it hears moves the cursors, and the oracle hears it too,
/// both in the order of arrival.
final class Voyage: Sendable {
    let client: WireClient
    let number: Oracle.SessionNumber
    private let traveller: Traveller
    /// How long an answer may take.
    private let patience: Duration

    private init(_ client: WireClient, _ number: Oracle.SessionNumber, _ traveller: Traveller, _ patience: Duration) {
        self.client = client
        self.number = number
        self.traveller = traveller
        self.patience = patience
    }

    /// Connects, signs in and syncs: for `first` events at once, then as many as `limit` says each time. Once this throws,
    /// the connection is gone and nothing more is heard of it.
    static func begin(
        _ traveller: Traveller, port: Int, patience: Duration = EndToEndSupport.patience, first: Int,
        limit: @Sendable () -> Int
    ) async throws -> Voyage {
        let from = traveller.follower.value
        let number = traveller.oracle.update { $0.began(traveller.device, cursors: from.cursors) }
        // The client asks on from within the loop that hears, so that nothing comes between.
        let isFirst = Mutex(true)
        let client = try await WireClient.connect(port: port, timeout: patience) { message in
            traveller.hear(message, number, isFirst: isFirst.withLock { $0 })
            if message["cmd"]?.string == "sync" { isFirst.withLock { $0 = false } }
        }
        let voyage = Voyage(client, number, traveller, patience)
        do {
            let data = WireClient.loginData(traveller.user.token, device: traveller.kind, resume: true)
            let login = client.post("login", data)
            let sync = client.post("sync", from.syncData(limit: first))
            let answer = try await client.answer(to: login, timeout: patience)
            guard answer.code == 200 else { throw unlessLeaving(answer) }
            try await voyage.followOn(after: sync, limit: limit)
        } catch {
            await client.drop()
            throw error
        }
        return voyage
    }

    /// Asks on while there is more; where nothing was asked before, asks.
    func followOn(after first: String? = nil, limit: @Sendable () -> Int) async throws {
        var asked = first ?? askOn(limit())
        while true {
            let answer = try await client.answer(to: asked, timeout: patience)
            guard answer.code == 200 else { throw Self.unlessLeaving(answer) }
            let parts = answer.data["conversations"]?.array ?? []
            guard parts.contains(where: { $0["more"]?.bool == true }) else { return }
            asked = askOn(limit())
        }
    }

    private func askOn(_ limit: Int) -> String {
        let from = traveller.follower.value
        traveller.oracle.update { $0.asked(number, cursors: from.cursors) }
        return client.post("sync", from.syncData(limit: limit))
    }

    /// A refusal by a node that is leaving or can't is as good as a lost connection.
    private static func unlessLeaving(_ answer: WireAnswer) -> any Error {
        answer.code == 503 ? ConnectionLost() : Refused(answer)
    }
}

// Everything that comes, in the order of its coming.
extension Traveller {
    fileprivate func hear(_ message: JSONValue, _ number: Oracle.SessionNumber, isFirst: Bool) {
        switch message["cmd"]?.string {
        case "sync":
            for part in message["response"]?["data"]?["conversations"]?.array ?? [] {
                hear(part: part, number, isFirst)
            }
        case "msg", "event", "notify":
            if let event = message["data"].flatMap({ SeenEvent($0) }) { saw(event, number, isPush: true) }
        default: break
        }
    }

    private func hear(part: JSONValue, _ number: Oracle.SessionNumber, _ isFirst: Bool) {
        guard let conversation = part["conversationId"]?.string else { return }
        if part["reset"]?.bool == true, let first = part["firstSeq"]?.integer {
            oracle.update { $0.wasReset(number, conversation, firstSeq: first) }
        }
        let cursor = follower.value.cursors[conversation] ?? .max
        for event in (part["events"]?.array ?? []).compactMap({ SeenEvent($0) }) {
            // Where the client asks on, pushes of other conversations that were under way have moved its cursors since.
            if !isFirst, event.seq <= cursor { continue }
            saw(event, number, isPush: false)
        }
    }

    private func saw(_ event: SeenEvent, _ number: Oracle.SessionNumber, isPush: Bool) {
        oracle.update { $0.saw(number, event, isPush: isPush) }
        follower.update { $0.saw(event.conversation, event.seq) }
        if isPush { onPush?(event) }
    }
}
