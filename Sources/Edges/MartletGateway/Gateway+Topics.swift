import MartletCore
import NIOCore
import Synchronization

/// What the node knows of the order of conversations' events.
struct Topics {
    var sequencer = TopicSequencer()
    /// Events that wait for a gap before them to be filled.
    var waiting: [ConversationID: [Event]] = [:]
}

// In place of an owner of each topic, the node puts each conversation's events in order and hands them to every loop with a follower.
extension Gateway {
    /// Takes events from the broker, on any thread. Ordering an event is a look-up, too little to hop to another thread for: the loops that deliver
    /// are the only ones that are woken.
    package func receive(_ events: [Event]) {
        let committed = NIODeadline.now()
        // What is in order is handed on under the same lock, so that nobody comes in between and overtakes.
        let woken = topics.withLock { topics in
            var shares = noShares
            for event in events { sequence(event, &topics, &shares) }
            return hand(shares, committed)
        }
        wake(woken)
    }

    private func sequence(_ event: Event, _ topics: inout Topics, _ shares: inout [[Event]]) {
        switch topics.sequencer.accept(event.conversation, event.seq) {
        case .deliver: route(event, &shares)
        case .drop: break
        case .wait: topics.waiting[event.conversation, default: []].append(event)
        case .fill(let missing):
            topics.waiting[event.conversation, default: []].append(event)
            fill(event.conversation, missing)
        }
    }

    private var noShares: [[Event]] { Array(repeating: [], count: loops.count) }

    /// Adds an event to the shares of the loops with a follower.
    private func route(_ event: Event, _ shares: inout [[Event]]) {
        var interested = interest.loops(for: event.conversation)
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

    /// Reads what the bus lost from the log. Called under the lock, and comes back in work of its own.
    private func fill(_ conversation: ConversationID, _ missing: ClosedRange<Int64>) {
        metrics.gapsFilled.add()
        let isTaken = pool.submit { [self] in
            var events: [Event] = []
            var next = missing.lowerBound
            while next <= missing.upperBound {
                let page = try? await services.conversations.events(
                    conversation, from: next, through: missing.upperBound, limit: GatewayConfiguration.catchUpPage)
                guard let page, let last = page.last else { break }
                events.append(contentsOf: page)
                next = last.seq + 1
            }
            filled(conversation, events)
        }
        // The pool is full: a loop calls back once the lock is free.
        if !isTaken { loops[0].eventLoop.execute { self.filled(conversation, []) } }
    }

    private func filled(_ conversation: ConversationID, _ events: [Event]) {
        let woken = topics.withLock { topics in
            var shares = noShares
            let waited = (topics.waiting.removeValue(forKey: conversation) ?? []).sorted { $0.seq < $1.seq }
            var last: Int64 = 0
            for event in events + waited where event.seq > last {
                // Where the log could not be read, the sessions notice by the number and sync.
                route(event, &shares)
                last = event.seq
            }
            topics.sequencer.filled(conversation, through: last)
            return hand(shares, .now())
        }
        wake(woken)
    }
}
