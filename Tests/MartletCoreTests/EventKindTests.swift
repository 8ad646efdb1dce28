import MartletCore
import Testing

@Suite struct EventKindTests {
    @Test func hasOneNameForEachKind() {
        #expect(Set(EventKind.allCases.map(\.name)).count == EventKind.allCases.count)
    }

    @Test func letsClientsNameMessagesOnly() {
        for kind in EventKind.allCases { #expect(EventKind.message(named: kind.name) == (kind.isMessage ? kind : nil)) }
        #expect(EventKind.message(named: "Text") == nil)
    }

    @Test func keepsItsStoredNumbers() {
        #expect(EventKind.text.rawValue == 1)
        #expect(EventKind.custom.rawValue == 11)
        #expect(EventKind.edit.rawValue == 32)
        #expect(EventKind.membership.rawValue == 48)
        #expect(EventKind.friendRequest.rawValue == 64)
        #expect(EventKind.profileChanged.rawValue == 76)
    }
}
