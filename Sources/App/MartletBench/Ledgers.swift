/// What one sender sent, by counter: nothing is lost that was not acknowledged.
package struct SendLedger: Sendable {
    package private(set) var sent: UInt32 = 0
    package private(set) var acknowledged: UInt32 = 0
    package private(set) var refused: UInt32 = 0
    private var bits: [UInt64] = []

    package init() {}

    /// Answered either way.
    package var answered: UInt32 { acknowledged + refused }

    /// Takes the next counter.
    package mutating func send() -> UInt32 {
        defer { sent += 1 }
        return sent
    }

    /// False where that one was acknowledged before, or never sent.
    package mutating func acknowledge(_ counter: UInt32) -> Bool {
        guard counter < sent, !isAcknowledged(counter) else { return false }
        let word = Int(counter >> 6)
        while bits.count <= word { bits.append(0) }
        bits[word] |= 1 << UInt64(counter & 63)
        acknowledged += 1
        return true
    }

    package mutating func refuse() { refused += 1 }

    func isAcknowledged(_ counter: UInt32) -> Bool {
        let word = Int(counter >> 6)
        return word < bits.count && bits[word] & (1 << UInt64(counter & 63)) != 0
    }
}

/// What one receiver got of one sender in one conversation.
package struct DeliveryLedger: Sendable {
    package private(set) var delivered = 0
    package private(set) var repeated = 0
    /// Those that came after a later one.
    package private(set) var outOfOrder = 0
    private var next: UInt32 = 0
    /// Those before `next` that did not come yet.
    private var missing: Set<UInt32> = []

    package init() {}

    package mutating func receive(_ counter: UInt32) {
        if counter == next {
            delivered += 1
            next += 1
        } else if counter > next {
            // Refused sends leave holes too; whether a hole is a loss is known at the end.
            for hole in next..<counter { missing.insert(hole) }
            delivered += 1
            next = counter + 1
        } else if missing.remove(counter) != nil {
            delivered += 1
            outOfOrder += 1
        } else {
            repeated += 1
        }
    }

    /// Acknowledged messages that did not come.
    package func lost(of sender: SendLedger) -> Int {
        var lost = missing.count { sender.isAcknowledged($0) }
        var counter = next
        while counter < sender.sent {
            if sender.isAcknowledged(counter) { lost += 1 }
            counter += 1
        }
        return lost
    }
}

/// Counts how many of a loop's receivers have a sender's message, to know when all have it. Messages come in order, so
/// that those under way lie side by side.
package struct FanOutCount: Sendable {
    private let receivers: Int
    private var base: UInt32 = 0
    private var counts: [Int] = []

    package init(receivers: Int) { self.receivers = receivers }

    /// Returns how many further messages have reached everybody.
    package mutating func receive(_ counter: UInt32) -> Int {
        guard counter >= base else { return 0 }
        let index = Int(counter - base)
        while counts.count <= index { counts.append(0) }
        counts[index] += 1
        var done = 0
        while done < counts.count, counts[done] >= receivers { done += 1 }
        if done > 0 {
            counts.removeFirst(done)
            base += UInt32(done)
        }
        return done
    }

    /// A message that will reach nobody counts as one that did.
    mutating func skip(_ counter: UInt32) -> Int {
        guard counter >= base else { return 0 }
        let index = Int(counter - base)
        while counts.count <= index { counts.append(0) }
        counts[index] = receivers - 1
        return receive(counter)
    }
}
