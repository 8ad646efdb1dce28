import MartletBus
import MartletCore
import Synchronization

/// The local adapter answers before the call returns: what it said.
extension LocalPresence {
    private final class Answer<Value: Sendable>: Sendable {
        private let value = Mutex<Value?>(nil)
        var isThere: Value? { value.withLock { $0 } }
        func set(_ new: Value) { value.withLock { $0 = new } }
    }

    func opened(_ opening: SessionOpening) -> Admission? {
        let answer = Answer<Admission>()
        opened(opening) { answer.set($0) }
        return answer.isThere
    }

    func closed(_ user: UserID, _ session: SessionID) -> Bool? {
        let answer = Answer<Bool>()
        closed(user, session) { answer.set($0) }
        return answer.isThere
    }

    func entered(_ room: ConversationID, _ user: UserID) -> Bool? {
        let answer = Answer<Bool>()
        entered(room, user) { answer.set($0) }
        return answer.isThere
    }

    func left(_ room: ConversationID, _ user: UserID) -> Bool? {
        let answer = Answer<Bool>()
        left(room, user) { answer.set($0) }
        return answer.isThere
    }
}

/// A session of `user`'s that asks to be let in.
func opening(
    _ user: UserID, _ session: UInt64, _ device: DeviceKind = .web, _ same: SameDevice = .allow, limit: Int = 10
) -> SessionOpening {
    SessionOpening(user: user, session: SessionID(session), device: device.rawValue, sameDevice: same, limit: limit)
}
