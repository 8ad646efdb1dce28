import MartletCore

/// The parts of a message's content that this dialect tells, by where they stand in it: the insides of strings, with
/// their escapes, and numbers as they are written.
struct GoWebSocketContent {
    private(set) var text: Range<Int>?
    /// The caller's number of the message, where `Event.clientId` can't hold it.
    private(set) var msgId: Range<Int>?
    private(set) var url: Range<Int>?
    private(set) var secret: Range<Int>?
    private(set) var name: Range<Int>?
    private(set) var greeting: Range<Int>?
    private(set) var title: Range<Int>?
    private(set) var width: Range<Int>?
    private(set) var height: Range<Int>?
    private(set) var latitude: Range<Int>?
    private(set) var longitude: Range<Int>?
    private(set) var userId: Range<Int>?

    /// Nil where the bytes are no object. Fields of another type than expected count as missing.
    static func scan(_ bytes: Span<UInt8>) -> GoWebSocketContent? {
        var content = GoWebSocketContent()
        var position = 0
        do throws(Fault) {
            try JSONScan.members(bytes, &position) { (key, position) throws(Fault) in
                content.take(key, try JSONScan.value(bytes, &position, depth: Limits.jsonDepth), bytes)
            }
        } catch {
            return nil
        }
        JSONScan.skipSpace(bytes, &position)
        return position == bytes.count ? content : nil
    }

    private mutating func take(_ key: JSONScan.StringToken, _ value: Range<Int>, _ bytes: Span<UInt8>) {
        switch bytes[value.lowerBound] {
        case UInt8(ascii: "\""): takeText(key, (value.lowerBound + 1)..<(value.upperBound - 1), bytes)
        case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): takeNumber(key, value, bytes)
        default: return
        }
    }

    private mutating func takeText(_ key: JSONScan.StringToken, _ inside: Range<Int>, _ bytes: Span<UInt8>) {
        if JSONScan.matches(key, bytes, "text") {
            text = inside
        } else if JSONScan.matches(key, bytes, "msgId") {
            msgId = inside
        } else if JSONScan.matches(key, bytes, "url") {
            url = inside
        } else if JSONScan.matches(key, bytes, "secret") {
            secret = inside
        } else if JSONScan.matches(key, bytes, "name") {
            name = inside
        } else if JSONScan.matches(key, bytes, "greeting") {
            greeting = inside
        } else if JSONScan.matches(key, bytes, "title") {
            title = inside
        }
    }

    private mutating func takeNumber(_ key: JSONScan.StringToken, _ value: Range<Int>, _ bytes: Span<UInt8>) {
        if JSONScan.matches(key, bytes, "width") {
            width = value
        } else if JSONScan.matches(key, bytes, "height") {
            height = value
        } else if JSONScan.matches(key, bytes, "lat") {
            latitude = value
        } else if JSONScan.matches(key, bytes, "lon") {
            longitude = value
        } else if JSONScan.matches(key, bytes, "userId") {
            userId = value
        }
    }
}
