import MartletBench
import NIOCore
import Testing

@testable import PeerBench

@Suite struct GoWebSocketPeerTests {
    private let pairs = PeerPlan(.pairs, port: 99, connections: 4)
    private let signedIn = frame(
        #"{"seq":"1","cmd":"login","response":{"code":200,"codeMsg":"Success","data":null}}"#)

    private func push(_ text: String) -> [UInt8] {
        frame(
            #"{"seq":"x","cmd":"msg","response":{"code":200,"codeMsg":"Ok","data":{"target":"","type":"text","msg":""#
                + text + #"","from":"u3"}}}"#)
    }

    private func answer(_ body: String, status: String = "200 OK") -> [UInt8] {
        Array("HTTP/1.1 \(status)\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)".utf8)
    }

    private let taken = #"{"code":200,"msg":"Success","data":{"sendResults":true}}"#

    /// What a sender's second connection makes of `bytes`, behind messages 0 and 1.
    private func hearBeside(_ bytes: [UInt8], at place: Int) throws -> [PeerEvent] {
        var dialect = GoWebSocketPeer(2, pairs)
        _ = published(&dialect, 0, due: 10)
        _ = published(&dialect, 1, due: 11)
        var events: [PeerEvent] = []
        var buffer = ByteBuffer()
        for piece in [bytes[..<place], bytes[place...]] {
            buffer.writeBytes(piece)
            while let event = try dialect.nextBeside(&buffer) { events.append(event) }
        }
        #expect(buffer.readableBytes == 0)
        return events
    }

    @Test func signsInAsAGuestAndReadsPushesAtEverySplit() throws {
        let enter = #"{"seq":"5","cmd":"enter","response":{"code":200,"data":{"msg":"哈喽~","from":"马远"}}}"#
        let bytes = frame(enter) + signedIn + frame(enter) + push(pairs.text(3, 5, due: 1))
        let heard = try hearFramesAtEverySplit(bytes) { GoWebSocketPeer(2, pairs) }
        #expect(heard.events == [.other, .other, .ready, .other, .message(pairs.mark(3, 5, due: 1))])
        let sent = String(decoding: heard.sent, as: UTF8.self)
        #expect(sent == #"{"seq":"1","cmd":"login","data":{"userId":"u2","appId":101}}"#)
    }

    @Test func postsToThePartnerUnderItsOwnName() {
        var plan = pairs
        plan.app = 102
        plan.sendingPort = 98
        var dialect = GoWebSocketPeer(2, plan)
        let text = String(decoding: published(&dialect, 7, due: 99), as: UTF8.self)
        let run = String(plan.run, radix: 16)
        let form = "appId=102&userId=u3&from=u2&msgId=\(run)-2-00000007&message=\(plan.text(2, 7, due: 99))"
        let head =
            "POST /user/sendMessage HTTP/1.1\r\nHost: 127.0.0.1:98\r\n"
            + "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: \(form.utf8.count)\r\n\r\n"
        #expect(text == head + form)
    }

    @Test func postsToTheRoom() {
        let plan = PeerPlan(.room, port: 99, connections: 4)
        var dialect = GoWebSocketPeer(0, plan)
        let text = String(decoding: published(&dialect, 1, due: 2), as: UTF8.self)
        #expect(text.hasPrefix("POST /user/sendMessageAll HTTP/1.1\r\n"))
        #expect(text.contains("\r\n\r\nappId=101&userId=u0&msgId="))
    }

    @Test func answersBelongToMessagesInTheirOrderAtEverySplit() throws {
        let bytes = answer(taken) + answer(taken)
        for place in bytes.indices {
            let events = try hearBeside(bytes, at: place)
            let wanted: [PeerEvent] = [
                .answered(counter: 0, due: 10, isAccepted: true), .answered(counter: 1, due: 11, isAccepted: true),
            ]
            #expect(events == wanted, "split at \(place)")
        }
    }

    @Test(arguments: [
        #"{"code":200,"msg":"Success","data":{}}"#, #"{"code":200,"msg":"Success","data":{"sendResults":false}}"#,
    ])
    func aMessageThatWasNotSentEndsTheRun(_ body: String) {
        let bytes = answer(body)
        let failed = fails { _ = try hearBeside(bytes, at: 0) }
        #expect(failed)
    }

    @Test func anErrorOfTheServerEndsTheRun() {
        let bytes = answer(taken, status: "500 Internal Server Error")
        let failed = fails { _ = try hearBeside(bytes, at: 0) }
        #expect(failed)
    }

    @Test func anAnswerWithoutARequestEndsTheRun() {
        let bytes = answer(taken) + answer(taken) + answer(taken)
        let failed = fails { _ = try hearBeside(bytes, at: 0) }
        #expect(failed)
    }

    @Test(arguments: [
        #"{"seq":"1","cmd":"login","response":{"code":1003,"codeMsg":"未授权","data":null}}"#, "数据不合法",
    ])
    func aRefusedSignInEndsTheRun(_ text: String) throws {
        var dialect = GoWebSocketPeer(2, pairs)
        _ = try open(&dialect)
        let failed = fails { _ = try hear(&dialect, [frame(text)[...]]) }
        #expect(failed)
    }
}
