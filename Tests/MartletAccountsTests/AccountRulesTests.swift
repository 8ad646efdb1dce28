import MartletCore
import Testing

@testable import MartletAccounts

@Suite struct AccountRulesTests {
    @Test(arguments: [
        "al", "alice", "Alice_B.c-9", "李雷", "Ångström", "देवनागरी", "мартин", String(repeating: "a", count: 32),
    ])
    func usernamesOfAnyScript(_ name: String) throws {
        #expect(try AccountRules.username(name).count >= 2)
    }

    @Test(arguments: [
        "", "a", "a b", "a\nb", "a@b", "a/b", "a:b", "~guest-1", "a\u{202E}b", "a\u{200B}b", "👍👍", "\u{0301}ab",
        String(repeating: "a", count: 33),
    ])
    func otherUsernamesAreRefused(_ name: String) async {
        await #expect(reason { () throws(Fault) in _ = try AccountRules.username(name) } == .invalidField)
    }

    @Test func namesAreOneNameWithoutRegardToCaseAndComposition() throws {
        #expect(AccountRules.usernameKey("ALICE") == AccountRules.usernameKey("alice"))
        #expect(AccountRules.usernameKey("e\u{0301}") == AccountRules.usernameKey("\u{00C9}"))
        #expect(try AccountRules.username("e\u{0301}a").unicodeScalars.count == 2)
    }

    @Test func noUsernameIsAGuestsKey() async {
        let key = AccountRules.guestKey(UserID(unchecked: 1))
        await #expect(reason { () throws(Fault) in _ = try AccountRules.username(key) } == .invalidField)
    }

    @Test func passwordsHaveEightToAHundredAndTwentyEightCharacters() async throws {
        for count in [8, 128] {
            #expect(try AccountRules.password(String(repeating: "字", count: count)).count == count)
        }
        for count in [0, 7, 129] {
            let text = String(repeating: "x", count: count)
            await #expect(reason { () throws(Fault) in _ = try AccountRules.password(text) } == .invalidField)
        }
    }

    @Test func nicknamesAreTrimmed() throws {
        #expect(try AccountRules.nickname("  Alice B \t") == "Alice B")
    }

    @Test(arguments: ["", "   ", "a\u{0007}b", "a\u{202E}b", "a\u{2066}b", "\u{200B}", "a\u{2028}b"])
    func nicknamesThatDeceiveAreRefused(_ name: String) async {
        await #expect(reason { () throws(Fault) in _ = try AccountRules.nickname(name) } == .invalidField)
    }

    @Test(arguments: ["", "/files/a", "https://example.org/a.png", "HTTP://example.org/a"])
    func avatarsHaveAnAddress(_ avatar: String) throws {
        #expect(try AccountRules.avatar(avatar) == avatar)
    }

    @Test(arguments: [
        "//evil.example/a", "javascript:alert(1)", "data:image/png,x", "https://", "/a b", "/\\evil", "a.png",
    ])
    func otherAvatarsAreRefused(_ avatar: String) async {
        await #expect(reason { () throws(Fault) in _ = try AccountRules.avatar(avatar) } == .invalidField)
    }

    @Test func emailAndPhone() async throws {
        #expect(try AccountRules.email(" a@b.example ") == "a@b.example")
        #expect(try AccountRules.phone("+49 30-123456") == "+49 30-123456")
        for email in ["a", "a@b", "@b.c", "a@@b.c", "a b@c.d", "a@.c"] {
            await #expect(reason { () throws(Fault) in _ = try AccountRules.email(email) } == .invalidField)
        }
        for phone in ["1234", "+", "12a456", "++123456", String(repeating: "1", count: 21)] {
            await #expect(reason { () throws(Fault) in _ = try AccountRules.phone(phone) } == .invalidField)
        }
    }
}
