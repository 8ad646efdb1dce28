import MartletBus
import MartletCore
import NIOCore
import Synchronization

/// What the node knows of the order of conversations' events.
struct Topics {
    /// Events of one conversation that wait for a gap before them to be filled.
    struct Waiting {
        var events: [Event] = []
        /// The newest event known to exist, also where it did not find room.
        var high: Int64 = 0

        /// Events kept for one conversation; the log has the others.
        private static let capacity = 256

        mutating func add(_ event: Event) {
            high = max(high, event.seq)
            if events.count < Self.capacity { events.append(event) }
        }
    }

    var sequencer: TopicSequencer
    var waiting: [ConversationID: Waiting] = [:]
    /// Topics whose conversations' places are being looked up.
    var starting: Set<ConversationID> = []

    func isStarting(_ conversation: ConversationID) -> Bool {
        !starting.isEmpty && conversation.topics.contains { starting.contains($0) }
    }
}

// In place of an owner of each topic, the node puts each conversation's events in order and hands them to every loop with a follower.
extension Gateway {
    /// Takes events from the broker, on any thread. Ordering an event is a look-up, too little to hop to another thread for: the loops that deliver
    /// are the only ones that are woken.
    package func receive(_ events: [Event]) {
        let committed = NIODeadline.now()
        let now = committed.uptimeNanoseconds / 1_000_000
        // What is in order is handed on under the same lock, so that nobody comes in between and overtakes.
        let woken = topics.withLock { topics in
            var shares = noShares
            for event in events { sequence(event, &topics, &shares, now) }
            return hand(shares, committed)
        }
        wake(woken)
    }

    private func sequence(_ event: Event, _ topics: inout Topics, _ shares: inout [[Event]], _ now: UInt64) {
        let interest = interest.interest(in: event.conversation)
        // A place that nobody keeps up with is not kept either: the bus does not bring the next event.
        if isLossy, interest.loops == 0 { return }
        let action = topics.sequencer.accept(
            event.conversation, event.seq, since: interest.since, now: now,
            isNews: event.time >= newsSince(event.conversation))
        switch action {
        case .deliver: route(event, interest.loops, &shares)
        case .drop: break
        case .wait: topics.waiting[event.conversation, default: .init()].add(event)
        case .fill(let missing):
            topics.waiting[event.conversation, default: .init()].add(event)
            fill(event.conversation, missing)
        }
    }

    var noShares: [[Event]] { Array(repeating: [], count: loops.count) }

    /// Adds an event to the shares of the loops with a follower.
    private func route(_ event: Event, _ interested: UInt64, _ shares: inout [[Event]]) {
        var interested = interested
        while interested != 0 {
            shares[interested.trailingZeroBitCount].append(event)
            interested &= interested - 1
        }
    }

    /// Gives each loop its share. Returns those that are to be woken, as a set of bits.
    private func hand(_ shares: [[Event]], _ committed: NIODeadline) -> UInt64 {
        var woken: UInt64 = 0
        for (index, share) in shares.enumerated() where !share.isEmpty {
            loops[index].take(share, committed)
            woken |= 1 << UInt64(index)
        }
        return woken
    }

    private func wake(_ loops: UInt64) {
        for loop in self.loops where loops & 1 << UInt64(loop.index) != 0 { loop.wake() }
    }

    // MARK: Gaps

    /// How long the log is left alone after it could not be read.
    private static let fillPause = TimeAmount.milliseconds(500)
    /// How long until the place of a conversation is known, about.
    private static let startPause = TimeAmount.milliseconds(20)
    /// Tries of a read that finds less than is known to exist, before the rest is given up.
    private static let shortReads = 10

    /// Reads what the bus lost from the log. Called under the lock, and comes back in work of its own.
    func fill(_ conversation: ConversationID, _ missing: TopicSequencer.Missing) {
        metrics.gapsFilled.add()
        read(conversation, missing, triesLeft: Self.shortReads)
    }

    private func read(_ conversation: ConversationID, _ missing: TopicSequencer.Missing, triesLeft: Int) {
        let isTaken = pool.submit { [self] in
            guard let known = resolve(conversation, missing) else {
                return later(Self.startPause) { $0.read(conversation, missing, triesLeft: triesLeft) }
            }
            do throws(Fault) {
                let events = try await read(conversation, known)
                if isShort(events, known), triesLeft > 0 {
                    return later(Self.fillPause) { $0.read(conversation, missing, triesLeft: triesLeft - 1) }
                }
                filled(conversation, known, events)
            } catch {
                // Nothing is lost by waiting: the events are in the log.
                later(Self.fillPause) { $0.read(conversation, missing, triesLeft: triesLeft) }
            }
        }
        if !isTaken { later(Self.fillPause) { $0.read(conversation, missing, triesLeft: triesLeft) } }
    }

    private func later(_ pause: TimeAmount, _ work: @escaping @Sendable (Gateway) -> Void) {
        guard !isStopping else { return }
        loops[0].eventLoop.scheduleTask(in: pause) { work(self) }
    }

