import NIOCore
import NIOPosix
import Synchronization

/// Stands between nodes and a Redis server, and does to what goes through what a bad network and a bus that promises
/// nothing may do: frames of the bus are lost, come twice, late and out of order, and connections break off in the middle
/// of one. Everything else passes as it is. The same seed makes the same choices, as far as the traffic is the same.
package final class BusProxy: Sendable {
    /// Probabilities, 0 to 1, for each frame.
    package struct Faults: Sendable {
        /// Of a published frame, for everybody; and of a pushed one, for one node.
        package var drop = 0.0
        package var double = 0.0
        package var delay = 0.0
        /// Frames that are late are late by up to so much; others overtake them.
        package var latest: TimeAmount = .milliseconds(50)
        /// That the connection breaks in the middle of a pushed frame.
        package var cut = 0.0
        /// Answers to the probes of connections that subscribe are lost; what is pushed passes.
        package var mutes = false

        package init(
            drop: Double = 0, double: Double = 0, delay: Double = 0, latest: TimeAmount = .milliseconds(50),
            cut: Double = 0, mutes: Bool = false
        ) {
            self.drop = drop
            self.double = double
            self.delay = delay
            self.latest = latest
            self.cut = cut
            self.mutes = mutes
        }
    }

    /// What was done so far.
    package struct Counts: Sendable, Equatable {
        package var passed = 0
        package var dropped = 0
        package var doubled = 0
        package var delayed = 0
        package var cut = 0
    }

    /// A node's connections, by what they are for.
    package enum Purpose: String, Sendable { case commands, publish, subscribe }

    private struct State {
        var faults: Faults
        var random: UInt64
        var counts = Counts()
        var isRefusing = false
        var connections: [ObjectIdentifier: (channel: any Channel, purpose: Purpose?)] = [:]
    }

    private let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    private let state: Mutex<State>
    private let listener = Mutex<(any Channel)?>(nil)
    package let port: Int

    /// Listens on a free port of 127.0.0.1 and passes on to `server`, a port of 127.0.0.1.
    package init(to server: Int, _ faults: Faults = Faults(), seed: UInt64 = 1) async throws {
        state = Mutex(State(faults: faults, random: seed))
        let front = Front()
        let channel = try await ServerBootstrap(group: group)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in front.accept(channel, server) }
            .bind(host: "127.0.0.1", port: 0).get()
        port = channel.localAddress?.port ?? 0
        listener.withLock { $0 = channel }
        front.set(self)
    }

    /// Breaks the circle between the listener and the proxy.
    private final class Front: Sendable {
        private struct Weak { weak var proxy: BusProxy? }
        private let box = Mutex(Weak())

        func set(_ proxy: BusProxy) { box.withLock { $0.proxy = proxy } }

        func accept(_ channel: any Channel, _ server: Int) -> EventLoopFuture<Void> {
            guard let proxy = box.withLock({ $0.proxy }) else { return channel.close() }
            return proxy.accept(channel, server)
        }
    }

    package var counts: Counts { state.withLock { $0.counts } }

    package func set(_ faults: Faults) { state.withLock { $0.faults = faults } }

    /// While true, connections are closed as soon as they are made.
    package func refuse(_ isRefusing: Bool) { state.withLock { $0.isRefusing = isRefusing } }

    /// Breaks the connections of a purpose, or all.
    package func cut(_ purpose: Purpose? = nil) {
        let channels = state.withLock { state in
            state.connections.values.filter { purpose == nil || $0.purpose == purpose }.map(\.channel)
        }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Ends all connections, and listens no more.
    package func stop() async {
        let channel = listener.withLock { listener in
            defer { listener = nil }
            return listener
        }
        refuse(true)
        try? await channel?.close().get()
        cut()
        try? await group.shutdownGracefully()
    }

    private func accept(_ channel: any Channel, _ server: Int) -> EventLoopFuture<Void> {
        guard !state.withLock({ $0.isRefusing }) else { return channel.close() }
        let id = ObjectIdentifier(channel)
        state.withLock { $0.connections[id] = (channel, nil) }
        channel.closeFuture.whenComplete { _ in self.state.withLock { $0.connections[id] = nil } }
        return ClientBootstrap(group: channel.eventLoop).channelOption(.autoRead, value: false)
            .connect(host: "127.0.0.1", port: server).flatMap { back in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(
                        ProxySide(to: back) { frame, _ in self.published(frame, id) })
                    try back.pipeline.syncOperations.addHandler(
                        ProxySide(to: channel) { frame, _ in self.pushed(frame, id) })
                }.flatMap { back.setOption(.autoRead, value: true) }
            }
    }

    /// SplitMix64, from 0 to 1.
    private static func next(_ state: inout State) -> Double {
        state.random &+= 0x9e37_79b9_7f4a_7c15
        var value = state.random
        value = (value ^ (value >> 30)) &* 0xbf58_476d_1ce4_e5b9
        value = (value ^ (value >> 27)) &* 0x94d0_49bb_1331_11eb
        return Double((value ^ (value >> 31)) >> 11) / Double(1 << 53)
    }

    /// What a node sends. A lost frame goes to a channel without listeners, so that the node gets its answer.
    private func published(_ frame: ByteBuffer, _ id: ObjectIdentifier) -> [ProxySide.Step] {
        let words = Self.words(frame)
        return state.withLock { state in
            if words.count > 2, words[2] == "HELLO" {
                let name = words.last { $0.hasPrefix("martlet-") } ?? ""
                state.connections[id]?.purpose = Purpose(rawValue: String(name.dropFirst(8)))
            }
            guard words.count > 2, words[2] == "SPUBLISH" || words[2] == "PUBLISH" else { return [.now(frame)] }
            guard Self.next(&state) < state.faults.drop else { return [.now(frame)] }
            state.counts.dropped += 1
            return [.now(ByteBuffer(string: "*3\r\n$8\r\nSPUBLISH\r\n$10\r\nproxy-void\r\n$1\r\nx\r\n"))]
        }
    }

    /// What the server sends.
    private func pushed(_ frame: ByteBuffer, _ id: ObjectIdentifier) -> [ProxySide.Step] {
        let words = Self.words(frame)
        guard words.count > 2, words[0].hasPrefix(">"), words[2] == "smessage" || words[2] == "message" else {
            let isEcho = words == ["$7", "martlet"]
            let isLost = isEcho && state.withLock { $0.faults.mutes && $0.connections[id]?.purpose == .subscribe }
            return isLost ? [] : [.now(frame)]
        }
        return state.withLock { state in
            let faults = state.faults
            if Self.next(&state) < faults.drop {
                state.counts.dropped += 1
                return []
            }
            if Self.next(&state) < faults.cut {
                state.counts.cut += 1
                return [.cut(frame)]
            }
            var steps: [ProxySide.Step] = []
            if Self.next(&state) < faults.delay {
                state.counts.delayed += 1
                let nanoseconds = Double(faults.latest.nanoseconds) * Self.next(&state)
                steps.append(.later(frame, .nanoseconds(Int64(nanoseconds))))
            } else {
                state.counts.passed += 1
                steps.append(.now(frame))
            }
            if Self.next(&state) < faults.double {
                state.counts.doubled += 1
                steps.append(.now(frame))
            }
            return steps
        }
    }

    /// The first lines of a frame: lengths and names in turns.
    private static func words(_ frame: ByteBuffer) -> [String] {
        let head = frame.getBytes(at: frame.readerIndex, length: min(frame.readableBytes, 256)) ?? []
        return String(decoding: head, as: UTF8.self).split(separator: "\r\n").map { String($0) }
    }
}

