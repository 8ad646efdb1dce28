import MartletCore
import NIOCore

/// The server's half of the native protocol: complete WebSocket frames, encoded once and written to as many sessions as
/// need them.
package enum NativeEncoder {
    // MARK: Pushes

    /// An event as it is pushed: `msg`, `event` or `notify`, by its kind.
    package static func push(_ event: Event, allocator: ByteBufferAllocator) -> ByteBuffer {
        // 260 bytes hold the names of all fields, five integers and a conversation.
        let size = 260 + event.senderName.utf8.count + event.clientId.utf8.count + (event.body?.count ?? 2)
        var writer = FrameWriter(allocator, capacity: size)
        writer.raw("{\"cmd\":")
        writer.quoted(event.kind.pushCommand)
        writer.raw(",\"data\":{\"conversationId\":")
        writer.conversation(event.conversation)
        writer.raw(",\"seq\":")
        writer.integer(event.seq)
        writer.raw(",\"messageId\":")
        writer.integer(event.ordinal)
        writer.raw(",\"from\":")
        writer.integer(event.sender.value)
        writer.raw(",\"fromName\":")
        writer.string(event.senderName)
        writer.raw(",\"type\":")
        writer.string(event.kind.name)
        writer.raw(",\"content\":")
        if let body = event.body { writer.raw(body) } else { writer.raw("{}") }
        writer.raw(",\"clientId\":")
        writer.string(event.clientId)
        writer.raw(",\"time\":")
        writer.integer(event.time.milliseconds)
        writer.raw("}}")
        return writer.finish()
    }

    /// Any other push: `data` is an object's JSON.
    package static func push(cmd: StaticString, data: [UInt8], allocator: ByteBufferAllocator) -> ByteBuffer {
        var writer = FrameWriter(allocator, capacity: 32 + cmd.utf8CodeUnitCount + data.count)
        writer.raw("{\"cmd\":")
        writer.quoted(cmd)
        writer.raw(",\"data\":")
        writer.raw(data)
        writer.raw("}")
        return writer.finish()
    }

    // MARK: Answers

    /// A success. `seq` are the bytes inside the quotes as they came (nil: the command had none), `data` is an object's
    /// JSON (nil: `{}`).
    package static func answer(
        seq: [UInt8]?, cmd: NativeCommandName, data: [UInt8]?, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var writer = FrameWriter(allocator, capacity: 100 + (seq?.count ?? 0) + (data?.count ?? 2))
        begin(&writer, seq, cmd)
        writer.raw(success)
        if let data { writer.raw(data) } else { writer.raw("{}") }
        writer.raw("}}")
        return writer.finish()
    }

    /// The answer to a `send` whose event is committed.
    package static func sendAnswer(
        seq: [UInt8]?, conversation: ConversationID, receipt: Receipt, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var writer = FrameWriter(allocator, capacity: 270 + (seq?.count ?? 0))
        begin(&writer, seq, .send)
        writer.raw(success)
        writer.raw("{\"conversationId\":")
        writer.conversation(conversation)
        writer.raw(",\"seq\":")
        writer.integer(receipt.seq)
        writer.raw(",\"messageId\":")
        writer.integer(receipt.ordinal)
        writer.raw(",\"time\":")
        writer.integer(receipt.time.milliseconds)
        writer.raw("}}}")
        return writer.finish()
    }

    /// A failure: the fault's message as `codeMsg`; its reason, field and time to wait as `data`. Its cause stays here.
    package static func fault(
        seq: [UInt8]?, cmd: NativeCommandName, _ fault: Fault, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        var writer = FrameWriter(allocator, capacity: 200 + (seq?.count ?? 0) + fault.message.utf8.count)
        begin(&writer, seq, cmd)
        writer.raw("{\"code\":")
        writer.integer(Int64(fault.code.rawValue))
        writer.raw(",\"codeMsg\":")
        writer.string(fault.message)
        writer.raw(",\"data\":{\"reason\":")
        writer.string(fault.reason.rawValue)
        if let field = fault.field {
            writer.raw(",\"field\":")
            writer.string(field)
        }
        if let retryAfter = fault.retryAfter {
            writer.raw(",\"retryAfterMs\":")
            writer.integer(max(0, retryAfter.milliseconds))
        }
        writer.raw("}}}")
        return writer.finish()
    }

    private static let success: StaticString = "{\"code\":200,\"codeMsg\":\"Success\",\"data\":"

    /// Up to `"response":`.
    private static func begin(_ writer: inout FrameWriter, _ seq: [UInt8]?, _ cmd: NativeCommandName) {
        if let seq {
            writer.raw("{\"seq\":")
            writer.quoted(seq)
            writer.raw(",\"cmd\":")
        } else {
            writer.raw("{\"cmd\":")
        }
        writer.quoted(cmd.text)
        writer.raw(",\"response\":")
    }
}

extension EventKind {
    /// The `cmd` that an event of this kind is pushed as.
    package var pushCommand: StaticString {
        switch self {
        case .text, .image, .voice, .video, .file, .location, .card, .sticker, .redpacket, .forward, .custom: "msg"
        case .edit, .recall, .react, .membership, .group: "event"
        case .friendRequest, .friendAdded, .friendRejected, .friendRemoved, .friendRemark, .blockChanged,
            .groupInvitation,
            .groupJoined, .groupLeft, .groupRequest, .groupRejected, .conversationSettings, .profileChanged:
            "notify"
        }
    }
}
