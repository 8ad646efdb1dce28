import MartletCore
import MartletWire
import NIOCore

/// What goes through the loops: a message of about 100 bytes, as in the load generator's profiles.
enum Samples {
    /// The content of a message: 100 bytes.
    static let content = Array(
        #"{"text":"The quick brown fox jumps over the lazy dog, and then it goes back to where it has been. Ok."}"#.utf8
    )

    static let alice = UserID(unchecked: 1001)
    static let bob = UserID(unchecked: 1002)

    /// The clock of all loops stands still: its reading is the system's work, and its digits are always as many.
    static let time = Instant(milliseconds: 1_750_000_000_000)

    /// Sequence numbers and ordinals begin here, so that no loop crosses a power of ten.
    static let firstNumber: Int64 = 1_000_000

    /// In order of time, as our own clients make them; always 36 bytes.
    static func clientId(_ number: Int) -> String {
        let digits = String(number)
        return "01890a5d-ac96-774b-8cce-" + String(repeating: "0", count: 12 - digits.count) + digits
    }

    static func send(_ number: Int, to user: UserID = bob) -> [UInt8] {
        NativeRequest.send(seq: "1000001", to: user, clientId: clientId(number), content: content)
    }

    static func event(_ conversation: ConversationID, _ number: Int) -> Event {
        Event(
            conversation: conversation, seq: firstNumber + Int64(number), ordinal: firstNumber + Int64(number),
            sender: alice, senderName: "alice", kind: .text, clientId: clientId(number), time: time, body: content)
    }

    /// A client's frame.
    static func masked(_ payload: [UInt8]) -> ByteBuffer {
        var buffer = ByteBuffer()
        WebSocketEncoder.maskedText(payload, mask: mask, into: &buffer)
        return buffer
    }

    static let mask: UInt32 = 0x3C5A_96E1
}

/// The clock that stands still.
struct StandingTime: TimeSource {
    var now: Instant { Samples.time }
}
