import MartletCore

/// What a message's content says to those who carry it.
package struct MessageContentFacts: Sendable, Equatable {
    /// Whom the message mentions, each once, in order.
    package var mentions: [UserID] = []
    /// Mentions everyone in the conversation: the user id 0 in `mentions`.
    package var mentionsEveryone = false
    /// The `seq` of the message that this one answers.
    package var replyTo: Int64?

    package init() {}
}

/// The rules of each message type's content ("Message types" in the protocol's documentation), checked by scanning:
/// nothing is built but the list of mentions. Fields that a type does not know are kept, whatever they are.
package enum MessageContent {
    /// Checks a content, an object that is valid UTF-8. Throws `too_large`, `missing_field`, `invalid_field`,
    /// `unknown_type`, `repeated_key` (known fields), `too_deep` or `malformed_json`; `field` is the path from the
    /// message, such as `content.text`.
    package static func check(_ kind: EventKind, _ content: Span<UInt8>) throws(Fault) -> MessageContentFacts {
        guard kind.isMessage else { throw Fault(.unknownType, "there is no such type of message", field: "type") }
        guard content.count <= Limits.contentBytes else {
            throw Fault(.tooLarge, "a content has at most \(Limits.contentBytes) bytes", field: "content")
        }
        var facts = MessageContentFacts()
        var position = 0
        if case .custom = kind {
            try checkCustom(content, &position)
        } else {
            let fields = MessageField.fields(of: kind)
            try check(fields, "content", content, &position, depth: Limits.jsonDepth, &facts)
        }
        JSONScan.skipSpace(content, &position)
        guard position == content.count else { throw JSONScan.malformed(position) }
        return facts
    }

    private static func checkCustom(_ content: Span<UInt8>, _ position: inout Int) throws(Fault) {
        guard content.count <= Limits.customContentBytes else {
            throw Fault(.tooLarge, "a custom content has at most \(Limits.customContentBytes) bytes", field: "content")
        }
        try requireObject(content, &position, "content")
        do {
            try JSONScan.skipValue(content, &position, depth: Limits.customContentDepth)
        } catch {
            guard error.reason == .tooDeep else { throw error }
            throw Fault(
                .tooDeep, "a custom content is nested at most \(Limits.customContentDepth) levels", field: "content")
        }
    }

    private static func requireObject(
        _ bytes: Span<UInt8>, _ position: inout Int, _ path: @autoclosure () -> String
    ) throws(Fault) {
        JSONScan.skipSpace(bytes, &position)
        guard position < bytes.count, bytes[position] == UInt8(ascii: "{") else {
            throw .invalid(path(), "an object is expected")
        }
    }

    /// Checks the object at `position` against a type's fields.
    private static func check(
        _ fields: [MessageField], _ path: StaticString, _ bytes: Span<UInt8>, _ position: inout Int, depth: Int,
        _ facts: inout MessageContentFacts
    ) throws(Fault) {
        guard depth > 0 else { throw Fault(.tooDeep, "nested too deeply", field: "\(path)") }
        try requireObject(bytes, &position, "\(path)")
        // One bit for each field of the type.
        var met: UInt32 = 0
        var given: UInt32 = 0
        try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
            guard let index = fields.firstIndex(where: { JSONScan.matches(key, bytes, $0.name) }) else {
                return try JSONScan.skipValue(bytes, &position, depth: depth - 1)
            }
            let field = fields[index]
            guard met & 1 << index == 0 else {
                throw Fault(.repeatedKey, "a key stands twice in one object", field: "\(path).\(field.name)")
            }
            met |= 1 << index
            let value = try JSONScan.value(bytes, &position, depth: depth - 1)
            guard bytes[value.lowerBound] != UInt8(ascii: "n") else { return }
            given |= 1 << index
            if let expected = try unmet(field.rule, bytes, value, depth: depth - 1, &facts) {
                throw .invalid("\(path).\(field.name)", "\(expected) is expected")
            }
        }
        for (index, field) in fields.enumerated() where field.isRequired && given & 1 << index == 0 {
            throw .missing("\(path).\(field.name)")
        }
    }

    /// What a rule expects, where the value at `value` is something else.
    private static func unmet(
        _ rule: MessageField.Rule, _ bytes: Span<UInt8>, _ value: Range<Int>, depth: Int,
        _ facts: inout MessageContentFacts
    ) throws(Fault) -> String? {
        switch rule {
        case .text(let length):
            guard let token = JSONScan.string(at: value, bytes),
                length.contains(JSONScan.scalarCount(token, bytes))
            else { return "a text of \(length.lowerBound) to \(length.upperBound) characters" }
        case .link:
            guard let token = JSONScan.string(at: value, bytes), MessageField.isLink(token, bytes) else {
                return "a link (http:, https: or a path) of 1 to 1024 characters"
            }
        case .identifier:
            guard isIdentifier(value, bytes) else { return "an identifier" }
        case .integer(let range):
            guard let number = JSONScan.integer(at: value, bytes), range.contains(number) else {
                return "an integer from \(range.lowerBound) to \(range.upperBound)"
            }
        case .replyTo:
            guard let seq = JSONScan.integer(at: value, bytes), seq > 0 else { return "a message's seq" }
            facts.replyTo = seq
        case .number(let range):
            guard let number = number(at: value, bytes), range.contains(number) else {
                return "a number from \(range.lowerBound) to \(range.upperBound)"
            }
        case .mentions:
            guard mentions(at: value, bytes, &facts) else { return "a list of at most \(Limits.mentions) user ids" }
        case .messageType:
            guard let token = JSONScan.string(at: value, bytes) else { return "text" }
            guard JSONScan.messageKind(token, bytes) != nil else {
                throw Fault(.unknownType, "there is no such type of message", field: "content.items.type")
            }
        case .object:
            guard bytes[value.lowerBound] == UInt8(ascii: "{") else { return "an object" }
        case .items:
            guard bytes[value.lowerBound] == UInt8(ascii: "["), try items(at: value, bytes, depth: depth) else {
                let count = Limits.forwardItems
                return "a list of \(count.lowerBound) to \(count.upperBound) messages"
            }
        }
        return nil
    }

    private static func isIdentifier(_ value: Range<Int>, _ bytes: Span<UInt8>) -> Bool {
        guard let token = JSONScan.string(at: value, bytes) else {
            return JSONScan.integer(at: value, bytes).map { $0 > 0 } ?? false
        }
        return (1...128).contains(JSONScan.scalarCount(token, bytes))
    }

    private static func number(at value: Range<Int>, _ bytes: Span<UInt8>) -> Double? {
        switch bytes[value.lowerBound] {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"):
            Double(JSONScan.text(.init(range: value, hasEscapes: false), bytes))
        default: nil
        }
    }

    /// Reads a list of user ids, where 0 is everyone; false where it is something else or too long.
    private static func mentions(
        at value: Range<Int>, _ bytes: Span<UInt8>, _ facts: inout MessageContentFacts
    ) -> Bool {
        guard bytes[value.lowerBound] == UInt8(ascii: "[") else { return false }
        var position = value.lowerBound + 1
        if JSONScan.accept(UInt8(ascii: "]"), bytes, &position) { return true }
        var count = 0
        repeat {
            count += 1
            JSONScan.skipSpace(bytes, &position)
            guard count <= Limits.mentions, let number = integer(bytes, &position) else { return false }
            if number == 0 {
                facts.mentionsEveryone = true
            } else if let user = UserID(number) {
                if !facts.mentions.contains(user) { facts.mentions.append(user) }
            } else {
                return false
            }
        } while JSONScan.accept(UInt8(ascii: ","), bytes, &position)
        return true
    }

    /// The integer at `position`, and moves behind it; nil where something else is there.
    private static func integer(_ bytes: Span<UInt8>, _ position: inout Int) -> Int64? {
        switch bytes[position] {
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): (try? JSONScan.integer(bytes, &position)) ?? nil
        default: nil
        }
    }

    /// Checks the messages that a `forward` carries, but not what is inside their contents; false where there are too
    /// many or none.
    private static func items(at value: Range<Int>, _ bytes: Span<UInt8>, depth: Int) throws(Fault) -> Bool {
        var position = value.lowerBound + 1
        if JSONScan.accept(UInt8(ascii: "]"), bytes, &position) { return false }
        var count = 0
        var facts = MessageContentFacts()
        repeat {
            count += 1
            guard count <= Limits.forwardItems.upperBound else { return false }
            let fields = MessageField.forwardedItem
            try check(fields, "content.items", bytes, &position, depth: depth - 1, &facts)
        } while JSONScan.accept(UInt8(ascii: ","), bytes, &position)
        return true
    }
}
