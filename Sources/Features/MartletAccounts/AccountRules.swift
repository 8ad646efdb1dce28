import Foundation
import MartletCore

/// Pure decisions about accounts: what a name, a password or an address may be, and who may be banned.
package enum AccountRules {
    // MARK: Names

    /// A name as it is kept and shown: composed (NFC). Throws `invalid_field` unless it has 2 to 32 letters and digits
    /// of any script, `_`, `.` and `-`. Marks that a script writes with its letters count as letters.
    package static func username(_ text: String) throws(Fault) -> String {
        let name = text.precomposedStringWithCanonicalMapping
        guard Limits.username.contains(name.unicodeScalars.count) else {
            throw .invalid("username", "2 to 32 characters are expected")
        }
        guard isNameText(name) else {
            throw .invalid("username", "letters, digits, _, . and - are expected")
        }
        return name
    }

    /// What makes two names the same name: letters of any case, however composed.
    package static func usernameKey(_ name: String) -> String {
        name.precomposedStringWithCanonicalMapping.lowercased().precomposedStringWithCanonicalMapping
    }

    /// A guest's key has a character that no username has, so that nobody can register it.
    static func guestKey(_ id: UserID) -> String { "~guest-\(id.value)" }

    /// How long a named guest's name is, in bytes of UTF-8: what the clients that have such names allow.
    private static let namedGuestBytes = 1...19

    /// A named guest's key: it has a character that no username has, and the name as it was given, since the clients
    /// that come as named guests tell names of different case apart.
    static func namedGuestKey(_ name: String) -> String { "~acc:" + name }

    /// A name that somebody comes in with as a guest, as it was given. Throws `invalid_field` (`userId`) unless it has 1
    /// to 19 bytes, all of them fit to be shown.
    static func namedGuest(_ name: String) throws(Fault) -> String {
        guard namedGuestBytes.contains(name.utf8.count) else {
            throw .invalid("userId", "1 to 19 bytes are expected")
        }
        try requireVisible(name, field: "userId")
        return name
    }

    /// Whether it makes sense to look for anybody of this name.
    static func canBeName(_ name: String) -> Bool {
        name.utf8.count <= 4 * Limits.username.upperBound && name.unicodeScalars.allSatisfy { !isDeceptive($0) }
    }

    /// The key of the username that a guest's name would be taken for: what cannot be seen makes no other name, nor does another form of the same
    /// letters (NFKC). Letters of other scripts that look alike are other letters.
    static func lookAlikeKey(_ name: String) -> String {
        var scalars = String.UnicodeScalarView()
        scalars.append(contentsOf: name.precomposedStringWithCompatibilityMapping.unicodeScalars.filter(isDrawn))
        return usernameKey(trimmed(String(scalars)))
    }

    /// False for characters that leave no mark of their own.
    private static func isDrawn(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.generalCategory != .format && !scalar.properties.isDefaultIgnorableCodePoint
    }

    private static func isNameText(_ name: String) -> Bool {
        var followsLetter = false
        for scalar in name.unicodeScalars {
            guard isDrawn(scalar) else { return false }
            switch scalar.properties.generalCategory {
            case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
                followsLetter = true
            case .nonspacingMark, .spacingMark: guard followsLetter else { return false }
            case .decimalNumber: followsLetter = false
            default:
                guard scalar == "_" || scalar == "." || scalar == "-" else { return false }
                followsLetter = false
            }
        }
        return true
    }

    /// A nickname without the space around it. Throws `invalid_field` for control characters, for those that turn the
    /// direction of text around (a name could pretend to be another), and for one without anything to see.
    package static func nickname(_ text: String) throws(Fault) -> String { try shownName(text, field: "nickname") }

    /// A name that is only shown, by the rules of nicknames.
    static func shownName(_ text: String, field: String) throws(Fault) -> String {
        let name = trimmed(text)
        guard Limits.nickname.contains(name.unicodeScalars.count) else {
            throw .invalid(field, "1 to 64 characters are expected")
        }
        try requireVisible(name, field: field)
        return name
    }

    private static func requireVisible(_ name: String, field: String) throws(Fault) {
        guard name.unicodeScalars.allSatisfy({ !isDeceptive($0) }), name.unicodeScalars.contains(where: isVisible)
        else { throw .invalid(field, "only characters that can be seen are allowed") }
    }

    private static func trimmed(_ text: String) -> String { text.trimmingCharacters(in: .whitespacesAndNewlines) }

    private static func isDeceptive(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Bidirectional embeddings, overrides and isolates.
        case 0x202A...0x202E, 0x2066...0x2069: true
        default:
            switch scalar.properties.generalCategory {
            case .control, .lineSeparator, .paragraphSeparator: true
            default: false
            }
        }
    }

    private static func isVisible(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.properties.isWhitespace && isDrawn(scalar)
    }

    // MARK: Passwords

    /// A password as it is hashed: composed (NFC), so that every keyboard writes the same. Throws `invalid_field`
    /// unless it has 8 to 128 characters.
    package static func password(_ text: String, field: String = "password") throws(Fault) -> String {
        let password = text.precomposedStringWithCanonicalMapping
        guard Limits.password.contains(password.unicodeScalars.count) else {
            throw .invalid(field, "8 to 128 characters are expected")
        }
        return password
    }

    /// A password of those whose clients know no rule for one: composed (NFC) as the others. Throws `invalid_field` unless
    /// it has 1 to 128 characters.
    static func plainPassword(_ text: String) throws(Fault) -> String {
        let password = text.precomposedStringWithCanonicalMapping
        guard (1...Limits.password.upperBound).contains(password.unicodeScalars.count) else {
            throw .invalid("password", "1 to 128 characters are expected")
        }
        return password
    }

    /// A password as somebody tried it, however short; nil where it is longer than any can be.
    static func passwordTry(_ text: String) -> String? {
        let password = text.precomposedStringWithCanonicalMapping
        return password.unicodeScalars.count <= Limits.password.upperBound ? password : nil
    }

    // MARK: Profile

    /// An address as it stands; empty for none.
    package static func email(_ text: String) throws(Fault) -> String {
        let email = trimmed(text)
        if email.isEmpty { return email }
        let parts = email.split(separator: "@", omittingEmptySubsequences: false)
        guard email.utf8.count <= 254, parts.count == 2, (1...64).contains(parts[0].utf8.count), isDomain(parts[1]),
            email.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && !isDeceptive($0) })
        else { throw .invalid("email", "not an email address") }
        return email
    }

    private static func isDomain(_ text: Substring) -> Bool {
        let labels = text.split(separator: ".", omittingEmptySubsequences: false)
        return labels.count >= 2 && labels.allSatisfy { !$0.isEmpty && !$0.hasPrefix("-") && !$0.hasSuffix("-") }
    }

    /// A telephone number: 5 to 20 digits, `+` before them, spaces and hyphens between them; empty for none.
    package static func phone(_ text: String) throws(Fault) -> String {
        let phone = trimmed(text)
        if phone.isEmpty { return phone }
        let digits = phone.utf8.count { $0 >= 0x30 && $0 <= 0x39 }
        let rest = phone.utf8.dropFirst(phone.hasPrefix("+") ? 1 : 0)
        guard (5...20).contains(digits), phone.utf8.count <= 32,
            rest.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 || $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "-") })
        else { throw .invalid("phone", "not a telephone number") }
        return phone
    }

    /// A picture's address: `http:`, `https:` or a path of this server (beginning with one `/`); empty for none.
    package static func avatar(_ text: String) throws(Fault) -> String {
        let avatar = trimmed(text)
        if avatar.isEmpty { return avatar }
        let lowercased = avatar.lowercased()
        let isAddress = ["http://", "https://"].contains { lowercased.hasPrefix($0) && lowercased.count > $0.count }
        let isPath = avatar.hasPrefix("/") && !avatar.hasPrefix("//")
        guard avatar.utf8.count <= 1024, isAddress || isPath,
            avatar.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") && $0 != UInt8(ascii: "\"") }),
            avatar.unicodeScalars.allSatisfy({ !$0.properties.isWhitespace && !isDeceptive($0) })
        else { throw .invalid("avatar", "http:, https: or a path beginning with one / is expected") }
        return avatar
    }

    /// What one says of oneself, of several lines; empty for nothing.
    package static func bio(_ text: String) throws(Fault) -> String {
        let bio = trimmed(text)
        guard bio.unicodeScalars.count <= 512,
            bio.unicodeScalars.allSatisfy({ $0 == "\n" || $0 == "\r" || $0 == "\t" || !isDeceptive($0) })
        else { throw .invalid("bio", "up to 512 characters that can be seen are expected") }
        return bio
    }

    // MARK: Bans

    /// Who may be banned until when. Administrators are not: their role is taken away first, by the operator.
    static func requireBan(of target: Account, until: Instant, now: Instant) throws(Fault) {
        guard until > now else { throw .invalid("until", "a time to come is expected") }
        guard target.role != .admin else { throw Fault(.notAllowed, "administrators cannot be banned") }
    }

    /// Throws `banned` while the account is.
    static func requireNotBanned(_ account: Account, now: Instant) throws(Fault) {
        guard account.bannedUntil <= now else { throw Fault(.banned, "this account is banned") }
    }
}
