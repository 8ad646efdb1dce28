import MartletBus
import MartletCore
import Testing

@Suite struct SessionListTests {
    private func opening(
        _ session: UInt64, _ device: DeviceKind = .web, _ rule: SameDevice = .allow, limit: Int = 8
    ) -> SessionOpening {
        SessionOpening(
            user: UserID(unchecked: 1), session: SessionID(session), device: device.rawValue, sameDevice: rule,
            limit: limit)
    }

    @Test func `Several devices are allowed`() {
        var list = SessionList()
        let (first, second) = (list.admit(opening(1)), list.admit(opening(2)))
        #expect(first == .admitted(isFirst: true, replaced: []))
        #expect(second == .admitted(isFirst: false, replaced: []))
    }

    @Test func `The oldest makes room past the limit`() {
        var list = SessionList()
        _ = list.admit(opening(1, limit: 1))
        let second = list.admit(opening(2, limit: 1))
        #expect(second == .admitted(isFirst: false, replaced: [SessionID(1)]))
    }

    @Test func `Replacing ends the same kind only`() {
        var list = SessionList()
        _ = list.admit(opening(1, .web, .replace))
        _ = list.admit(opening(2, .ios, .replace))
        let third = list.admit(opening(3, .web, .replace))
        #expect(third == .admitted(isFirst: false, replaced: [SessionID(1)]))
        #expect(list.entries.map(\.session) == [SessionID(2), SessionID(3)])
    }

    @Test func `Refusing keeps the older`() {
        var list = SessionList()
        _ = list.admit(opening(1, .web, .refuse))
        let second = list.admit(opening(2, .web, .refuse))
        #expect(second == .refused)
        let isGone = list.remove(SessionID(1))
        #expect(isGone)
        let third = list.admit(opening(2, .web, .refuse))
        #expect(third == .admitted(isFirst: true, replaced: []))
    }
}
