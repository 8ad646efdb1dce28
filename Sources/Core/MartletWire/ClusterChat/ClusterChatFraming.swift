import MartletCore

/// Cuts a stream of JSON objects apart: back to back, or with zero bytes and white space between them, as a console client's socket gives them.
/// Only brackets and strings are told apart; what an object says is read later.
enum ClusterChatFraming {
    private static let inString: UInt8 = 1
    private static let escaped: UInt8 = 2

    /// Finds the first object. A zero byte ends it wherever it stands, so that a client that stopped in the middle is understood again from its next
    /// message on. Behind `incomplete(dropping:)` of more than zero, and behind a message, `progress` is a new one: it fits the bytes that are left.
    static func cut(_ bytes: Span<UInt8>, _ progress: inout StreamProgress) -> StreamCut {
        var state = progress
        progress = StreamProgress()
        guard state.position > 0, state.position <= bytes.count else {
            return cutFromTheStart(bytes, &progress)
        }
        // Nothing was dropped, or `position` would be zero: the object begins the bytes.
        return cut(bytes, start: 0, &state, &progress)
    }

    private static func cutFromTheStart(_ bytes: Span<UInt8>, _ progress: inout StreamProgress) -> StreamCut {
        var start = 0
        while start < bytes.count, isBlank(bytes[start]) { start &+= 1 }
        guard start < bytes.count else { return .incomplete(dropping: start) }
        guard bytes[start] == UInt8(ascii: "{") else {
            return .violation(Fault(.malformedJSON, "a JSON object is expected"))
        }
        var state = StreamProgress()
        state.position = start
        return cut(bytes, start: start, &state, &progress)
    }

    private static func cut(
        _ bytes: Span<UInt8>, start: Int, _ state: inout StreamProgress, _ progress: inout StreamProgress
    ) -> StreamCut {
        let limit = min(bytes.count, start + Limits.requestBytes)
        let window = bytes.extracting(..<limit)
        while state.position < limit {
            let byte = window[state.position]
            if byte == 0 { return .message(start..<state.position, end: state.position + 1) }
            if state.flags != 0 {
                string(window, &state)
                continue
            }
            state.position &+= 1
            switch byte {
            case UInt8(ascii: "\""): state.flags = inString
            case UInt8(ascii: "{"), UInt8(ascii: "["):
                state.depth &+= 1
                guard state.depth <= Limits.jsonDepth else { return .violation(Fault(.tooDeep, "nested too deeply")) }
            case UInt8(ascii: "}"), UInt8(ascii: "]"):
                state.depth &-= 1
                if state.depth == 0 { return .message(start..<state.position, end: state.position) }
            default: break
            }
        }
        guard limit - start < Limits.requestBytes else {
            return .violation(Fault(.tooLarge, "a message has at most \(Limits.requestBytes) bytes"))
        }
        // What stands before the object goes first; then this look is done once more, and never again.
        if start == 0 { progress = state }
        return .incomplete(dropping: start)
    }

    /// Moves on inside a string: over what is plain, one escape, its end, or a control character, which is refused later.
    private static func string(_ bytes: Span<UInt8>, _ state: inout StreamProgress) {
        if state.flags & escaped != 0 {
            state.flags = inString
            state.position &+= 1
            return
        }
        state.position = JSONScan.plainEnd(bytes, state.position)
        guard state.position < bytes.count else { return }
        switch bytes[state.position] {
        case UInt8(ascii: "\""):
            state.flags = 0
            state.position &+= 1
        case UInt8(ascii: "\\"):
            state.flags = inString | escaped
            state.position &+= 1
        case 0: break
        default: state.position &+= 1
        }
    }

    private static func isBlank(_ byte: UInt8) -> Bool {
        byte == 0 || byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09
    }
}
