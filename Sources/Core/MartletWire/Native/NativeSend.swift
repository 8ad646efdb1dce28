import MartletCore

/// A `send`, scanned and not parsed: its few fields, and where its content stands.
package struct NativeSend: Sendable, Equatable {
    package let target: Submission.Target
    package let clientId: String
    /// A message.
    package let kind: EventKind
    /// The content's place in the whole frame, an object with its braces. `MessageContent.check` looks inside.
    package let content: Range<Int>

    /// Reads the `data` of a frame that `NativeCommand.scan` has read. The reasons are those that `JSONFields` gives
    /// for the same fields: `missing_field`, `invalid_field`, `unknown_type`, `repeated_key`.
    package static func scan(_ bytes: Span<UInt8>, data: Range<Int>) throws(Fault) -> NativeSend {
        var conversation = FieldPlace()
        var to = FieldPlace()
        var clientId = FieldPlace()
        var type = FieldPlace()
        var content = FieldPlace()
        let frame = bytes.extracting(..<data.upperBound)
        var position = data.lowerBound
        let depth = Limits.jsonDepth - 2
        try JSONScan.members(frame, &position) { (key, position) throws(Fault) in
            if JSONScan.matches(key, frame, "conversationId") {
                try conversation.take("conversationId", frame, &position, depth: depth)
            } else if JSONScan.matches(key, frame, "to") {
                try to.take("to", frame, &position, depth: depth)
            } else if JSONScan.matches(key, frame, "clientId") {
                try clientId.take("clientId", frame, &position, depth: depth)
            } else if JSONScan.matches(key, frame, "type") {
                try type.take("type", frame, &position, depth: depth)
            } else if JSONScan.matches(key, frame, "content") {
                try content.take("content", frame, &position, depth: depth)
            } else {
                try JSONScan.skipValue(frame, &position, depth: depth)
            }
        }
        guard position == data.upperBound else { throw JSONScan.malformed(position) }
        return NativeSend(
            target: try Self.target(conversation, to, frame), clientId: try Self.clientId(clientId, frame),
            kind: try kind(type, frame), content: try object(content, frame))
    }

    private static func target(
        _ conversation: FieldPlace, _ to: FieldPlace, _ bytes: Span<UInt8>
    ) throws(Fault) -> Submission.Target {
        switch (conversation.value, to.value) {
        case (nil, nil): throw .missing("conversationId")
        case (.some(let value), nil):
            guard let token = JSONScan.string(at: value, bytes), let id = Self.conversation(token, bytes) else {
                throw .invalid("conversationId", "not a conversation's name")
            }
            return .conversation(id)
        case (nil, .some(let value)):
            guard let number = JSONScan.integer(at: value, bytes), let user = UserID(number) else {
                throw .invalid("to", "an integer from 1 to \(maximumIdentifier) is expected")
            }
            return .user(user)
        default: throw .invalid("to", "either conversationId or to is expected")
        }
    }

    private static func conversation(_ token: JSONScan.StringToken, _ bytes: Span<UInt8>) -> ConversationID? {
        token.hasEscapes
            ? ConversationID(JSONScan.text(token, bytes)) : ConversationID(utf8: bytes.extracting(token.range))
    }

    private static func clientId(_ place: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> String {
        guard let token = JSONScan.string(at: try place.required("clientId"), bytes) else { throw invalidClientId }
        // Six bytes are the longest way to write a character of ASCII.
        guard token.range.count <= Limits.clientIdBytes.upperBound * 6 else { throw invalidClientId }
        let text = JSONScan.text(token, bytes)
        guard Limits.clientIdBytes.contains(text.utf8.count), isPrintable(text) else {
            throw invalidClientId
        }
        return text
    }

    private static func isPrintable(_ text: String) -> Bool {
        let bytes = text.utf8.span
        for index in 0..<bytes.count where bytes[index] < 0x20 || bytes[index] >= 0x7F { return false }
        return true
    }

    private static var invalidClientId: Fault {
        .invalid("clientId", "1 to 64 printable ASCII characters are expected")
    }

    private static func kind(_ place: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> EventKind {
        guard let token = JSONScan.string(at: try place.required("type"), bytes) else {
            throw .invalid("type", "text is expected")
        }
        guard let kind = JSONScan.messageKind(token, bytes) else {
            throw Fault(.unknownType, "there is no such type of message", field: "type")
        }
        return kind
    }

    private static func object(_ place: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> Range<Int> {
        let value = try place.required("content")
        guard bytes[value.lowerBound] == UInt8(ascii: "{") else { throw .invalid("content", "an object is expected") }
        return value
    }
}

extension JSONScan {
    /// The kind of message that a string names.
    static func messageKind(_ token: StringToken, _ bytes: Span<UInt8>) -> EventKind? {
        if matches(token, bytes, "text") { return .text }
        // Nine letters are the longest name, and six bytes the longest way to write a letter.
        guard token.range.count <= 54 else { return nil }
        return EventKind.message(named: text(token, bytes))
    }
}
