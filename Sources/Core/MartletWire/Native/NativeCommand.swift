import MartletCore

/// The commands of the native protocol.
package enum NativeCommandName: UInt8, Sendable, CaseIterable {
    case login, heartbeat, send, sync, history, read, ack, typing, edit, recall, react, enter, exit
    /// A name that the protocol does not have.
    case unknown

    package var text: StaticString {
        switch self {
        case .login: "login"
        case .heartbeat: "heartbeat"
        case .send: "send"
        case .sync: "sync"
        case .history: "history"
        case .read: "read"
        case .ack: "ack"
        case .typing: "typing"
        case .edit: "edit"
        case .recall: "recall"
        case .react: "react"
        case .enter: "enter"
        case .exit: "exit"
        case .unknown: "unknown"
        }
    }

    /// The most frequent ones first.
    private static let known: [NativeCommandName] = [
        .send, .ack, .read, .heartbeat, .typing, .sync, .history, .login, .edit, .recall, .react, .enter, .exit,
    ]

    init(_ token: JSONScan.StringToken, _ bytes: Span<UInt8>) {
        for name in Self.known where JSONScan.matches(token, bytes, name.text) {
            self = name
            return
        }
        self = .unknown
    }
}

/// A text frame of a client, scanned and not parsed: the places of its three fields. The ranges are of the scanned
/// bytes.
package struct NativeCommand: Sendable, Equatable {
    /// The client's own number as it came, inside the quotes and with its escapes; at most 64 bytes. Echo it as it is.
    package let seq: Range<Int>?
    package let name: NativeCommandName
    /// An object, braces included.
    package let data: Range<Int>?

    package static let maximumSeqBytes = 64

    /// Reads a whole frame, valid UTF-8 already. Keys come in any order, unknown ones are skipped. Throws
    /// `malformed_json`, `too_deep`, `repeated_key`, `missing_field` (`cmd`) or `invalid_field`.
    package static func scan(_ bytes: Span<UInt8>) throws(Fault) -> NativeCommand {
        var seq = FieldPlace()
        var cmd = FieldPlace()
        var data = FieldPlace()
        var position = 0
        let depth = Limits.jsonDepth - 1
        try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
            if JSONScan.matches(key, bytes, "seq") {
                try seq.take("seq", bytes, &position, depth: depth)
            } else if JSONScan.matches(key, bytes, "cmd") {
                try cmd.take("cmd", bytes, &position, depth: depth)
            } else if JSONScan.matches(key, bytes, "data") {
                try data.take("data", bytes, &position, depth: depth)
            } else {
                try JSONScan.skipValue(bytes, &position, depth: depth)
            }
        }
        JSONScan.skipSpace(bytes, &position)
        guard position == bytes.count else { throw JSONScan.malformed(position) }
        return NativeCommand(seq: try inside(seq, bytes), name: try name(cmd, bytes), data: try object(data, bytes))
    }

    /// `seq` as a string of its own: nearly always short enough to need no memory.
    package func seqText(_ bytes: Span<UInt8>) -> String? { seq.map { Self.text($0, bytes) } }

    package static func text(_ seq: Range<Int>, _ bytes: Span<UInt8>) -> String {
        JSONScan.text(.init(range: seq, hasEscapes: false), bytes)
    }

    /// The client's own number in a frame that `scan` refused, where it can be told, so that the refusal finds whoever asked.
    package static func seq(_ bytes: Span<UInt8>) -> Range<Int>? {
        var seq = FieldPlace()
        var position = 0
        // What is wrong with the frame is known already; what stands before the fault counts.
        try? JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
            if JSONScan.matches(key, bytes, "seq") {
                try seq.take("seq", bytes, &position, depth: Limits.jsonDepth - 1)
            } else {
                try JSONScan.skipValue(bytes, &position, depth: Limits.jsonDepth - 1)
            }
        }
        return (try? inside(seq, bytes)) ?? nil
    }

    private static func inside(_ seq: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> Range<Int>? {
        guard let value = seq.value else { return nil }
        guard bytes[value.lowerBound] == UInt8(ascii: "\""), value.count <= maximumSeqBytes + 2 else {
            throw .invalid("seq", "a string of at most \(maximumSeqBytes) bytes is expected")
        }
        return (value.lowerBound + 1)..<(value.upperBound - 1)
    }

    private static func name(_ cmd: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> NativeCommandName {
        guard let token = JSONScan.string(at: try cmd.required("cmd"), bytes) else {
            throw .invalid("cmd", "text is expected")
        }
        return NativeCommandName(token, bytes)
    }

    private static func object(_ data: FieldPlace, _ bytes: Span<UInt8>) throws(Fault) -> Range<Int>? {
        guard let value = data.value else { return nil }
        guard bytes[value.lowerBound] == UInt8(ascii: "{") else { throw .invalid("data", "an object is expected") }
        return value
    }
}