    /// What is missing as it is known now; nil where that is being looked up.
    private func resolve(
        _ conversation: ConversationID, _ missing: TopicSequencer.Missing
    ) -> TopicSequencer.Missing? {
        guard case .recent(let through) = missing else { return missing }
        return topics.withLock { topics in
            guard !topics.isStarting(conversation) else { return nil }
            let last = topics.sequencer.last(conversation)
            guard last > 0 else { return missing }
            return .after(last, through: max(last, through))
        }
    }

    private func read(_ conversation: ConversationID, _ missing: TopicSequencer.Missing) async throws(Fault) -> [Event]
    {
        switch missing {
        case .range(let range): try await read(conversation, range)
        case .after(let last, let through): last < through ? try await read(conversation, last + 1...through) : []
        case .recent(let through): try await recent(conversation, through)
        }
    }

    private func read(_ conversation: ConversationID, _ range: ClosedRange<Int64>) async throws(Fault) -> [Event] {
        var events: [Event] = []
        var next = range.lowerBound
        while next <= range.upperBound, events.count < GatewayConfiguration.fillEvents {
            let page = try await services.conversations.events(
                conversation, from: next, through: range.upperBound, limit: GatewayConfiguration.catchUpPage,
                isCurrent: false)
            guard let last = page.last else { break }
            events.append(contentsOf: page)
            next = last.seq + 1
        }
        return events
    }

    /// Events up to `through` that were stored since somebody here is interested, or a little before: clocks differ. What was stored in that
    /// little while is known from the moment when the interest began (`start`), so that nothing comes twice.
    private func recent(_ conversation: ConversationID, _ through: Int64) async throws(Fault) -> [Event] {
        let floor = newsSince(conversation)
        var events: [Event] = []
        var upper = through
        while upper >= 1, events.count < GatewayConfiguration.fillEvents {
            let lower = max(1, upper - Int64(GatewayConfiguration.recentPage) + 1)
            let page = try await services.conversations.events(
                conversation, from: lower, through: upper, limit: GatewayConfiguration.recentPage, isCurrent: false)
            let recent = page.drop { $0.time < floor }
            events.insert(contentsOf: recent, at: 0)
            guard recent.count == GatewayConfiguration.recentPage else { break }
            upper = lower - 1
        }
        return events
    }

    /// The first event is there, or the bus would not have told of those behind it; unless the read was of what was
    /// trimmed since.
    private func isShort(_ events: [Event], _ missing: TopicSequencer.Missing) -> Bool {
        switch missing {
        case .range: events.isEmpty
        case .after(let last, let through): last < through && events.isEmpty
        case .recent: false
        }
    }

    private func filled(_ conversation: ConversationID, _ missing: TopicSequencer.Missing, _ read: [Event]) {
        let now = InterestTable.now
        let woken = topics.withLock { topics in
            var shares = noShares
            let waiting = topics.waiting.removeValue(forKey: conversation) ?? .init()
            let loops = interest.interest(in: conversation).loops
            var next = Self.first(read, missing)
            for event in Self.merge(read, waiting.events) where event.seq >= next {
                guard event.seq == next else { break }
                route(event, loops, &shares)
                next += 1
            }
            // Of a long stretch only a part was read; of a trimmed one there is nothing.
            let high = max(waiting.high, read.isEmpty ? 0 : Self.upper(missing))
            if next > high {
                topics.sequencer.filled(conversation, through: next - 1, now: now)
            } else {
                topics.sequencer.filling(conversation, through: next - 1, now: now)
                let rest = waiting.events.filter { $0.seq >= next }
                topics.waiting[conversation] = .init(events: rest, high: waiting.high)
                let through = (rest.map(\.seq).min() ?? high + 1) - 1
                fill(conversation, .range(next...max(next, through)))
            }
            return hand(shares, .now())
        }
        wake(woken)
    }

    /// Where delivery goes on. What was trimmed before it could be read is passed over: a session that misses it is told when it syncs.
    private static func first(_ read: [Event], _ missing: TopicSequencer.Missing) -> Int64 {
        switch missing {
        case .range(let range): read.first?.seq ?? range.upperBound + 1
        case .after(_, let through): read.first?.seq ?? through + 1
        case .recent(let through): read.first?.seq ?? through + 1
        }
    }

    private static func upper(_ missing: TopicSequencer.Missing) -> Int64 {
        switch missing {
        case .range(let range): range.upperBound
        case .after(_, let through), .recent(let through): through
        }
    }

    /// Both, ascending; of an event that is in both, the one that the bus brought, which knows who sent it.
    private static func merge(_ read: [Event], _ brought: [Event]) -> [Event] {
        var bySeq = Dictionary(read.map { ($0.seq, $0) }, uniquingKeysWith: { one, _ in one })
        for event in brought { bySeq[event.seq] = event }
        return bySeq.values.sorted { $0.seq < $1.seq }
    }
}
