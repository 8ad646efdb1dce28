import NIOCore

/// What a frame is (RFC 6455 5.2).
package enum WebSocketOpcode: UInt8, Sendable, CaseIterable {
    case continuation = 0
    case text = 1
    case binary = 2
    case close = 8
    case ping = 9
    case pong = 10

    /// Control frames are short, whole, and may stand between the fragments of a message.
    package var isControl: Bool { rawValue >= 8 }
}

/// RFC 6455 receiving side. Holds no buffer while idle; a message being assembled from fragments is the only state.
///
/// Each call looks at one header, so that bytes may trickle in without the work growing; memory grows with what
/// arrived, never with what a header declares. What follows a close frame is not for the decoder: the caller stops
/// feeding it.
package struct WebSocketDecoder: ~Copyable {
    package enum Role: Sendable {
        /// Frames must be masked.
        case server
        /// Frames must not be masked.
        case client
    }

    package enum Item: Sendable {
        /// Whole messages; text is valid UTF-8.
        case text(ByteBuffer)
        case binary(ByteBuffer)
        /// At most 125 bytes.
        case ping(ByteBuffer)
        case pong(ByteBuffer)
        /// The code is nil where the peer gave none.
        case close(WebSocketCloseCode?, String)
    }

    private struct Header {
        let opcode: WebSocketOpcode
        let isFinal: Bool
        let mask: UInt32?
        let headerBytes: Int
        let payloadBytes: Int
    }

    /// The fragments so far.
    private struct Assembly {
        let isText: Bool
        var bytes: ByteBuffer
        var validator: UTF8Validator
    }

    /// Up to here it is cheaper to copy the rest of a shared buffer once, and unmask it and the frames behind it in
    /// place, than to copy each payload. Being a constant, it bounds what a tiny frame can cost.
    private static let worthCopying = 4096

    private let role: Role
    private let maximumMessage: Int
    private var assembly: Assembly?

    /// `maximumMessage`: bytes of payload that a message may have, fragments together.
    package init(role: Role, maximumMessage: Int) {
        self.role = role
        self.maximumMessage = maximumMessage
    }

    /// True between the first and the last fragment of a message.
    package var isMidMessage: Bool { assembly != nil }

    /// Takes the next item out of `buffer`; nil: more bytes are needed. Leaves incomplete bytes in the buffer. Payloads
    /// are slices of `buffer` where it is not shared with anyone: drop an item before the next call, and nothing is
    /// copied.
    package mutating func next(_ buffer: inout ByteBuffer) throws(WebSocketViolation) -> Item? {
        while let header = try header(buffer.readableBytesUInt8Span) {
            guard buffer.readableBytes - header.headerBytes >= header.payloadBytes else { return nil }
            buffer.moveReaderIndex(forwardBy: header.headerBytes)
            let payload = Self.takePayload(header, &buffer)
            if let item = try take(header, payload) { return item }
        }
        return nil
    }

    // MARK: Header

    /// Reads a header, checking each byte as soon as it is there; nil where it is incomplete.
    private func header(_ bytes: Span<UInt8>) throws(WebSocketViolation) -> Header? {
        guard bytes.count > 0 else { return nil }
        let opcode = try opcode(bytes[0])
        guard bytes.count > 1 else { return nil }
        let isMasked = bytes[1] & 0x80 != 0
        guard isMasked == (role == .server) else {
            throw .protocolError(isMasked ? "a server's frame is masked" : "a client's frame is not masked")
        }
        var position = 2
        guard let length = try length(bytes, &position, isControl: opcode.isControl) else { return nil }
        if !opcode.isControl {
            let limit = maximumMessage - (assembly?.bytes.readableBytes ?? 0)
            guard length <= UInt64(limit) else { throw .tooBig }
        }
        var mask: UInt32?
        if isMasked {
            guard bytes.count >= position + 4 else { return nil }
            mask = UInt32(truncatingIfNeeded: Self.integer(bytes, position, 4))
            position += 4
        }
        return Header(
            opcode: opcode, isFinal: bytes[0] & 0x80 != 0, mask: mask, headerBytes: position, payloadBytes: Int(length))
    }

    private func opcode(_ byte: UInt8) throws(WebSocketViolation) -> WebSocketOpcode {
        guard byte & 0x70 == 0 else { throw .protocolError("reserved bits are set") }
        guard let opcode = WebSocketOpcode(rawValue: byte & 0x0F) else { throw .protocolError("reserved opcode") }
        switch opcode {
        case .continuation:
            guard isMidMessage else { throw .protocolError("a continuation without a beginning") }
        case .text, .binary:
            guard !isMidMessage else { throw .protocolError("a new message within a fragmented one") }
        case .close, .ping, .pong:
            guard byte & 0x80 != 0 else { throw .protocolError("a fragmented control frame") }
        }
        return opcode
    }

    /// The payload's length, which must be written in the shortest form (5.2) and without its top bit.
    private func length(
        _ bytes: Span<UInt8>, _ position: inout Int, isControl: Bool
    ) throws(WebSocketViolation) -> UInt64? {
        let short = bytes[1] & 0x7F
        guard short > 125 else { return UInt64(short) }
        guard !isControl else { throw .protocolError("a control frame of more than 125 bytes") }
        let size = short == 126 ? 2 : 8
        if size == 8, bytes.count > 2, bytes[2] & 0x80 != 0 { throw .protocolError("a length with its top bit set") }
        guard bytes.count >= 2 + size else { return nil }
        let length = Self.integer(bytes, 2, size)
        guard length > (size == 2 ? 125 : 0xFFFF) else {
            throw .protocolError("a length that is not in its shortest form")
        }
        position = 2 + size
        return length
    }

    private static func integer(_ bytes: Span<UInt8>, _ start: Int, _ size: Int) -> UInt64 {
        var value: UInt64 = 0
        for index in start..<(start + size) { value = value << 8 | UInt64(bytes[index]) }
        return value
    }

    // MARK: Payload

    private static func takePayload(_ header: Header, _ buffer: inout ByteBuffer) -> ByteBuffer {
        let count = header.payloadBytes
        guard let mask = header.mask, count > 0 else { return buffer.readSlice(length: count) ?? ByteBuffer() }
        // NIO keeps a reference to the buffer of each read for its pool, so a buffer fresh from the socket is always
        // shared, and changing it would copy all of it.
        if unmask(&buffer, count, mask) { return buffer.readSlice(length: count) ?? ByteBuffer() }
        if buffer.readableBytes <= worthCopying {
            buffer = ByteBuffer(buffer: buffer)
            _ = unmask(&buffer, count, mask)
            return buffer.readSlice(length: count) ?? ByteBuffer()
        }
        guard let shared = buffer.readSlice(length: count) else { return ByteBuffer() }
        var payload = ByteBuffer(buffer: shared)
        _ = unmask(&payload, count, mask)
        return payload
    }

    /// Unmasks the first `count` readable bytes where nobody else holds the buffer; false, and nothing done, otherwise.
    private static func unmask(_ buffer: inout ByteBuffer, _ count: Int, _ mask: UInt32) -> Bool {
        let done: Void? = buffer.modifyIfUniquelyOwned { buffer in
            buffer.withUnsafeMutableReadableBytes { bytes in
                WebSocketMask.apply(mask, to: UnsafeMutableRawBufferPointer(rebasing: bytes[..<count]))
            }
        }
        return done != nil
    }

    private mutating func take(_ header: Header, _ payload: ByteBuffer) throws(WebSocketViolation) -> Item? {
        switch header.opcode {
        case .ping: return .ping(payload)
        case .pong: return .pong(payload)
        case .close: return try Self.close(payload)
        case .text:
            guard header.isFinal else { return try begin(payload, isText: true) }
            guard UTF8Validator.isValid(payload.readableBytesUInt8Span) else { throw .notUTF8 }
            return .text(payload)
        case .binary:
            return header.isFinal ? .binary(payload) : try begin(payload, isText: false)
        case .continuation:
            return try append(payload, isFinal: header.isFinal)
        }
    }

    /// The first fragment is copied, so that a message in the making does not keep a whole read buffer alive.
    private mutating func begin(_ payload: ByteBuffer, isText: Bool) throws(WebSocketViolation) -> Item? {
        var validator = UTF8Validator()
        if isText, !validator.accept(payload.readableBytesUInt8Span) { throw .notUTF8 }
        assembly = Assembly(isText: isText, bytes: ByteBuffer(buffer: payload), validator: validator)
        return nil
    }

    private mutating func append(_ payload: ByteBuffer, isFinal: Bool) throws(WebSocketViolation) -> Item? {
        guard var assembly = assembly.take() else { return nil }
        if assembly.isText, !assembly.validator.accept(payload.readableBytesUInt8Span) { throw .notUTF8 }
        assembly.bytes.writeImmutableBuffer(payload)
        guard isFinal else {
            self.assembly = assembly
            return nil
        }
        guard assembly.isText else { return .binary(assembly.bytes) }
        guard assembly.validator.isComplete else { throw .notUTF8 }
        return .text(assembly.bytes)
    }

    /// A close frame says nothing, or a code, or a code and a reason (5.5.1).
    private static func close(_ payload: ByteBuffer) throws(WebSocketViolation) -> Item {
        var payload = payload
        guard payload.readableBytes > 0 else { return .close(nil, "") }
        guard let number = payload.readInteger(as: UInt16.self) else { throw .protocolError("half a close code") }
        let code = WebSocketCloseCode(rawValue: number)
        guard code.isValidOnWire else { throw .protocolError("a close code that may not be sent") }
        guard UTF8Validator.isValid(payload.readableBytesUInt8Span) else {
            throw WebSocketViolation(code: .notUTF8, reason: "a close reason is not UTF-8")
        }
        return .close(code, String(buffer: payload))
    }
}
