import MartletBus
import MartletCore
import MartletWire
import NIOCore

// From bytes to messages: the handshake, then RFC 6455.
extension Session {
    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard phase != .http else { return context.fireChannelRead(data) }
        lastHeard = loop.wheel.now
        let read = unwrapInboundIn(data)
        if var waiting = unread {
            unread = nil
            waiting.writeImmutableBuffer(read)
            process(&waiting)
            return keep(&waiting, isOwn: true)
        }
        // Frames are unmasked in place, which NIO's buffer can't be changed in: it is kept for the next read.
        var bytes = loop.takeWorkspace()
        bytes.writeImmutableBuffer(read)
        process(&bytes)
        keep(&bytes, isOwn: false)
        loop.giveBack(bytes)
    }

    /// Keeps what is not used yet. In a buffer of its own size, so that a few bytes of the next frame do not keep a whole read alive; but what
    /// trickles in is not copied again and again.
    private func keep(_ bytes: inout ByteBuffer, isOwn: Bool) {
        guard bytes.readableBytes > 0, phase != .over else { return }
        unread = isOwn && bytes.readerIndex == 0 ? bytes : ByteBuffer(buffer: bytes)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        loop.flushDirty()
        context.fireChannelReadComplete()
    }

    private func peek(_ bytes: inout ByteBuffer) {
        switch RequestPeek.read(bytes.readableBytesUInt8Span, paths: gateway.upgradePaths) {
        case .incomplete: break
        case .http: pass(&bytes)
        case .refused(let refusal, _): refuse(refusal)
        case .upgrade(let request, let headBytes):
            guard let index = gateway.dialect(at: request.path) else { return pass(&bytes) }
            speak(index)
            guard takeForwarding(request) else { return refuse(.tooManyConnections) }
            bytes.moveReaderIndex(forwardBy: headBytes)
            upgrade()
            write(ByteBuffer(bytes: UpgradeResponse.accept(key: request.key)))
        }
    }

    private func pass(_ bytes: inout ByteBuffer) {
        let whole = ByteBuffer(buffer: bytes)
        bytes.clear()
        handOver(whole)
    }

    private func refuse(_ refusal: UpgradeRefusal) {
        write(ByteBuffer(bytes: refusal.response))
        flush()
        cut()
    }

    /// Takes up the commands that had to wait.
    func processUnread() {
        guard var bytes = unread else { return }
        unread = nil
        process(&bytes)
        keep(&bytes, isOwn: true)
    }

    /// Does what may be done, and leaves the rest in the buffer.
    private func process(_ bytes: inout ByteBuffer) {
        switch phase {
        case .peeking where stream != nil: if takeProxyHeader(&bytes) { beginStream() }
        case .peeking: if takeProxyHeader(&bytes) { peek(&bytes) }
        case .betweenRequests: peek(&bytes)
        case .http, .anonymous, .signingIn, .live, .closing, .over: break
        }
        guard isOpen || phase == .closing else { return }
        guard stream == nil else { return processStream(&bytes) }
        do throws(WebSocketViolation) {
            while bytes.readableBytes > 0, phase != .over {
                guard phase == .closing || (phase != .signingIn && mayObey) else { break }
                guard let item = try decoder.next(&bytes) else { break }
                handle(item)
            }
        } catch {
            bytes.clear()
            close(error.code)
        }
    }

    private func handle(_ item: WebSocketDecoder.Item) {
        if case .close(let code, _) = item { return peerCloses(code) }
        guard phase != .closing else { return }
        switch item {
        case .text(let text): obey(text)
        case .binary(let bytes):
            guard dialect.manners.takesBinaryFrames, UTF8Validator.isValid(bytes.readableBytesUInt8Span) else {
                return close(.unacceptableData)
            }
            obey(bytes)
        case .ping(let payload): write(WebSocketEncoder.pong(payload, allocator: loop.allocator))
        case .pong, .close: break
        }
    }

    /// Answers the peer's close frame, unless it is the answer to ours, and ends the connection.
    private func peerCloses(_ code: WebSocketCloseCode?) {
        if phase != .closing { write(WebSocketEncoder.close(code ?? .normal, allocator: loop.allocator)) }
        flush()
        let context = context
        end()
        context?.close(promise: nil)
    }
}
