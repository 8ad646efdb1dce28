import MartletCore
import MartletWire
import NIOCore

/// An event on its way to a loop's sessions, encoded once for all of them.
struct Delivery: Sendable {
    let event: Event
    let frame: ByteBuffer
}

// The topic owner: puts a conversation's events in order and hands them to every loop with a follower.
extension GatewayLoop {
    /// Takes events of conversations that this loop owns, from any thread.
    func own(_ events: [Event], _ committed: NIODeadline) {
        eventLoop.execute { [self] in
            var shares: [Int: [Delivery]] = [:]
            for event in events { sequence(event, &shares) }
            send(shares, committed)
        }
    }

    private func sequence(_ event: Event, _ shares: inout [Int: [Delivery]]) {
        switch sequencer.accept(event.conversation, event.seq) {
        case .deliver: route(event, &shares)
        case .drop: break
        case .wait: waiting[event.conversation, default: []].append(event)
        case .fill(let missing):
            waiting[event.conversation, default: []].append(event)
            fill(event.conversation, missing)
        }
    }

    private func route(_ event: Event, _ shares: inout [Int: [Delivery]]) {
        var loops = gateway.interest.loops(for: event.conversation)
        guard loops != 0 else { return }
        let delivery = Delivery(event: event, frame: NativeEncoder.push(event, allocator: allocator))
        while loops != 0 {
            let index = loops.trailingZeroBitCount
            shares[index, default: []].append(delivery)
            loops &= loops - 1
        }
    }

    private func send(_ shares: [Int: [Delivery]], _ committed: NIODeadline) {
        for (index, deliveries) in shares {
            if index == self.index {
                deliver(deliveries, committed)
            } else {
                let loop = gateway.loop(index)
                loop.eventLoop.execute { loop.deliver(deliveries, committed) }
            }
        }
    }

    /// Reads what the bus lost from the log.
    private func fill(_ conversation: ConversationID, _ missing: ClosedRange<Int64>) {
        gateway.metrics.gapsFilled.add()
        let gateway = gateway
        let isTaken = gateway.pool.submit { [self] in
            var events: [Event] = []
            var next = missing.lowerBound
            while next <= missing.upperBound {
                let page = try? await gateway.services.conversations.events(
                    conversation, from: next, through: missing.upperBound, limit: GatewayConfiguration.catchUpPage)
                guard let page, let last = page.last else { break }
                events.append(contentsOf: page)
                next = last.seq + 1
            }
            let found = events
            eventLoop.execute { self.filled(conversation, found) }
        }
        if !isTaken { filled(conversation, []) }
    }

    private func filled(_ conversation: ConversationID, _ events: [Event]) {
        var shares: [Int: [Delivery]] = [:]
        let waited = (waiting.removeValue(forKey: conversation) ?? []).sorted { $0.seq < $1.seq }
        var last: Int64 = 0
        for event in events + waited where event.seq > last {
            // Where the log could not be read, the sessions notice by the number and sync.
            route(event, &shares)
            last = event.seq
        }
        sequencer.filled(conversation, through: last)
        send(shares, .now())
    }
}
