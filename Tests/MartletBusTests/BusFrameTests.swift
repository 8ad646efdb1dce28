import MartletBus
import MartletCore
import Testing

@Suite struct BusFrameTests {
    private static let alice = UserID(unchecked: 1)
    private static let direct = ConversationID.direct(UserID(unchecked: 1), UserID(unchecked: 2))
    private static let room = ConversationID.room(AppID(unchecked: 1), "lobby")

    static let signals: [Signal] = [
        .typing(direct, by: alice, to: .followers), .typing(direct, by: alice, to: .users([alice, .system])),
        .read(room, by: alice, seq: .max, to: .followers), .delivered(direct, by: alice, seq: 0, to: .users([])),
        .presence(alice, online: true, to: [UserID(unchecked: maximumIdentifier)]),
        .presence(alice, online: false, to: []),
        .room(room, user: alice, username: "\u{e9}\u{1f600}", here: true), .rightsChanged(direct, nil),
        .rightsChanged(.inbox(alice), alice), .revoked(alice, family: 7, except: -1, .passwordChanged),
        .replaced(alice, [SessionID(1), SessionID(.max)]), .missed,
    ]

    private func event(_ seq: Int64, name: String = "n", body: [UInt8]?) -> Event {
        Event(
            conversation: Self.direct, seq: seq, ordinal: -seq, sender: .system, senderName: name,
            kind: .profileChanged,
            clientId: "c-\(seq)", time: Instant(milliseconds: 1_700_000_000_123), body: body, origin: SessionID(.max))
    }

    private func frame(_ events: [Event]) -> [UInt8] {
        var bytes = BusFrame.eventsHead(sender: 42)
        for event in events { BusFrame.append(event, to: &bytes) }
        return bytes
    }

    private func events(_ bytes: [UInt8]) throws -> (events: [Event], dropped: Int)? {
        guard case .events(let events, let dropped) = try BusFrame(bytes).content else { return nil }
        return (events, dropped)
    }

    @Test(arguments: signals) func `A signal comes out as it went in`(signal: Signal) throws {
        let frame = try BusFrame(BusFrame.signal(signal, number: 9, sender: .max))
        guard case .signal(let read, let number) = frame.content else {
            Issue.record("not a signal")
            return
        }
        #expect(read == signal)
        #expect(number == 9)
        #expect(frame.sender == .max)
    }

    @Test func `An event keeps all its fields, and no body is not an empty one`() throws {
        let name = String(repeating: "\u{e9}", count: 300)
        let sent = [event(1, name: name, body: nil), event(2, body: []), event(3, name: "", body: Array(0...255))]
        let read = try #require(try events(frame(sent)))
        #expect(read.dropped == 0)
        #expect(read.events.map(\.seq) == [1, 2, 3])
        #expect(read.events.map(\.ordinal) == [-1, -2, -3])
        #expect(read.events.map(\.senderName) == sent.map(\.senderName))
        #expect(read.events.map(\.body) == [nil, [], Array(0...255)])
        #expect(read.events.map(\.clientId) == ["c-1", "c-2", "c-3"])
        #expect(read.events.allSatisfy { $0.conversation == Self.direct && $0.sender == .system })
        #expect(read.events.allSatisfy { $0.kind == .profileChanged && $0.origin == SessionID(.max) })
        #expect(read.events.allSatisfy { $0.time == Instant(milliseconds: 1_700_000_000_123) })
    }

    @Test func `Another version is not read`() {
        var bytes = frame([event(1, body: nil)])
        bytes[0] = 2
        #expect(throws: BusFrame.Damage.self) { _ = try BusFrame(bytes) }
    }

    @Test func `An event of an unknown kind is left out, and the others stay`() throws {
        let first = frame([event(1, body: [1])])
        var all = frame([event(1, body: [1]), event(2, body: [2])])
        // The kind stands behind length, conversation, three numbers and the name.
        let kind = BusFrame.headBytes + 4 + 2 + Self.direct.text.utf8.count + 24 + 2 + 1
        all[kind] = 0x7F
        let read = try #require(try events(all))
        #expect(read.dropped == 1)
        #expect(read.events.map(\.seq) == [2])
        #expect(all.count > first.count)
    }

    @Test func `Fields that a newer version appended to an event are passed over`() throws {
        var bytes = frame([event(1, body: [1])])
        let length = BusFrame.headBytes + 3
        bytes[length] += 3
        bytes += [9, 9, 9]
        BusFrame.append(event(2, body: nil), to: &bytes)
        let read = try #require(try events(bytes))
        #expect(read.events.map(\.seq) == [1, 2])
    }

    @Test func `No truncation and no random byte does more than lose the frame`() throws {
        var random = SystemRandomNumberGenerator()
        var samples = Self.signals.map { BusFrame.signal($0, number: 1, sender: 2) }
        samples.append(frame([event(1, body: Array(0...99)), event(2, body: nil)]))
        var read = 0
        for sample in samples {
            for count in 0..<sample.count { read += (try? BusFrame(Array(sample[..<count]))) == nil ? 0 : 1 }
            for _ in 0..<2000 {
                var bytes = sample
                for _ in 0..<Int.random(in: 1...4) {
                    bytes[Int.random(in: 0..<bytes.count, using: &random)] = .random(in: 0...255)
                }
                read += (try? BusFrame(bytes)) == nil ? 0 : 1
            }
        }
        #expect(read > 0)
    }

    @Test func `A signal to several users is cut to each topic's user`() {
        let users = [Self.alice, UserID(unchecked: 2)]
        let presence = Signal.presence(UserID(unchecked: 3), online: true, to: users)
        #expect(
            presence.part(for: .inbox(Self.alice)) == .presence(UserID(unchecked: 3), online: true, to: [Self.alice]))
        let typing = Signal.typing(Self.direct, by: Self.alice, to: .followers)
        #expect(typing.part(for: .inbox(Self.alice)) == typing)
    }
}
