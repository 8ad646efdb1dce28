import MartletBus
import MartletCore

extension PresenceWriter {
    func open(
        _ user: UserID, _ session: UInt64, _ device: DeviceKind = .web, _ same: SameDevice = .allow, limit: Int = 10
    ) async -> Admission {
        let opening = SessionOpening(
            user: user, session: SessionID(session), device: device.rawValue, sameDevice: same, limit: limit)
        return await withCheckedContinuation { continuation in
            opened(opening) { continuation.resume(returning: $0) }
        }
    }

    func close(_ user: UserID, _ session: UInt64) async -> Bool {
        await withCheckedContinuation { continuation in
            closed(user, SessionID(session)) { continuation.resume(returning: $0) }
        }
    }

    func enter(_ room: ConversationID, _ user: UserID) async -> Bool {
        await withCheckedContinuation { continuation in
            entered(room, user) { continuation.resume(returning: $0) }
        }
    }

    func leave(_ room: ConversationID, _ user: UserID) async -> Bool {
        await withCheckedContinuation { continuation in
            left(room, user) { continuation.resume(returning: $0) }
        }
    }
}
