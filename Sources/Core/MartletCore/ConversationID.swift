/// Where events are ordered. The text forms are what clients see: `d:5:9`, `g:12`, `r:1`, `r:1:lobby`, `u:5`.
package enum ConversationID: Hashable, Sendable {
    /// Two users; the lower id first.
    case direct(UserID, UserID)
    case group(GroupID)
    /// An app's world room, or a named room of it.
    case room(AppID, String?)
    /// A user's own inbox.
    case inbox(UserID)

    /// The direct conversation of two users, or nil where both are the same user.
    package static func between(_ one: UserID, _ other: UserID) -> ConversationID? {
        guard one != other else { return nil }
        return one < other ? .direct(one, other) : .direct(other, one)
    }

    /// The other side of a direct conversation, or nil where `user` is not part of one.
    package func peer(of user: UserID) -> UserID? {
        guard case .direct(let low, let high) = self else { return nil }
        if user == low { return high }
        return user == high ? low : nil
    }

    package var text: String {
        switch self {
        case .direct(let low, let high): "d:\(low.value):\(high.value)"
        case .group(let id): "g:\(id.value)"
        case .room(let app, nil): "r:\(app.value)"
        case .room(let app, .some(let name)): "r:\(app.value):\(name)"
        case .inbox(let user): "u:\(user.value)"
        }
    }

    /// Reads a text form; nil for anything that `text` would not have written (so that one conversation has one name).
    package init?(_ text: some StringProtocol) {
        let bytes = Array(text.utf8)
        self.init(utf8: bytes.span)
    }

    /// Reads a text form from its bytes, without making a string but for a room's name.
    package init?(utf8 bytes: Span<UInt8>) {
        guard bytes.count >= 3, bytes.count <= Limits.conversationIdBytes, bytes[1] == UInt8(ascii: ":") else {
            return nil
        }
        var position = 2
        guard let first = Self.readNumber(bytes, &position) else { return nil }
        switch bytes[0] {
        case UInt8(ascii: "d"):
            guard position < bytes.count, bytes[position] == UInt8(ascii: ":") else { return nil }
            position += 1
            guard let second = Self.readNumber(bytes, &position), position == bytes.count, first < second,
                let low = UserID(first), let high = UserID(second)
            else { return nil }
            self = .direct(low, high)
        case UInt8(ascii: "g"):
            guard position == bytes.count, let id = GroupID(first) else { return nil }
            self = .group(id)
        case UInt8(ascii: "u"):
            guard position == bytes.count, let id = UserID(first) else { return nil }
            self = .inbox(id)
        case UInt8(ascii: "r"):
            guard let app = AppID(first) else { return nil }
            guard position < bytes.count else {
                self = .room(app, nil)
                return
            }
            guard bytes[position] == UInt8(ascii: ":"), let name = Self.readRoomName(bytes, position + 1) else {
                return nil
            }
            self = .room(app, name)
        default:
            return nil
        }
    }

    /// Digits without a leading zero, up to 2^53.
    private static func readNumber(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        let start = position
        var value: Int64 = 0
        while position < bytes.count, bytes[position] >= 0x30, bytes[position] <= 0x39 {
            guard position - start < 16 else { return nil }
            value = value * 10 + Int64(bytes[position] - 0x30)
            position += 1
        }
        guard position > start, bytes[start] != 0x30, value <= maximumIdentifier else { return nil }
        return value
    }

    /// A room's name: 1 to 32 of lower-case letters, digits, `-` and `_`.
    private static func readRoomName(_ bytes: Span<UInt8>, _ start: Int) -> String? {
        let count = bytes.count - start
        guard count >= 1, count <= 32 else { return nil }
        var name: [UInt8] = []
        name.reserveCapacity(count)
        for index in start..<bytes.count {
            let byte = bytes[index]
            let isLetter = byte >= UInt8(ascii: "a") && byte <= UInt8(ascii: "z")
            let isDigit = byte >= 0x30 && byte <= 0x39
            guard isLetter || isDigit || byte == UInt8(ascii: "-") || byte == UInt8(ascii: "_") else { return nil }
            name.append(byte)
        }
        return String(decoding: name, as: UTF8.self)
    }
}
