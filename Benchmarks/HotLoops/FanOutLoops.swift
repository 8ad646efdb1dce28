import MartletCore
import MartletGateway
import MartletWire
import NIOCore

/// From a committed event to the sockets of those who follow its conversation: the gateway's order, encoding, delivery and flush, NIO's way to each
/// socket, and one read by a client now and then.
enum FanOutLoops {
    static let all = [
        HotLoop(
            name: "fan-out-100", operation: "delivery of an event to one of 100 sessions", operations: 100,
            iterations: 100
        ) { try fanOut(to: 100, events: 1, $0) },
        HotLoop(
            name: "fan-out-1000", operation: "delivery of an event to one of 1,000 sessions", operations: 1000,
            iterations: 24
        ) { try fanOut(to: 1000, events: 1, $0) },
        HotLoop(
            name: "fan-out-1000x8", operation: "delivery of an event to one of 1,000 sessions, eight events at once",
            operations: 8000, iterations: 8
        ) { try fanOut(to: 1000, events: 8, $0) },
    ]

    /// Events that clients may leave in their sockets.
    private static let undrained = 16

    private static func fanOut(to count: Int, events: Int, _ setting: Setting) throws -> HotLoop.Body {
        let group = ConversationID.group(GroupID(unchecked: 1))
        let stage = try Stage(setting, .none, following: [group])
        let clients = try (0..<count).map { try stage.signIn(UserID(unchecked: Samples.firstNumber + Int64($0))) }
        let batches = (0..<setting.iterations).map { iteration in
            (0..<events).map { Samples.event(group, iteration * events + $0) }
        }
        let size = NativeEncoder.push(batches[0][0], allocator: ByteBufferAllocator()).readableBytes
        setting.check = {
            let newest = Samples.clientId(setting.iterations * events - 1)
            for client in clients { try client.expectLast(toContain: newest) }
        }
        return { iterations in
            var waiting = 0
            for iteration in iterations {
                stage.gateway.receive(batches[iteration])
                // The last to sign in is the last to be flushed: once it has the event, all have.
                try clients[count - 1].receive(frames: events, size: size)
                waiting += events
                if waiting >= undrained || iteration == iterations.upperBound - 1 {
                    for client in clients.dropLast() { try client.receive(frames: waiting, size: size) }
                    waiting = 0
                }
            }
        }
    }
}
