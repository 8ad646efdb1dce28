import MartletCore
import MartletWire
import NIOCore
import Testing

@Suite struct EventOutputTests {
    private func event(body: [UInt8]? = utf8("{\"text\":\"hi\"}"), sender: UserID = UserID(unchecked: 5)) -> Event {
        Event(
            conversation: .group(GroupID(unchecked: 3)), seq: 42, ordinal: 99, sender: sender, senderName: "",
            kind: .text,
            clientId: "c", time: Instant(milliseconds: 7), body: body)
    }

    private func write(_ output: EventOutput) -> String {
        String(decoding: JSONWriter.encode(output), as: UTF8.self)
    }

    private static let begin =
        #"{"conversationId":"g:3","seq":42,"messageId":99,"from":5,"fromName":"alice","type":"text","#

    @Test func writesAnEventAsItWasSent() {
        let output = EventOutput(event: event(), name: "alice", edited: nil, editedContent: nil, reactions: [])
        #expect(write(output) == Self.begin + #""content":{"text":"hi"},"clientId":"c","time":7}"#)
    }

    @Test func writesItsPresentState() {
        let reaction = EventOutput.Reaction(emoji: "👍", userIds: [UserID(unchecked: 5), UserID(unchecked: 9)])
        let output = EventOutput(
            event: event(), name: "alice", edited: Instant(milliseconds: 8), editedContent: utf8("{\"text\":\"ho\"}"),
            reactions: [reaction])
        #expect(
            write(output) == Self.begin
                + #""content":{"text":"ho"},"clientId":"c","time":7,"edited":8,"#
                + #""reactions":[{"emoji":"👍","userIds":[5,9]}]}"#
        )
    }

    @Test func showsNothingOfARecalledEvent() {
        let output = EventOutput(
            event: event(body: nil), name: "alice", edited: Instant(milliseconds: 8),
            editedContent: utf8("{\"text\":\"ho\"}"),
            reactions: [])
        #expect(write(output) == Self.begin + #""content":{},"clientId":"c","time":7,"recalled":true}"#)
    }

    /// Reads and pushes give one shape.
    @Test func isWhatAPushCarries() throws {
        let event = EventOutput.exampleEvent
        let push = NativeEncoder.push(event, allocator: ByteBufferAllocator())
        let output = EventOutput(event: event, name: event.senderName, edited: nil, editedContent: nil, reactions: [])
        let text = String(decoding: push.readableBytesView, as: UTF8.self)
        #expect(text.hasSuffix(#"{"cmd":"msg","data":\#(write(output))}"#))
    }

    @Test func documentsEveryField() {
        let properties = EventOutput.schema.properties
        #expect(properties.filter { !$0.isRequired }.map(\.name) == ["edited", "recalled", "reactions"])
        #expect(properties.count == 12)
    }
}
