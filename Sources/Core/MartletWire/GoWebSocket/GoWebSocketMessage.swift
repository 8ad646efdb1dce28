import MartletCore

/// A message as the dialect's HTTP calls give it: parameters of a form or a query, made into a content of ours.
package struct GoWebSocketMessage: Sendable, Equatable {
    package let kind: EventKind
    /// An object that `MessageContent.check` has found good.
    package let content: [UInt8]

    /// In bytes.
    package static let maximumMsgIdBytes = 256

    /// Reads the parameters `message`, `type`, `url`, `secret`, `width` and `height`. `type` is `text` where it is not
    /// given; with `img` (or `image`), `voice` and `video` the link is in `url`, or `message` is the link, or is the
    /// JSON of an object with `url`, `secret` and `size`. An empty parameter counts as not given. Throws
    /// `missing_field`, `invalid_field`, `unknown_type`, `malformed_json` and what `MessageContent.check` throws.
    package init(msgId: String, _ parameter: (String) -> String?) throws(Fault) {
        guard msgId.utf8.count <= Self.maximumMsgIdBytes else {
            throw .invalid("msgId", "at most \(Self.maximumMsgIdBytes) bytes are expected")
        }
        kind = try Self.kind(parameter("type") ?? "")
        if kind == .text {
            guard let text = parameter("message"), !text.isEmpty else { throw .missing("message") }
            content = JSONWriter.object { $0.field("text", text) }
        } else {
            let media = try GoWebSocketMedia(parameter)
            content = JSONWriter.object { media.write(to: &$0) }
        }
        _ = try MessageContent.check(kind, content.span)
    }

    private static func kind(_ type: String) throws(Fault) -> EventKind {
        switch type {
        case "", "text": .text
        case "img", "image": .image
        case "voice": .voice
        case "video": .video
        default: throw Fault(.unknownType, "there is no such type of message", field: "type")
        }
    }

    /// Whether a text can be a user of this dialect: 1 to 19 bytes without control characters.
    package static func isUserId(_ text: String) -> Bool { GoWebSocketLogin.isUserId(text) }

    /// The body of an HTTP answer; `data` is any JSON.
    package static func envelope(_ code: GoWebSocketCode = .success, data: [UInt8] = Array("{}".utf8)) -> [UInt8] {
        var writer = JSONWriter(capacity: 64 + data.count)
        writer.raw("{\"code\":")
        writer.integer(code.rawValue)
        writer.raw(",\"msg\":\"")
        writer.raw(code.text)
        writer.raw("\",\"data\":")
        writer.raw(data)
        writer.raw("}")
        return writer.bytes
    }
}

/// A picture, voice or video, which lies somewhere else.
private struct GoWebSocketMedia {
    private var url: String
    private var secret: String?
    private var width: Int64?
    private var height: Int64?

    private static let maximumSecret = 1024

    init(_ parameter: (String) -> String?) throws(Fault) {
        let message = parameter("message") ?? ""
        let object: JSONValue = message.hasPrefix("{") ? try JSONValue(parsing: Array(message.utf8)) : .null
        let given = parameter("url").flatMap { $0.isEmpty ? nil : $0 } ?? object["url"]?.string
        url = given ?? (object == .null ? message : "")
        guard !url.isEmpty else { throw .missing("url") }
        secret = parameter("secret").flatMap { $0.isEmpty ? nil : $0 } ?? object["secret"]?.string
        if let secret, secret.unicodeScalars.count > Self.maximumSecret {
            throw .invalid("secret", "at most \(Self.maximumSecret) characters are expected")
        }
        width = try Self.measure("width", parameter("width"), object["size"]?["width"])
        height = try Self.measure("height", parameter("height"), object["size"]?["height"])
    }

    private static func measure(_ name: String, _ text: String?, _ value: JSONValue?) throws(Fault) -> Int64? {
        let number: Int64?
        switch (text, value) {
        case (.some(let text), _) where !text.isEmpty: number = Int64(text)
        case (_, nil), (_, .null): return nil
        case (_, .some(let value)): number = value.integer
        }
        guard let number, (0...maximumIdentifier).contains(number) else {
            throw .invalid(name, "a number of pixels is expected")
        }
        return number
    }

    /// The file's id says no more than the link does: a caller must not be able to name a file of ours.
    func write(to object: inout JSONObject) {
        object.field("fileId", "url-" + SHA1.hash(Array(url.utf8)).map { Self.hexadecimal($0) }.joined())
        object.field("url", url)
        object.optional("secret", secret)
        object.optional("width", width)
        object.optional("height", height)
    }

    private static func hexadecimal(_ byte: UInt8) -> String {
        (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
}
