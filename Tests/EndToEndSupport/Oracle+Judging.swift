extension Oracle {
    /// One breach of the contract.
    package struct Breach: Sendable, Equatable, CustomStringConvertible {
        package enum Kind: String, Sendable {
            /// Acknowledged, but not stored.
            case lost
            /// Acknowledged with another seq than it is stored with.
            case moved
            /// Two answers to one clientId with different seqs.
            case conflict
            /// One clientId stored twice.
            case doubled
            /// Stored with another sender, conversation or payload than it was sent with.
            case altered
            /// Stored, but never sent.
            case invented
            /// The log lacks a seq, or has it twice, or its message ids do not grow.
            case broken
            /// A session was not given an event between two others.
            case gap
            /// A session was given an event again, or after a later one.
            case repeated
            /// A session was given an event that is not the stored one.
            case different
            /// A session was pushed what it sent itself.
            case echoed
            /// A device never got an event.
            case unseen
        }

        package let kind: Kind
        package let detail: String

        package var description: String { "\(kind.rawValue): \(detail)" }
    }

    /// Where the contract was broken; empty if it was kept.
    package func judge() -> [Breach] { judgeLog() + judgeAcknowledgements() + judgeSessions() + judgeDevices() }

    // MARK: The log

    private func judgeLog() -> [Breach] {
        var breaches: [Breach] = []
        var places: [String: SeenEvent] = [:]
        for (conversation, events) in log {
            var last: SeenEvent?
            for event in events {
                let place = "\(conversation) \(event.seq)"
                if event.seq != (last?.seq ?? 0) + 1 {
                    breaches.append(.init(kind: .broken, detail: "\(place) follows \(last?.seq ?? 0)"))
                } else if event.messageId <= last?.messageId ?? 0 {
                    breaches.append(
                        .init(kind: .broken, detail: "\(place) has an older message id than its predecessor"))
                }
                last = event
                guard event.seq > baselines[conversation] ?? 0, !event.clientId.isEmpty else { continue }
                if let first = places.updateValue(event, forKey: event.clientId) {
                    breaches.append(
                        .init(kind: .doubled, detail: "\(place) and \(first.conversation) \(first.seq) are one send"))
                }
                guard let attempt = attempts[event.clientId] else {
                    breaches.append(.init(kind: .invented, detail: "\(place) \(event.clientId)"))
                    continue
                }
                if attempt.sender != event.sender || attempt.conversation != conversation
                    || attempt.payload != event.payload
                {
                    breaches.append(.init(kind: .altered, detail: "\(place) \(event.clientId)"))
                }
            }
        }
        return breaches
    }

    // MARK: Acknowledgements

    private func judgeAcknowledgements() -> [Breach] {
        var places: [String: Set<Int64>] = [:]
        for events in log.values {
            for event in events where !event.clientId.isEmpty { places[event.clientId, default: []].insert(event.seq) }
        }
        var breaches: [Breach] = []
        for (clientId, attempt) in attempts {
            if attempt.answers.count > 1 {
                let answers = attempt.answers.sorted().map(String.init).joined(separator: ", ")
                breaches.append(
                    .init(kind: .conflict, detail: "\(attempt.conversation) \(clientId) was answered with \(answers)"))
            }
            for seq in attempt.answers {
                guard let stored = places[clientId] else {
                    breaches.append(.init(kind: .lost, detail: "\(attempt.conversation) \(seq) \(clientId)"))
                    continue
                }
                if !stored.contains(seq) {
                    breaches.append(
                        .init(
                            kind: .moved,
                            detail: "\(attempt.conversation) \(clientId) from \(seq) to \(stored.sorted())"))
                }
            }
        }
        return breaches
    }

    // MARK: Sessions

    /// Each event follows the one before it; what stands between two may only be the session's own sends, which were
    /// answered instead of pushed.
    private func judgeSessions() -> [Breach] {
        var breaches: [Breach] = []
        for (number, session) in sessions.enumerated() {
            for (conversation, sightings) in session.sightings {
                let events = log[conversation] ?? []
                var last = session.cursors[conversation]
                // Own sends of before, answered again, that the client had no need to see.
                var asked: Int64 = 0
                func report(_ kind: Breach.Kind, _ detail: String) {
                    let place = "session \(number) of \(session.device), \(conversation)"
                    let start = session.cursors[conversation] ?? 0
                    breaches.append(.init(kind: kind, detail: "\(place) from \(start): \(detail)"))
                }
                for sighting in sightings {
                    if case .reset(let first) = sighting { last = first - 1 }
                    if case .asked(let cursor) = sighting { asked = max(asked, cursor) }
                    guard case .event(let event, let isPush) = sighting else { continue }
                    let before = last ?? event.seq - 1
                    if event.seq <= before {
                        report(.repeated, "\(event.seq) after \(before)")
                        continue
                    }
                    for missing in (before + 1)..<event.seq
                    where missing > asked
                        && !session.attempted.contains(Self.event(missing, events)?.clientId ?? "")
                    {
                        let text = Self.event(missing, events)?.payload ?? "nothing"
                        report(.gap, "\(missing) (\(text)) is missing before \(event.seq), after \(before)")
                    }
                    last = event.seq
                    if Self.event(event.seq, events) != event {
                        report(.different, "\(event.seq) is not what is stored")
                    }
                    if isPush, session.begun.contains(event.clientId) { report(.echoed, "\(event.seq)") }
                }
            }
        }
        return breaches
    }

    private static func event(_ seq: Int64, _ events: [SeenEvent]) -> SeenEvent? {
        guard let first = events.first?.seq, seq >= first, seq - first < events.count else { return nil }
        return events[Int(seq - first)]
    }

    // MARK: Devices

    /// Over all its sessions a device got every event: seen, or answered where it was its own send.
    private func judgeDevices() -> [Breach] {
        var known: [String: [String: Set<Int64>]] = [:]
        for session in sessions {
            for (conversation, sightings) in session.sightings {
                for case .event(let event, _) in sightings {
                    known[session.device, default: [:]][conversation, default: []].insert(event.seq)
                }
            }
        }
        for attempt in attempts.values {
            known[attempt.device, default: [:]][attempt.conversation, default: []].formUnion(attempt.answers)
        }
        var breaches: [Breach] = []
        for (conversation, devices) in followers {
            for device in devices {
                let seen = known[device]?[conversation] ?? []
                for event in log[conversation] ?? []
                where event.seq > baselines[conversation] ?? 0 && !seen.contains(event.seq) {
                    breaches.append(.init(kind: .unseen, detail: "\(device) never got \(conversation) \(event.seq)"))
                }
            }
        }
        return breaches
    }
}
