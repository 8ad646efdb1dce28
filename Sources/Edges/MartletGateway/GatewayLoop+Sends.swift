import MartletCore
import MartletLog
import MartletWire
import NIOCore
import Synchronization

/// A send whose answer is awaited.
struct PendingSend {
    let session: Session
    let ticket: Ticket
    let request: AppendRequest
}

// The intake: sends of all sessions of the loop go to the log's writer together, and their answers come back together.
extension GatewayLoop: AppendLane {
    /// Queues a send. The batch leaves at the end of the turn, with what the loop's other sockets brought.
    func submit(_ draft: consuming Draft, _ session: Session, _ ticket: Ticket) {
        let slot = freeSends.popLast() ?? pendingSends.count
        let request = AppendRequest(draft: draft, token: slot, lane: self)
        let pending = PendingSend(session: session, ticket: ticket, request: request)
        if slot == pendingSends.count { pendingSends.append(pending) } else { pendingSends[slot] = pending }
        session.sendsInFlight += 1
        inFlight.wrappingAdd(1, ordering: .relaxed)
        gateway.metrics.sends.add()
        outgoing.append(request)
        guard !isSubmitScheduled else { return }
        isSubmitScheduled = true
        eventLoop.execute { [self] in
            isSubmitScheduled = false
            let batch = outgoing
            outgoing = []
            gateway.services.log.submit(batch)
        }
    }

    /// Called by the log, on its own thread.
    package func complete(_ requests: ArraySlice<AppendRequest>) { arrivals.withLock { $0.answered += requests } }

    func answer(_ request: AppendRequest) {
        let slot = request.token
        guard let pending = pendingSends[slot] else { return }
        pendingSends[slot] = nil
        freeSends.append(slot)
        inFlight.wrappingSubtract(1, ordering: .relaxed)
        let session = pending.session
        session.sendsInFlight -= 1
        guard session.isOpen else { return }
        // On a connection that somebody else has signed in on since, nobody waits for it.
        if request.draft.origin == session.id { answer(request, pending.ticket, session) }
        session.resume()
    }

    private func answer(_ request: AppendRequest, _ ticket: Ticket, _ session: Session) {
        switch request.outcome {
        case .success(let receipt):
            let conversation = request.draft.conversation
            session.stored(conversation, receipt.seq)
            session.write(session.dialect.stored(ticket, conversation, receipt, allocator))
        case .failure(let fault):
            session.refuse(fault, ticket)
        }
    }

    /// True where the event is a send of the session that has not been answered.
    func isPending(_ event: Event, _ session: Session) -> Bool {
        pendingSends.contains { pending in
            guard let pending, pending.session === session else { return false }
            return pending.request.draft.clientId == event.clientId
                && pending.request.draft.conversation == event.conversation
        }
    }

    /// Sends that the log has not answered; from any thread.
    var sendsAtWork: Int { inFlight.load(ordering: .relaxed) }
}
