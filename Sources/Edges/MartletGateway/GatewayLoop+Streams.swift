import DequeModule
import Logging
import MartletCore
import MartletMessaging
import MartletWire
import NIOCore
import Synchronization

/// What a loop keeps for clients on bare TCP.
struct StreamWork {
    /// Sessions whose next message has to wait, in the order of their turns.
    var paced: Deque<(turn: NIODeadline, session: Session)> = []
    var isTurnAwaited = false
    /// Sessions whose socket had not taken everything when it was last looked at.
    var unconfirmed: [Session] = []
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

    /// What is due so soon is written at once: one timer does for all whose turns come together.
    static let turnLeeway = TimeAmount.microseconds(200)

    /// Comes back to the session.
    func pace(_ session: Session, until turn: NIODeadline) {
        // Nearly always the last.
        var place = streamWork.paced.endIndex
        while place > streamWork.paced.startIndex, streamWork.paced[place - 1].turn > turn { place -= 1 }
        streamWork.paced.insert((turn, session), at: place)
        awaitTurn()
    }

    private func awaitTurn() {
        guard !streamWork.isTurnAwaited, let next = streamWork.paced.first else { return }
        streamWork.isTurnAwaited = true
        eventLoop.scheduleTask(deadline: next.turn) { [self] in
            streamWork.isTurnAwaited = false
            let latest = NIODeadline.now() + Self.turnLeeway
            var due: [Session] = []
            while let next = streamWork.paced.first, next.turn <= latest {
                due.append(next.session)
                streamWork.paced.removeFirst()
            }
            for session in due { session.turnCame() }
            flushDirty()
            awaitTurn()
        }
    }

    // MARK: What clients have received

    /// Asks the sockets again that had not taken everything.
    func confirmStreams() {
        let sessions = streamWork.unconfirmed
        streamWork.unconfirmed = []
        for session in sessions { session.confirmAgain() }
    }

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
        let waiters = Waiters(waiting)
        // Where the store hangs, nobody is kept out for it: then something comes twice.
        if !waiting.isEmpty { eventLoop.scheduleTask(in: .seconds(5)) { waiters.release() } }
        let isTaken = gateway.pool.submit { [self] in
            let isSaved = await save(taken)
            waiters.release()
            eventLoop.execute { [self] in
                streamWork.isSaving = false
                if !isSaved { putBack(taken) }
                if !streamWork.whenSaved.isEmpty { saveReceived() }
            }
        }
        if isTaken { return }
        streamWork.isSaving = false
        putBack(taken)
        waiters.release()
    }

    /// True where everything is written down.
    var hasSaved: Bool { !streamWork.isSaving && streamWork.received.isEmpty }

    private func save(_ taken: [ReceivedKey: Int64]) async -> Bool {
        let rows = taken.compactMap { key, seq -> ReceivedCursor? in
            let manners = gateway.services.dialects[Int(key.dialect)].dialect.manners
            return manners.device.map {
                ReceivedCursor(user: key.user, device: $0, conversation: key.conversation, seq: seq)
            }
        }
        do throws(Fault) {
            for start in stride(from: 0, to: rows.count, by: Self.savedAtOnce) {
                try await gateway.services.rosters.received(Array(rows[start...].prefix(Self.savedAtOnce)))
            }
            return true
        } catch {
            gateway.metrics.unsavedCursors.add()
            gateway.logger.warning(
                "what clients have received is not written down yet",
                metadata: ["rows": "\(rows.count)", "cause": "\(error.cause ?? error.message)"])
            return false
        }
    }

    private func putBack(_ taken: [ReceivedKey: Int64]) {
        // A database that is away for long is not to fill the memory: what is forgotten comes once more.
        guard streamWork.received.count < Self.rememberedCursors else { return }
        streamWork.received.merge(taken) { max($0, $1) }
    }

    private static let rememberedCursors = 100_000
    private static let savedAtOnce = 1000
}

/// Those who wait for a save; released once.
private final class Waiters: Sendable {
    private let actions: Mutex<[@Sendable () -> Void]>

    init(_ actions: [@Sendable () -> Void]) { self.actions = Mutex(actions) }

    func release() {
        let released = actions.withLock { actions in
            defer { actions = [] }
            return actions
        }
        for action in released { action() }
    }
}
