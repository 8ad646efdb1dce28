import MartletBench
import MartletWire
import NIOCore
import Testing

@testable import PeerBench

@Suite struct FloorDialectTests {
    @Test(arguments: [(PeerLoad.pairs, "/pair/2"), (.room, "/room"), (.echo, "/echo")])
    func thePathSaysWhereMessagesGo(_ load: PeerLoad, _ path: String) {
        var dialect = FloorDialect(2, PeerPlan(load, port: 99, connections: 4))
        let text = beginning(&dialect)
        #expect(text.hasPrefix("GET \(path) HTTP/1.1\r\nHost: 127.0.0.1:99\r\n"))
    }

    @Test func readsFramesAtEverySplit() throws {
        let plan = PeerPlan(.pairs, port: 99, connections: 4)
        let bytes = frame(plan.text(3, 5, due: 1)) + frame("hello", .ping) + frame("no mark")
        let heard = try hearFramesAtEverySplit(bytes) { FloorDialect(2, plan) }
        #expect(heard.events == [.ready, .message(plan.mark(3, 5, due: 1)), .other])
        #expect(String(decoding: heard.sent, as: UTF8.self) == "hello")
    }

    @Test func echoesArePings() throws {
        let plan = PeerPlan(.echo, port: 99, connections: 4)
        var dialect = FloorDialect(2, plan)
        _ = try open(&dialect)
        let bytes = published(&dialect, 5, due: 1)
        #expect(bytes.first == 0x89)
        let text = try payloads(bytes)
        #expect(String(decoding: text, as: UTF8.self) == plan.text(2, 5, due: 1))
        let heard = try hear(&dialect, [frame(plan.text(2, 5, due: 1), .pong)[...]])
        #expect(heard.events == [.message(plan.mark(2, 5, due: 1))])
    }

    @Test func refusesAnythingButAHandshake() {
        var dialect = FloorDialect(2, PeerPlan(.pairs, port: 99, connections: 4))
        _ = beginning(&dialect)
        let failed = fails { _ = try hear(&dialect, [Array("HTTP/1.1 404 Not Found\r\n\r\n".utf8)[...]]) }
        #expect(failed)
    }
}

@Suite struct XMPPDialectTests {
    private let pairs = PeerPlan(.pairs, port: 99, connections: 4)
    private let signingIn =
        frame("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='1'/>")
        + frame("<stream:features><mechanisms/></stream:features>") + frame("<success/>")
        + frame("<open xmlns='urn:ietf:params:xml:ns:xmpp-framing' id='2'/>")
        + frame("<stream:features><bind/></stream:features>")
        + frame("<iq type='result' id='bind'><bind><jid>bench2@localhost/bench</jid></bind></iq>")

    @Test func asksForItsSubprotocol() {
        var dialect = XMPPDialect(2, pairs)
        let text = beginning(&dialect)
        #expect(text.contains("\r\nSec-WebSocket-Protocol: xmpp\r\n"))
    }

    @Test func signsInAndReadsMessagesAtEverySplit() throws {
        let message = "<message from='bench3@localhost/bench'><body>\(pairs.text(3, 5, due: 1))</body></message>"
        let heard = try hearFramesAtEverySplit(signingIn + frame(message)) { XMPPDialect(2, pairs) }
        let events: [PeerEvent] = [
            .other, .other, .other, .other, .other, .other, .ready, .message(pairs.mark(3, 5, due: 1)),
        ]
        #expect(heard.events == events)
        let sent = String(decoding: heard.sent, as: UTF8.self)
        // The base64 of NUL, bench2, NUL, bench.
        #expect(sent.contains("mechanism='PLAIN'>AGJlbmNoMgBiZW5jaA==</auth>"))
        #expect(sent.contains("<resource>bench</resource>"))
        #expect(sent.hasSuffix("<presence xmlns='jabber:client'/>"))
    }

    @Test func isInTheRoomOnceItSeesItself() throws {
        let room = PeerPlan(.room, port: 99, connections: 4)
        let bytes =
            signingIn + frame("<presence from='bench@conference.localhost/n0'/>")
            + frame("<presence from='bench@conference.localhost/n2'><x><status code=\"110\"/></x></presence>")
            + frame("<message type='groupchat'><subject/></message>")
        let heard = try hearFramesAtEverySplit(bytes) { XMPPDialect(2, room) }
        #expect(Array(heard.events.suffix(4)) == [.other, .other, .ready, .other])
        let sent = String(decoding: heard.sent, as: UTF8.self)
        #expect(sent.contains("to='bench@conference.localhost/n2'"))
    }

    @Test func writesToThePartnersFullAddress() throws {
        var dialect = XMPPDialect(2, pairs)
        _ = try open(&dialect)
        let bytes = try payloads(published(&dialect, 5, due: 1))
        let wanted =
            "<message xmlns='jabber:client' to='bench3@localhost/bench' type='chat'><body>\(pairs.text(2, 5, due: 1))"
            + "</body></message>"
        #expect(String(decoding: bytes, as: UTF8.self) == wanted)
    }

    @Test(arguments: ["<failure><not-authorized/></failure>", "<close/>", "<stream:error/>"])
    func refusesFailures(_ text: String) throws {
        var dialect = XMPPDialect(2, pairs)
        _ = try open(&dialect)
        let failed = fails { _ = try hear(&dialect, [frame(text)[...]]) }
        #expect(failed)
    }
}

@Suite struct MartletDialectTests {
    private func plan(_ load: PeerLoad) -> PeerPlan {
        var plan = PeerPlan(load, port: 99, connections: 4)
        plan.tokens = (0..<4).map { BenchToken(user: Int64($0) + 11, token: "token\($0)") }
        return plan
    }

    @Test func signsInAndReadsAnswersAtEverySplit() throws {
        let plan = plan(.pairs)
        let number = "00000005" + "0000000000000001"
        let bytes =
            frame("{\"cmd\":\"login\",\"seq\":\"login\",\"response\":{\"code\":200,\"data\":{}}}")
            + frame("{\"cmd\":\"msg\",\"data\":{\"content\":{\"text\":\"\(plan.text(3, 5, due: 1))\"}}}")
            + frame("{\"cmd\":\"send\",\"seq\":\"\(number)\",\"response\":{\"code\":200,\"data\":{}}}")
        let heard = try hearFramesAtEverySplit(bytes) { MartletDialect(2, plan) }
        let events: [PeerEvent] = [
            .other, .ready, .message(plan.mark(3, 5, due: 1)), .answered(counter: 5, due: 1, isAccepted: true),
        ]
        #expect(heard.events == events)
        #expect(String(decoding: heard.sent, as: UTF8.self).contains("\"token2\""))
    }

    @Test func entersTheRoom() throws {
        let plan = plan(.room)
        let bytes =
            frame("{\"cmd\":\"login\",\"seq\":\"login\",\"response\":{\"code\":200}}")
            + frame("{\"cmd\":\"enter\",\"seq\":\"enter\",\"response\":{\"code\":200}}")
        let heard = try hearFramesAtEverySplit(bytes) { MartletDialect(2, plan) }
        #expect(heard.events == [.other, .other, .ready])
        #expect(String(decoding: heard.sent, as: UTF8.self).contains("\"cmd\":\"enter\""))
    }

    @Test func aRefusedSignInEndsTheRun() throws {
        var dialect = MartletDialect(2, plan(.pairs))
        _ = try open(&dialect)
        let answer = frame("{\"cmd\":\"login\",\"seq\":\"login\",\"response\":{\"code\":401}}")
        let failed = fails { _ = try hear(&dialect, [answer[...]]) }
        #expect(failed)
    }
}
