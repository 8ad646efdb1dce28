import MartletWire

/// An event as a client saw it, or as it was read back.
package struct SeenEvent: Sendable, Equatable {
    package let conversation: String
    package let seq: Int64
    package let messageId: Int64
    package let sender: Int64
    /// Empty for events of the system.
    package let clientId: String
    package let payload: String

    package init(
        conversation: String, seq: Int64, messageId: Int64, sender: Int64, clientId: String, payload: String
    ) {
        self.conversation = conversation
        self.seq = seq
        self.messageId = messageId
        self.sender = sender
        self.clientId = clientId
        self.payload = payload
    }

    /// Nil where `json` is not an event.
    package init?(_ json: JSONValue) {
        guard let conversation = json["conversationId"]?.string, let seq = json["seq"]?.integer,
            let messageId = json["messageId"]?.integer, let sender = json["from"]?.integer
        else { return nil }
        self.init(
            conversation: conversation, seq: seq, messageId: messageId, sender: sender,
            clientId: json["clientId"]?.string ?? "", payload: json["content"]?["text"]?.string ?? "")
    }
}

/// Knows what was sent, answered, seen and stored, and says where the contract was broken. Pure: it hears of everything
/// in the order in which its clients did, and judges at the end.
package struct Oracle: Sendable {
    /// A send that a client tried, once or more often.
    struct Attempt: Sendable {
        let device: String
        let sender: Int64
        let conversation: String
        let payload: String
        var tries = 0
        /// The sequence numbers of its answers; one, if all is well.
        var answers: Set<Int64> = []
    }

    /// What one session of a device saw.
    struct SessionRecord: Sendable {
        let device: String
        /// The last event that the device had of each conversation when the session began.
        let cursors: [String: Int64]
        var sightings: [String: [Sighting]] = [:]
        /// What was sent, for the first time or again, in this session.
        var attempted: Set<String> = []
        /// What was sent for the first time in this session.
        var begun: Set<String> = []
    }

    enum Sighting: Sendable {
        case event(SeenEvent, isPush: Bool)
        /// The server said that what comes next begins at this event.
        case reset(Int64)
        /// The client asked on and said that it has everything up to here.
        case asked(Int64)
    }

    /// A session, as the oracle numbers them.
    package struct SessionNumber: Sendable, Hashable { let index: Int }

    private(set) var attempts: [String: Attempt] = [:]
    private(set) var sessions: [SessionRecord] = []
    private(set) var log: [String: [SeenEvent]] = [:]
    /// Events up to here were there before; nobody has to have seen them.
    private(set) var baselines: [String: Int64] = [:]
    private(set) var followers: [String: Set<String>] = [:]

    package init() {}

    /// A conversation is watched from here on; events up to `baseline` were there before. `devices` are to see all of
    /// the others.
    package mutating func watch(_ conversation: String, after baseline: Int64, by devices: [String]) {
        baselines[conversation] = baseline
        followers[conversation] = Set(devices)
    }

    /// A device came (back) with cursors.
    package mutating func began(_ device: String, cursors: [String: Int64]) -> SessionNumber {
        sessions.append(SessionRecord(device: device, cursors: cursors))
        return SessionNumber(index: sessions.count - 1)
    }

    /// A send went out; again, where the same clientId did before.
    package mutating func attempted(
        _ session: SessionNumber, clientId: String, sender: Int64, conversation: String, payload: String
    ) {
        if attempts[clientId] == nil {
            attempts[clientId] = Attempt(
                device: sessions[session.index].device, sender: sender, conversation: conversation, payload: payload)
            sessions[session.index].begun.insert(clientId)
        }
        attempts[clientId]?.tries += 1
        sessions[session.index].attempted.insert(clientId)
    }

    /// A send was answered with "not now", which says nothing of what became of it: it may be pushed to its own session.
    package mutating func leftOpen(_ session: SessionNumber, clientId: String) {
        sessions[session.index].begun.remove(clientId)
    }

    /// A send was answered with success.
    package mutating func acknowledged(clientId: String, seq: Int64) { attempts[clientId]?.answers.insert(seq) }

    /// A session saw an event, as a push or in the answer to a sync.
    package mutating func saw(_ session: SessionNumber, _ event: SeenEvent, isPush: Bool) {
        guard baselines[event.conversation] != nil else { return }
        sessions[session.index].sightings[event.conversation, default: []].append(.event(event, isPush: isPush))
    }

    /// A session was told that events after its cursor are gone.
    package mutating func wasReset(_ session: SessionNumber, _ conversation: String, firstSeq: Int64) {
        sessions[session.index].sightings[conversation, default: []].append(.reset(firstSeq))
    }

    /// All that a conversation holds, as it was read back at the end.
    package mutating func stored(_ conversation: String, _ events: [SeenEvent]) { log[conversation] = events }

    /// A session asked on with these cursors.
    package mutating func asked(_ session: SessionNumber, cursors: [String: Int64]) {
        for (conversation, cursor) in cursors {
            sessions[session.index].sightings[conversation, default: []].append(.asked(cursor))
        }
    }

    // MARK: Counts

    package var sent: Int { attempts.count }
    package var acknowledgedCount: Int { attempts.values.count { !$0.answers.isEmpty } }
    package var retried: Int { attempts.values.count { $0.tries > 1 } }
    package var sessionCount: Int { sessions.count }
    package var seen: Int {
        sessions.reduce(0) { sum, session in
            sum + session.sightings.values.joined().count { if case .event = $0 { true } else { false } }
        }
    }
}
