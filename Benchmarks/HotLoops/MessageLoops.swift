import Foundation
import MartletCore
import MartletWire
import NIOCore

/// A whole message: from the sender's frame in the socket to the answer in the sender's and the push in the receiver's.
enum MessageLoops {
    static let all = [
        HotLoop(name: "heartbeat", operation: "heartbeat answered", iterations: 1000, prepare: heartbeat),
        HotLoop(name: "message", operation: "message, not stored, answered and delivered", iterations: 600) {
            try messages(pairs: 1, frames: 1, .none, $0)
        },
        HotLoop(
            name: "message-16", operation: "message, not stored, 16 in one read of one sender", operations: 16,
            iterations: 60
        ) { try messages(pairs: 1, frames: 16, .none, $0) },
        HotLoop(
            name: "message-32-pairs", operation: "message, not stored, of 32 senders in one turn", operations: 32,
            iterations: 40
        ) { try messages(pairs: 32, frames: 1, .none, $0) },
        HotLoop(name: "message-stored", operation: "message stored, answered and delivered", iterations: 200) {
            try messages(pairs: 1, frames: 1, .file, $0)
        },
        HotLoop(
            name: "message-stored-32-pairs", operation: "message stored, of 32 senders in one turn", operations: 32,
            iterations: 40
        ) { try messages(pairs: 32, frames: 1, .file, $0) },
    ]

    private static let success = "\"code\":200"

    private static func heartbeat(_ setting: Setting) throws -> HotLoop.Body {
        let client = try Stage(setting, .none).signIn(Samples.alice)
        let frame = Array(Samples.masked(NativeRequest.heartbeat(seq: "1000001")).readableBytesView)
        setting.check = { try client.expectLast(toContain: success) }
        return { iterations in
            for _ in iterations {
                try client.send(frame)
                try client.receive(frames: 1)
            }
        }
    }

    private static func messages(
        pairs count: Int, frames: Int, _ storage: Stage.Storage, _ setting: Setting
    ) throws -> HotLoop.Body {
        let stage = try Stage(setting, storage)
        let pairs = try (0..<count).map { try Pair($0, stage, frames: frames) }
        setting.check = {
            let newest = Samples.clientId(setting.iterations * frames - 1)
            for pair in pairs {
                try pair.sender.expectLast(toContain: success)
                try pair.receiver.expectLast(toContain: newest)
            }
        }
        return { iterations in
            for iteration in iterations {
                if count == 1 {
                    try pairs[0].send(iteration)
                } else {
                    try stage.holdingLoop { for pair in pairs { try pair.send(iteration) } }
                }
                for pair in pairs { try pair.sender.receive(frames: frames) }
                // A refusal is said at once, instead of waiting for what is not delivered.
                if iteration == 0 { for pair in pairs { try pair.sender.expectLast(toContain: success) } }
                for pair in pairs { try pair.receiver.receive(frames: frames) }
            }
        }
    }

    /// One who sends and one who receives.
    private final class Pair {
        let sender, receiver: Client
        private let frames: Int
        /// What the sender sends at once. All its frames are as long.
        private var bytes: [UInt8] = []
        private let frameSize: Int
        /// Where the digits that tell client ids apart end in each frame, and in its payload.
        private let (digitsEnd, payloadEnd): (Int, Int)

        init(_ number: Int, _ stage: Stage, frames: Int) throws {
            let user = Samples.firstNumber + Int64(2 * number)
            let (alice, bob) = (UserID(unchecked: user), UserID(unchecked: user + 1))
            for person in [alice, bob] { try stage.register(person) }
            sender = try stage.signIn(alice)
            receiver = try stage.signIn(bob)
            self.frames = frames
            let payload = Samples.send(0, to: bob)
            let frame = Samples.masked(payload)
            let text = String(decoding: payload, as: UTF8.self)
            let id = text.range(of: Samples.clientId(0))
            payloadEnd = id.map { text.utf8.distance(from: text.startIndex, to: $0.upperBound) } ?? 0
            frameSize = frame.readableBytes
            digitsEnd = frameSize - payload.count + payloadEnd
            for _ in 0..<frames { bytes += frame.readableBytesView }
        }

        /// Sends the frames of an iteration, each with a client id of its own.
        func send(_ iteration: Int) throws {
            for frame in 0..<frames { number(frame, iteration * frames + frame) }
            try sender.send(bytes)
        }

        /// Writes a client id's digits where they stand, masked.
        private func number(_ frame: Int, _ number: Int) {
            var rest = number
            for digit in 1...6 {
                let mask = UInt8(truncatingIfNeeded: Samples.mask >> UInt32(24 - 8 * ((payloadEnd - digit) & 3)))
                bytes[frame * frameSize + digitsEnd - digit] = (UInt8(ascii: "0") + UInt8(rest % 10)) ^ mask
                rest /= 10
            }
        }
    }
}
