import MartletCore

/// Reads a frame's bytes in order. Never reads beyond them, and reserves nothing for what is only announced.
struct BusFrameReader {
    private let bytes: [UInt8]
    var position = 0

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var end: Int { bytes.count }
    var isAtEnd: Bool { position == bytes.count }

    mutating func byte() throws(BusFrame.Damage) -> UInt8 {
        guard position < bytes.count else { throw BusFrame.Damage() }
        defer { position += 1 }
        return bytes[position]
    }

    mutating func number<Number: FixedWidthInteger>() throws(BusFrame.Damage) -> Number {
        var value: Number = 0
        for _ in 0..<MemoryLayout<Number>.size { value = (value << 8) | Number(truncatingIfNeeded: try byte()) }
        return value
    }

    private mutating func take(_ count: Int) throws(BusFrame.Damage) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw BusFrame.Damage() }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func short() throws(BusFrame.Damage) -> String {
        let count: UInt16 = try number()
        return String(decoding: try take(Int(count)), as: UTF8.self)
    }

    private mutating func flag() throws(BusFrame.Damage) -> Bool {
        switch try byte() {
        case 0: false
        case 1: true
        default: throw BusFrame.Damage()
        }
    }

    private mutating func conversation() throws(BusFrame.Damage) -> ConversationID {
        let count: UInt16 = try number()
        let text = try take(Int(count))
        guard let conversation = ConversationID(utf8: text.span) else { throw BusFrame.Damage() }
        return conversation
    }

    /// The system itself is one, too.
    private mutating func user() throws(BusFrame.Damage) -> UserID {
        let value: Int64 = try number()
        guard value >= 0, value <= maximumIdentifier else { throw BusFrame.Damage() }
        return UserID(unchecked: value)
    }

    private mutating func users() throws(BusFrame.Damage) -> [UserID] {
        let count: UInt32 = try number()
        guard Int(count) <= (bytes.count - position) / 8 else { throw BusFrame.Damage() }
        var users: [UserID] = []
        users.reserveCapacity(Int(count))
        for _ in 0..<count { users.append(try user()) }
        return users
    }

    private mutating func audience() throws(BusFrame.Damage) -> Audience {
        switch try byte() {
        case 0: .followers
        case 1: .users(try users())
        default: throw BusFrame.Damage()
        }
    }

    /// An event that ends at `end` or, written by a newer version, before it.
    mutating func event(before end: Int) throws(BusFrame.Damage) -> Event {
        let conversation = try conversation()
        let seq: Int64 = try number()
        let ordinal: Int64 = try number()
        let sender = try user()
        let name = try short()
        guard let kind = EventKind(rawValue: try number()) else { throw BusFrame.Damage() }
        let clientId = try short()
        let time: Int64 = try number()
        let origin: UInt64 = try number()
        var body: [UInt8]?
        if try flag() {
            let count: UInt32 = try number()
            body = Array(try take(Int(count)))
        }
        guard seq > 0, position <= end else { throw BusFrame.Damage() }
        return Event(
            conversation: conversation, seq: seq, ordinal: ordinal, sender: sender, senderName: name, kind: kind,
            clientId: clientId, time: Instant(milliseconds: time), body: body, origin: SessionID(origin))
    }

    mutating func signal() throws(BusFrame.Damage) -> Signal {
        switch try byte() {
        case 1: return .typing(try conversation(), by: try user(), to: try audience())
        case 2: return .read(try conversation(), by: try user(), seq: try number(), to: try audience())
        case 3: return .delivered(try conversation(), by: try user(), seq: try number(), to: try audience())
        case 4: return .presence(try user(), online: try flag(), to: try users())
        case 5:
            return .room(try conversation(), user: try user(), username: try short(), here: try flag())
        case 6:
            let conversation = try conversation()
            let user = try user()
            return .rightsChanged(conversation, user == .system ? nil : user)
        case 7:
            let user = try user()
            let family: Int64 = try number()
            let except: Int64 = try number()
            guard let reason = RevocationReason(rawValue: try short()) else { throw BusFrame.Damage() }
            return .revoked(user, family: family, except: except, reason)
        case 8:
            let user = try user()
            let count: UInt32 = try number()
            guard Int(count) <= (bytes.count - position) / 8 else { throw BusFrame.Damage() }
            var sessions: [SessionID] = []
            for _ in 0..<count { sessions.append(SessionID(try number())) }
            return .replaced(user, sessions)
        case 9: return .missed
        default: throw BusFrame.Damage()
        }
    }
}