/// One direction of a connection: takes whole values of Redis' protocol, and does with each what it is told.
private final class ProxySide: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    enum Step {
        case now(ByteBuffer)
        case later(ByteBuffer, TimeAmount)
        /// Half of it, and then the end.
        case cut(ByteBuffer)
    }

    private let partner: any Channel
    private let choose: (ByteBuffer, ChannelHandlerContext) -> [Step]
    private var buffer = ByteBuffer()

    init(to partner: any Channel, _ choose: @escaping (ByteBuffer, ChannelHandlerContext) -> [Step]) {
        self.partner = partner
        self.choose = choose
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var bytes = unwrapInboundIn(data)
        buffer.writeBuffer(&bytes)
        while let length = Self.valueLength(buffer), let frame = buffer.readSlice(length: length) {
            for step in choose(frame, context) { take(step, context) }
        }
        buffer.discardReadBytes()
        partner.flush()
    }

    private func take(_ step: Step, _ context: ChannelHandlerContext) {
        switch step {
        case .now(let frame): partner.write(frame, promise: nil)
        case .later(let frame, let time):
            let partner = partner
            context.eventLoop.scheduleTask(in: time) { partner.writeAndFlush(frame, promise: nil) }
        case .cut(let frame):
            var frame = frame
            let half = frame.readSlice(length: frame.readableBytes / 2) ?? frame
            let bound = NIOLoopBound(context, eventLoop: context.eventLoop)
            partner.writeAndFlush(half).whenComplete { _ in bound.value.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        partner.close(promise: nil)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    /// The bytes of the first value, or nil while it is not whole.
    private static func valueLength(_ buffer: ByteBuffer) -> Int? {
        let bytes = buffer.readableBytesView
        var position = bytes.startIndex
        var values = 1
        while values > 0 {
            guard let end = bytes[position...].firstIndex(of: 0x0A), let type = bytes[position...].first else {
                return nil
            }
            // Not the protocol: it is passed on as it is.
            guard end >= position + 2 else { return bytes.count }
            let number = Int(String(decoding: bytes[(position + 1)..<(end - 1)], as: UTF8.self)) ?? 0
            position = end + 1
            values -= 1
            switch type {
            case UInt8(ascii: "$"), UInt8(ascii: "="): if number >= 0 { position += number + 2 }
            case UInt8(ascii: "*"), UInt8(ascii: "~"), UInt8(ascii: ">"): values += max(0, number)
            case UInt8(ascii: "%"): values += max(0, number) * 2
            default: break
            }
            guard position <= bytes.endIndex else { return nil }
        }
        return position - bytes.startIndex
    }
}

@available(*, unavailable)
extension ProxySide: Sendable {}
