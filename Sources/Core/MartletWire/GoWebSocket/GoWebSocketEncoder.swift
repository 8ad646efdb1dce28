import MartletCore
import NIOCore

/// The server's half of the gowebsocket dialect: complete WebSocket frames.
enum GoWebSocketEncoder {
    // MARK: Answers

    /// `prefix` is the answer up to `"response":`, `data` is any JSON (nil: `null`).
    static func answer(
        _ prefix: String, _ code: GoWebSocketCode, _ data: [UInt8]?, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        // The longest text of a code takes 16 bytes.
        FrameWriter.frame(allocator, bound: prefix.utf8.count + 80 + (data?.count ?? 0)) { writer in
            writer.json(prefix)
            writer.raw("{\"code\":")
            writer.integer(Int64(code.rawValue))
            writer.raw(",\"codeMsg\":")
            writer.quoted(code.text)
            writer.raw(",\"data\":")
            if let data { writer.raw(data) } else { writer.raw("null") }
            writer.raw("}}")
        }
    }

    /// What a message gets that is no request. It is not JSON, and never was.
    static func unreadable(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        WebSocketEncoder.text(Array("数据不合法".utf8), allocator: allocator)
    }

    // MARK: Pushes

    /// A message; nil for other events, and where the content was erased.
    static func push(_ event: Event, _ allocator: ByteBufferAllocator) -> ByteBuffer? {
        guard event.kind.isMessage, let body = event.body, let content = GoWebSocketContent.scan(body.span) else {
            return nil
        }
        // The names of all fields take some 220 bytes. A link stands in its message three times.
        let bound =
            300 + (isMedia(event.kind) ? 3 : 1) * body.count + FrameWriter.Bound.integer
            + FrameWriter.Bound.conversation(event.conversation)
            + FrameWriter.Bound.string(event.senderName) + FrameWriter.Bound.string(event.clientId)
        return FrameWriter.frame(allocator, bound: bound) { writer in
            writer.raw("{\"seq\":")
            writeSeq(event, content, body, &writer)
            writer.raw(",\"cmd\":\"msg\",\"response\":{\"code\":200,\"codeMsg\":\"Ok\",\"data\":{\"target\":")
            writeTarget(event.conversation, &writer)
            writer.raw(",\"type\":")
            writer.quoted(typeName(event.kind))
            writer.raw(",\"msg\":\"")
            writeText(event.kind, content, body, &writer)
            writer.raw("\",\"from\":")
            writer.string(event.senderName)
            if isMedia(event.kind) {
                writer.raw(",")
                writeMedia(content, body, &writer)
                writer.raw(",\"data\":{")
                writeMedia(content, body, &writer)
                writer.raw("}")
            }
            writer.raw("}}}")
        }
    }

    /// Somebody came or went. `number` makes the push's `seq`.
    static func presence(
        _ username: String, isHere: Bool, number: Int64, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let bound = 180 + FrameWriter.Bound.integer + FrameWriter.Bound.string(username)
        return FrameWriter.frame(allocator, bound: bound) { writer in
            writer.raw("{\"seq\":\"")
            writer.integer(number)
            writer.raw("\",\"cmd\":")
            writer.quoted(isHere ? "enter" : "exit" as StaticString)
            writer.raw(
                ",\"response\":{\"code\":200,\"codeMsg\":\"Ok\",\"data\":{\"target\":\"\",\"type\":\"text\",\"msg\":")
            writer.quoted(isHere ? "哈喽~" : "用户已经离开~" as StaticString)
            writer.raw(",\"from\":")
            writer.string(username)
            writer.raw("}}}")
        }
    }

    private static func isMedia(_ kind: EventKind) -> Bool { kind == .image || kind == .voice || kind == .video }

    /// `img` is the name that the old server's description has for pictures.
    private static func typeName(_ kind: EventKind) -> StaticString {
        switch kind {
        case .image: "img"
        case .voice: "voice"
        case .video: "video"
        default: "text"
        }
    }

    /// What the caller named the message, or else its number.
    private static func writeSeq(
        _ event: Event, _ content: GoWebSocketContent, _ body: [UInt8], _ writer: inout FrameWriter
    ) {
        if content.msgId == nil, !event.clientId.isEmpty { return writer.string(event.clientId) }
        writer.raw("\"")
        if let msgId = content.msgId {
            writer.json(body.span.extracting(msgId))
        } else {
            writer.integer(event.ordinal)
        }
        writer.raw("\"")
    }

    /// The old server left it empty. Where there are conversations that it had not, they are named.
    private static func writeTarget(_ conversation: ConversationID, _ writer: inout FrameWriter) {
        switch conversation {
        case .room, .inbox: writer.raw("\"\"")
        case .direct, .group: writer.conversation(conversation)
        }
    }

    /// The inside of `msg`: what can be read where nothing but text can be shown.
    private static func writeText(
        _ kind: EventKind, _ content: GoWebSocketContent, _ body: [UInt8], _ writer: inout FrameWriter
    ) {
        switch kind {
        case .text: write(content.text, body, &writer)
        case .image, .voice, .video: write(content.url, body, &writer)
        case .file: writeLabel("[file]", content.name, content.url, body, &writer)
        case .location:
            writeLabel("[location]", content.name, content.latitude, body, &writer)
            writer.raw(",")
            write(content.longitude, body, &writer)
        case .card: writeLabel("[card]", content.userId, nil, body, &writer)
        case .redpacket: writeLabel("[redpacket]", content.greeting, nil, body, &writer)
        case .forward: writeLabel("[forward]", content.title, nil, body, &writer)
        case .sticker: writer.raw("[sticker]")
        default: writer.raw("[custom]")
        }
    }

    private static func writeLabel(
        _ label: StaticString, _ one: Range<Int>?, _ other: Range<Int>?, _ body: [UInt8], _ writer: inout FrameWriter
    ) {
        writer.raw(label)
        for part in [one, other] {
            guard let part, !part.isEmpty else { continue }
            writer.raw(" ")
            write(part, body, &writer)
        }
    }

    private static func write(_ part: Range<Int>?, _ body: [UInt8], _ writer: inout FrameWriter) {
        if let part { writer.json(body.span.extracting(part)) }
    }

    /// The descriptions of the old protocol put these beside `from` (its README) or into an object of their own,
    /// `data`. Clients get both.
    private static func writeMedia(_ content: GoWebSocketContent, _ body: [UInt8], _ writer: inout FrameWriter) {
        writer.raw("\"url\":\"")
        write(content.url, body, &writer)
        writer.raw("\",\"secret\":\"")
        write(content.secret, body, &writer)
        writer.raw("\",\"size\":{\"width\":")
        writeMeasure(content.width, body, &writer)
        writer.raw(",\"height\":")
        writeMeasure(content.height, body, &writer)
        writer.raw("}")
    }

    private static func writeMeasure(_ value: Range<Int>?, _ body: [UInt8], _ writer: inout FrameWriter) {
        if value == nil { writer.raw("0") } else { write(value, body, &writer) }
    }
}
