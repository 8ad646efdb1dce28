import MartletCore
import NIOCore

/// A message as these clients get it, who take what they read at once for one: each is at most 1023 bytes with the zero byte behind it.
struct ClusterChatMessage {
    /// What the clients' buffers hold, with the zero byte.
    static let maximumBytes = 1023
    /// A sender's name is cut behind this many bytes, as it is written in JSON; it leaves room for the text.
    static let nameBytes = 256

    private enum Target {
        case user(UserID), group(GroupID)
    }

    private let numbering: ClusterChatNumbering
    private let sender: UserID
    private let target: Target
    private let name: String
    private let text: ClusterChatText.Part
    private let time: ClusterChatText.Part
    private let body: [UInt8]

    /// Nil for what these clients have no word for: all but messages between two people and in groups.
    init?(_ event: Event, _ numbering: ClusterChatNumbering, _ localTime: (Instant) -> String) {
        switch event.conversation {
        case .direct:
            guard let peer = event.conversation.peer(of: event.sender) else { return nil }
            target = .user(peer)
        case .group(let group): target = .group(group)
        case .room, .inbox: return nil
        }
        guard let content = ClusterChatText(event), let body = event.body else { return nil }
        self.numbering = numbering
        self.body = body
        sender = event.sender
        name = ClusterChatEscape.escaped(event.senderName, atMost: Self.nameBytes)
        text = content.text
        time =
            content.time
            ?? .own(
                Array(ClusterChatEscape.escaped(localTime(event.time), atMost: ClusterChatFields.timeBytes).utf8))
    }

    /// The message, in as many pieces as its text needs, each with its zero byte.
    func frame(_ allocator: ByteBufferAllocator) -> ByteBuffer {
        switch text {
        case .body(let range): frame(body.span.extracting(range), allocator)
        case .own(let text): frame(text.span, allocator)
        }
    }

    /// The message without its zero byte, where it is one piece.
    var whole: [UInt8]? {
        var frame = frame(ByteBufferAllocator())
        // A piece holds no other zero byte: JSON has none.
        guard frame.readableBytesView.firstIndex(of: 0) == frame.writerIndex - 1 else { return nil }
        return frame.readBytes(length: frame.readableBytes - 1)
    }

    /// What stands around the text is written once, on the stack; each piece copies it.
    private func frame(_ text: Span<UInt8>, _ allocator: ByteBufferAllocator) -> ByteBuffer {
        withUnsafeTemporaryAllocation(byteCount: Self.maximumBytes, alignment: 1) { around in
            var writer = ClusterChatWriter(around)
            begin(&writer)
            let split = writer.position
            end(&writer)
            let size = writer.position
            let room = Self.maximumBytes - size
            // A piece may leave room that is too little for an escape.
            let pieces = 1 + text.count / (room - 5)
            let capacity = text.count + pieces * size
            var buffer = allocator.buffer(capacity: capacity)
            buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: capacity) { target in
                var writer = ClusterChatWriter(target)
                var position = 0
                repeat {
                    let next = ClusterChatEscape.end(text, from: position, room: room)
                    writer.raw(around[..<split])
                    writer.raw(text.extracting(position..<next))
                    writer.raw(around[split..<size])
                    position = next
                } while position < text.count
                return writer.position
            }
            return buffer
        }
    }

    private func begin(_ writer: inout ClusterChatWriter) {
        if case .group(let group) = target {
            writer.raw("{\"groupid\":")
            writer.integer(group.value)
            writer.raw(",\"id\":")
        } else {
            writer.raw("{\"id\":")
        }
        writer.integer(sender.value)
        writer.raw(",\"msg\":\"")
    }

    private func end(_ writer: inout ClusterChatWriter) {
        writer.raw("\",\"msgid\":")
        switch target {
        case .user: writer.integer(numbering.chat)
        case .group: writer.integer(numbering.groupChat)
        }
        writer.raw(",\"name\":\"")
        writer.raw(name.utf8.span)
        writer.raw("\",\"time\":\"")
        switch time {
        case .body(let range): writer.raw(body.span.extracting(range))
        case .own(let text): writer.raw(text.span)
        }
        writer.raw("\"")
        if case .user(let peer) = target {
            writer.raw(",\"")
            writer.raw(numbering.recipientKey)
            writer.raw("\":")
            writer.integer(peer.value)
        }
        writer.raw("}\0")
    }
}

/// Writes into memory of a known size, which it never leaves.
struct ClusterChatWriter: ~Copyable {
    private let target: UnsafeMutableRawBufferPointer
    private(set) var position = 0

    init(_ target: UnsafeMutableRawBufferPointer) { self.target = target }

    mutating func raw(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func raw(_ bytes: Span<UInt8>) { bytes.withUnsafeBytes { append($0) } }

    mutating func raw(_ bytes: Slice<UnsafeMutableRawBufferPointer>) { append(UnsafeRawBufferPointer(rebasing: bytes)) }

    mutating func integer(_ value: Int64) {
        let digits = String(value)
        raw(digits.utf8.span)
    }

    private mutating func append(_ bytes: UnsafeRawBufferPointer) {
        // A size that is too small is a mistake of ours: stop before it writes into other memory.
        precondition(target.count - position >= bytes.count)
        if let source = bytes.baseAddress, let start = target.baseAddress {
            (start + position).copyMemory(from: source, byteCount: bytes.count)
        }
        position &+= bytes.count
    }
}
