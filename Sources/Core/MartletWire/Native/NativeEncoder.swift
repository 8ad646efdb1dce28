import MartletCore
import NIOCore

/// The server's half of the native protocol: complete WebSocket frames, encoded once and written to as many sessions as
/// need them.
package enum NativeEncoder {
    // MARK: Pushes

    /// An event as it is pushed: `msg`, `event` or `notify`, by its kind.
    package static func push(_ event: Event, allocator: ByteBufferAllocator) -> ByteBuffer {
        let body = event.body ?? emptyObject
        // The names of all fields take 117 bytes, the longest kind 21.
        let bound =
            160 + 4 * FrameWriter.Bound.integer + FrameWriter.Bound.conversation(event.conversation) + body.count
            + FrameWriter.Bound.string(event.senderName) + FrameWriter.Bound.string(event.clientId)
        return FrameWriter.frame(allocator, bound: bound) { writer in
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
            writer.raw(body)
            writer.raw(",\"clientId\":")
            writer.string(event.clientId)
            writer.raw(",\"time\":")
            writer.integer(event.time.milliseconds)
            writer.raw("}}")
        }
    }

    /// Any other push: `data` is an object's JSON.
    package static func push(cmd: StaticString, data: [UInt8], allocator: ByteBufferAllocator) -> ByteBuffer {
        FrameWriter.frame(allocator, bound: 32 + cmd.utf8CodeUnitCount + data.count) { writer in
            writer.raw("{\"cmd\":")
            writer.quoted(cmd)
            writer.raw(",\"data\":")
            writer.raw(data)
            writer.raw("}")
        }
    }

    // MARK: Answers

    /// A success. `seq` is what stood inside the quotes, with its escapes (nil: the command had none), `data` is an object's
    /// JSON (nil: `{}`).
    package static func answer(
        seq: String?, cmd: NativeCommandName, data: [UInt8]?, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let data = data ?? emptyObject
        return FrameWriter.frame(allocator, bound: beginBound(seq) + 48 + data.count) { writer in
            begin(&writer, seq, cmd)
            writer.raw(success)
            writer.raw(data)
            writer.raw("}}")
        }
    }

    /// The answer to a `send` whose event is committed.
    package static func sendAnswer(
        seq: String?, conversation: ConversationID, receipt: Receipt, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let bound =
            beginBound(seq) + 100 + FrameWriter.Bound.conversation(conversation) + 3 * FrameWriter.Bound.integer
        return FrameWriter.frame(allocator, bound: bound) { writer in
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
        }
    }

    /// A failure: the fault's message as `codeMsg`; its reason, field and time to wait as `data`. Its cause stays here.
    package static func fault(
        seq: String?, cmd: NativeCommandName, _ fault: Fault, allocator: ByteBufferAllocator
    ) -> ByteBuffer {
        let field = fault.field.map { FrameWriter.Bound.string($0) } ?? 0
        let bound =
            beginBound(seq) + 100 + FrameWriter.Bound.string(fault.message) + field
            + FrameWriter.Bound.string(fault.reason.rawValue) + 2 * FrameWriter.Bound.integer
        return FrameWriter.frame(allocator, bound: bound) { writer in
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
        }
    }

    private static let emptyObject = [UInt8(ascii: "{"), UInt8(ascii: "}")]

    private static let success: StaticString = "{\"code\":200,\"codeMsg\":\"Success\",\"data\":"

    /// The most that `begin` writes: the names of three fields, and of the longest command.
    private static func beginBound(_ seq: String?) -> Int { 48 + (seq?.utf8.count ?? 0) }

    /// Up to `"response":`.
    private static func begin(_ writer: inout FrameWriter, _ seq: String?, _ cmd: NativeCommandName) {
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
