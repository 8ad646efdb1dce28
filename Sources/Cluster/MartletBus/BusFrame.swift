import MartletCore

/// What one node tells the others at once, as bytes: a version, the sender's incarnation, and events or a signal. Numbers
/// are big-endian. A reader drops what it does not know, because during an upgrade newer nodes speak, too; each event has
/// its length before it, so that newer versions may append fields.
///
///     version:1  sender:8  kind:1  (1: (length:4 event)*   2: number:8 signal)
package struct BusFrame: Sendable {
    package enum Content: Sendable {
        /// The damaged or unknown ones are left out, and counted.
        case events([Event], dropped: Int)
        /// `number`: the same where one signal went to several topics; 0 where it went to one.
        case signal(Signal, number: UInt64)
    }

    package static let version: UInt8 = 1
    package static let headBytes = 10
    /// Of a frame. A single event never comes near.
    package static let bytes = 1 << 20

    package let sender: UInt64
    package let content: Content

    /// What can't be read.
    package struct Damage: Error, Equatable {
        package init() {}
    }

    /// Nil where the bytes are too few to tell. To drop one's own frames without reading them.
    package static func sender(of bytes: Span<UInt8>) -> UInt64? {
        guard bytes.count >= headBytes else { return nil }
        var sender: UInt64 = 0
        for index in 1...8 { sender = sender << 8 | UInt64(bytes[index]) }
        return sender
    }

    package init(_ bytes: [UInt8]) throws(Damage) {
        var reader = BusFrameReader(bytes)
        guard try reader.byte() == Self.version else { throw Damage() }
        sender = try reader.number()
        switch try reader.byte() {
        case 1: content = try Self.events(&reader)
        case 2:
            let number: UInt64 = try reader.number()
            content = .signal(try reader.signal(), number: number)
        default: throw Damage()
        }
    }

    private static func events(_ reader: inout BusFrameReader) throws(Damage) -> Content {
        var events: [Event] = []
        var dropped = 0
        while !reader.isAtEnd {
            let length: UInt32 = try reader.number()
            let end = reader.position + Int(length)
            guard end <= reader.end else { throw Damage() }
            do throws(Damage) {
                events.append(try reader.event(before: end))
            } catch {
                dropped += 1
            }
            reader.position = end
        }
        return .events(events, dropped: dropped)
    }

    /// What every frame begins with; events follow, each written by `append`.
    package static func eventsHead(sender: UInt64) -> [UInt8] { head(sender, 1) }

    package static func signal(_ signal: Signal, number: UInt64, sender: UInt64) -> [UInt8] {
        var bytes = head(sender, 2)
        bytes.appendNumber(number)
        bytes.append(signal: signal)
        return bytes
    }

    private static func head(_ sender: UInt64, _ kind: UInt8) -> [UInt8] {
        var bytes = [version]
        bytes.appendNumber(sender)
        bytes.append(kind)
        return bytes
    }

    /// Appends one event with its length.
    package static func append(_ event: Event, to bytes: inout [UInt8]) {
        let start = bytes.count
        bytes.appendNumber(UInt32(0))
        bytes.append(conversation: event.conversation)
        bytes.appendNumber(event.seq)
        bytes.appendNumber(event.ordinal)
        bytes.appendNumber(event.sender.value)
        bytes.append(short: event.senderName)
        bytes.appendNumber(event.kind.rawValue)
        bytes.append(short: event.clientId)
        bytes.appendNumber(event.time.milliseconds)
        bytes.appendNumber(event.origin.value)
        // No body is something else than an empty one.
        bytes.append(event.body == nil ? 0 : 1)
        if let body = event.body {
            bytes.appendNumber(UInt32(body.count))
            bytes.append(contentsOf: body)
        }
        let length = UInt32(bytes.count - start - 4)
        for index in 0..<4 { bytes[start + index] = UInt8(truncatingIfNeeded: length >> (24 - 8 * UInt32(index))) }
    }
}

extension [UInt8] {
    fileprivate mutating func appendNumber(_ value: some FixedWidthInteger) {
        var shift = type(of: value).bitWidth
        while shift > 0 {
            shift -= 8
            append(UInt8(truncatingIfNeeded: value >> shift))
        }
    }

    /// At most 65,535 bytes; what is longer is cut, which no checked name is.
    fileprivate mutating func append(short text: String) {
        let bytes = text.utf8.prefix(Int(UInt16.max))
        appendNumber(UInt16(bytes.count))
        append(contentsOf: bytes)
    }

    fileprivate mutating func append(conversation: ConversationID) { append(short: conversation.text) }

    fileprivate mutating func append(users: [UserID]) {
        appendNumber(UInt32(users.count))
        for user in users { appendNumber(user.value) }
    }

    fileprivate mutating func append(audience: Audience) {
        switch audience {
        case .followers: append(0)
        case .users(let users):
            append(1)
            append(users: users)
        }
    }

    fileprivate mutating func append(signal: Signal) {
        switch signal {
        case .typing(let conversation, let user, let audience):
            append(1)
            append(conversation: conversation)
            appendNumber(user.value)
            append(audience: audience)
        case .read(let conversation, let user, let seq, let audience):
            append(2, conversation, user, seq, audience)
        case .delivered(let conversation, let user, let seq, let audience):
            append(3, conversation, user, seq, audience)
        case .presence(let user, let online, let users):
            append(4)
            appendNumber(user.value)
            append(online ? 1 : 0)
            append(users: users)
        case .room(let room, let user, let username, let here):
            append(5)
            append(conversation: room)
            appendNumber(user.value)
            append(short: username)
            append(here ? 1 : 0)
        case .rightsChanged(let conversation, let user):
            append(6)
            append(conversation: conversation)
            // 0 is no user who could lose rights.
            appendNumber(user?.value ?? 0)
        case .revoked(let user, let family, let except, let reason):
            append(7)
            appendNumber(user.value)
            appendNumber(family)
            appendNumber(except)
            append(short: reason.rawValue)
        case .replaced(let user, let sessions):
            append(8)
            appendNumber(user.value)
            appendNumber(UInt32(sessions.count))
            for session in sessions { appendNumber(session.value) }
        case .missed:
            append(9)
        }
    }

    private mutating func append(
        _ tag: UInt8, _ conversation: ConversationID, _ user: UserID, _ seq: Int64, _ audience: Audience
    ) {
        append(tag)
        append(conversation: conversation)
        appendNumber(user.value)
        appendNumber(seq)
        append(audience: audience)
    }
}
