import MartletCore
import MartletWire
import NIOCore
import Testing

/// What no bytes may do: trap, hang, or be taken for something that is not there.
@Suite struct ClusterChatFuzzTests {
    private static let messages = [
        #"{"msgid":1,"id":12,"password":"pass\"word"}"#, #"{"msgid":3,"name":"alice","pwd":"x"}"#,
        #"{"msgid":5,"id":1,"name":"alice","to":2,"msg":"a\u4f60\n{}[]","time":"2024-01-01 00:00:00"}"#,
        #"{"msgid":6,"id":1,"toid":3,"msg":"语\\","time":"t","friendid":2}"#,
        #"{"msgid":7,"id":1,"groupname":"g","groupdesc":"d","friendid":9}"#, #"{"msgid":8,"id":1,"groupid":4}"#,
        #"{"msgid":9,"id":1,"name":"a","groupid":4,"msg":"yo","time":"t"}"#,
        #"{"msgid":10,"id":1,"groupid":1,"msg":"b"}"#,
    ]
    private let chats = ClusterChatNumbering.allCases.map { ClusterChat($0) }
    private let allocator = ByteBufferAllocator()

    /// Takes a message as far as it goes: what a session and a runner do with it, and what others are then sent.
    private func take(_ message: [UInt8], _ chat: ClusterChat) {
        guard let head = try? chat.dialect.head(message.span) else { return }
        let command: Command
        do throws(Fault) {
            command = try chat.dialect.command(head, message.span)
        } catch {
            check(chat.dialect.refusal(head.ticket, error, allocator))
            return
        }
        switch command {
        case .send(let send):
            guard (try? MessageContent.check(send.kind, send.content.span)) != nil else { return }
            let body = String(decoding: send.content, as: UTF8.self)
            let push = chat.dialect.push(.chat(1, "alice", to: 2, body), allocator)
            #expect(push != nil)
            check(push)
        case .run(let data): _ = try? ClusterChatRequest(ClusterChatDialect.command(head.ticket), data)
        default: break
        }
    }

    private func check(_ frame: ByteBuffer?) {
        guard let frame else { return }
        let bytes = Array(frame.readableBytesView)
        #expect(bytes.last == 0)
        for piece in bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false) {
            #expect(piece.count < 1023)
            let value = try? JSONValue(parsing: Array(piece))
            #expect(value != nil)
        }
    }

    @Test func standsEveryTruncation() {
        for message in Self.messages.map({ utf8($0) }) {
            for end in 0..<message.count {
                for chat in chats { take(Array(message[..<end]), chat) }
                let stream = ClusterChatStream.read([message[..<end]])
                #expect(stream.messages.isEmpty)
                #expect(stream.violation == nil)
            }
        }
    }

    @Test func standsEveryWrongByte() {
        for message in Self.messages.map({ utf8($0) }) {
            for index in message.indices {
                for byte: UInt8 in [0x00, 0x0A, 0x22, 0x2D, 0x30, 0x5C, 0x5D, 0x7B, 0x7D, 0x80, 0xC3, 0xFF] {
                    var wrong = message
                    wrong[index] = byte
                    for chat in chats { take(wrong, chat) }
                    _ = ClusterChatStream.read([wrong + [0], message + [0]])
                }
            }
        }
    }

    /// However a stream is split, the same is found in it.
    @Test func readsAStreamTheSameHoweverItComes() {
        var generator = SplitMix64(seed: 20_240_101)
        for _ in 0..<25_000 {
            var stream: [UInt8] = []
            for _ in 0...generator.below(3) {
                let message = utf8(Self.messages[generator.below(Self.messages.count)])
                stream += generator.chance(2) ? generator.mutated(message) : message
                stream += [[0], [], [0x0A], [0x20, 0]][generator.below(4)]
            }
            let whole = ClusterChatStream.read([stream])
            for message in whole.messages { take(utf8(message), chats[generator.below(2)]) }
            var pieces: [ArraySlice<UInt8>] = []
            var position = 0
            while position < stream.count {
                let end = min(stream.count, position + 1 + generator.below(40))
                pieces.append(stream[position..<end])
                position = end
            }
            let split = ClusterChatStream.read(pieces, isLazy: generator.chance(2))
            #expect(split.messages == whole.messages)
            #expect(split.violation == whole.violation)
        }
    }

    @Test func standsEventsOfAnyContent() {
        var generator = SplitMix64(seed: 99)
        for _ in 0..<20_000 {
            let kind = EventKind.allCases[generator.below(EventKind.allCases.count)]
            let body = generator.chance(3) ? generator.bytes(generator.below(60)) : utf8(generator.json(3))
            let event = Event(
                conversation: .direct(UserID(unchecked: 1), UserID(unchecked: 2)), seq: 1, ordinal: 1,
                sender: UserID(unchecked: 1), senderName: generator.text(60), kind: kind, clientId: "",
                time: Instant(milliseconds: generator.integer()), body: body)
            for chat in chats {
                guard let frame = chat.dialect.push(event, allocator), (try? JSONValue(parsing: body)) != nil else {
                    continue
                }
                for message in Array(frame.readableBytesView).split(separator: 0, omittingEmptySubsequences: false)
                    .dropLast()
                {
                    #expect(message.count < 1023)
                    #expect(throws: Never.self) { try JSONValue(parsing: Array(message)) }
                }
            }
        }
    }
}
