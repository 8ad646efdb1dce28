import DequeModule
import MartletCore
import MartletMessaging
import MartletWire
import NIOCore

/// What a loop keeps for clients on bare TCP.
struct StreamWork {
    /// Sessions whose next message has to wait, in the order of their turns.
    var paced: Deque<(turn: NIODeadline, session: Session)> = []
    /// What clients have received and nobody has written down yet.
    var received: [ReceivedKey: Int64] = [:]
    var isSaving = false
    /// Called once what was received by now is written down.
    var whenSaved: [@Sendable () -> Void] = []
}

/// A conversation of a user on a device.
struct ReceivedKey: Hashable {
    let user: UserID
    let dialect: UInt8
    let conversation: ConversationID
}

extension GatewayLoop {
    // MARK: Turns

    /// Comes back to the session. Turns differ little, so that one timer at a time is enough for all.
    func pace(_ session: Session, until turn: NIODeadline) {
        streamWork.paced.append((turn, session))
        if streamWork.paced.count == 1 { awaitTurn(turn) }
    }

    private func awaitTurn(_ turn: NIODeadline) {
        eventLoop.scheduleTask(deadline: turn) { [self] in
            let now = NIODeadline.now()
            // Those whose turn comes within a moment need no timer of their own.
            var due = streamWork.paced.count
            while due > 0, let next = streamWork.paced.first, next.turn <= now + .microseconds(200) {
                due -= 1
                streamWork.paced.removeFirst()
                next.session.turnCame()
            }
            flushDirty()
            if let next = streamWork.paced.first { awaitTurn(next.turn) }
        }
    }

    // MARK: What clients have received

    func received(_ user: UserID, _ session: Session, _ conversation: ConversationID, _ seq: Int64) {
        let key = ReceivedKey(user: user, dialect: session.dialectIndex, conversation: conversation)
        if let known = streamWork.received[key], known >= seq { return }
        streamWork.received[key] = seq
    }

    /// Called once a second, together for all, since one commit costs as much as one for each; and where somebody leaves. `then` is called, on any
    /// thread, once all that was received by now is written down: before anybody can come in who would get it again.
    func saveReceived(then: (@Sendable () -> Void)? = nil) {
        if let then { streamWork.whenSaved.append(then) }
        guard !streamWork.isSaving, !streamWork.received.isEmpty || !streamWork.whenSaved.isEmpty else { return }
        let (taken, waiting) = (streamWork.received, streamWork.whenSaved)
        streamWork.received = [:]
        streamWork.whenSaved = []
        streamWork.isSaving = true
        let isTaken = gateway.pool.submit { [self] in
            let isSaved = await save(taken)
            for action in waiting { action() }
            eventLoop.execute { [self] in
                streamWork.isSaving = false
                if !isSaved { putBack(taken) }
                if !streamWork.whenSaved.isEmpty { saveReceived() }
            }
        }
        if isTaken { return }
        streamWork.isSaving = false
        putBack(taken)
        for action in waiting { action() }
    }

    private func save(_ taken: [ReceivedKey: Int64]) async -> Bool {
        let rows = taken.compactMap { key, seq -> ReceivedCursor? in
            let manners = gateway.services.dialects[Int(key.dialect)].dialect.manners
            return manners.device.map {
                ReceivedCursor(user: key.user, device: $0, conversation: key.conversation, seq: seq)
            }
        }
        do throws(Fault) {
            if !rows.isEmpty { try await gateway.services.rosters.received(rows) }
            return true
        } catch {
            return false
        }
    }

    private func putBack(_ taken: [ReceivedKey: Int64]) {
        // A database that is away for long is not to fill the memory: what is forgotten comes once more.
        guard streamWork.received.count < Self.rememberedCursors else { return }
        streamWork.received.merge(taken) { max($0, $1) }
    }

    private static let rememberedCursors = 100_000
}
