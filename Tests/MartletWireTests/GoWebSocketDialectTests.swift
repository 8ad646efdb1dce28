import MartletCore
import MartletWire
import NIOCore
import Testing

/// A connection of the old server's, as far as its answers go: the dialect between a message and a frame.
final class GoWebSocketTrial {
    let dialect = GoWebSocketDialect(rooms: [101, 102, 103, 104].map { AppID(unchecked: $0) }) {
        Instant(milliseconds: 503_547_901)
    }
    let allocator = ByteBufferAllocator()
    var isSignedIn: Bool

    init(isSignedIn: Bool = false) { self.isSignedIn = isSignedIn }

    /// The text of the frame that answers a message; nil where there is none.
    func answer(_ message: [UInt8]) -> String? { text(answerFrame(message)) }

    func answer(_ message: String) -> String? { answer(utf8(message)) }

    /// The text of a frame, which must be one whole text frame of a server.
    func text(_ frame: ByteBuffer?) -> String? {
        guard let frame else { return nil }
        let items = decode(Array(frame.readableBytesView), role: .client, maximum: 1 << 20)
        guard items.count == 1, case .text(let text) = items[0] else {
            Issue.record("\(items)")
            return nil
        }
        return text
    }

    private func answerFrame(_ message: [UInt8]) -> ByteBuffer? {
        let head: CommandHead
        do throws(UnreadableMessage) {
            head = try dialect.head(message.span)
        } catch {
            return dialect.refusal(error.ticket, error.fault, allocator)
        }
        do throws(Fault) {
            if head.access == .user, !isSignedIn { throw Fault(.notSignedIn, "sign in first") }
            return try run(try dialect.command(head, message.span), head.ticket)
        } catch {
            return dialect.refusal(head.ticket, error, allocator)
        }
    }

    private func run(_ command: Command, _ ticket: Ticket) throws(Fault) -> ByteBuffer? {
        switch command {
        case .answer(let data): return dialect.answer(ticket, data, allocator)
        case .signIn(let signIn):
            if isSignedIn { throw Fault(.alreadySignedIn, "signed in already") }
            guard signIn.app != nil else { throw .missing("appId") }
            isSignedIn = true
            let welcome = Welcome(
                user: UserID(unchecked: 5), username: "黄帝", nickname: "黄帝", session: SessionID(1),
                heartbeat: .seconds(30), now: Instant(milliseconds: 1))
            return dialect.welcome(ticket, welcome, allocator).frame
        default:
            Issue.record("\(command)")
            return nil
        }
    }

    /// What a login asks for.
    func signIn(_ data: String) throws(Fault) -> SignIn? {
        let message = utf8("{\"seq\":\"1\",\"cmd\":\"login\",\"data\":\(data)}")
        guard let head = try? dialect.head(message.span) else { return nil }
        guard case .signIn(let signIn) = try dialect.command(head, message.span) else { return nil }
        return signIn
    }

    /// The number that a refused login gets.
    func code(_ data: String) -> Int? {
        do throws(Fault) {
            _ = try signIn(data)
            return nil
        } catch {
            return GoWebSocketCode(error).rawValue
        }
    }
}

@Suite struct GoWebSocketDialectTests {
    private let bare = GoWebSocketTrial()

    private func envelope(
        _ seq: String, _ cmd: String, _ code: Int, _ text: String, data: String = "null"
    ) -> String {
        #"{"seq":"\#(seq)","cmd":"\#(cmd)","response":{"code":\#(code),"codeMsg":"\#(text)","data":\#(data)}}"#
    }

    // MARK: The recorded conversation

    @Test func answersAsRecorded() {
        let trial = GoWebSocketTrial()
        #expect(
            trial.answer(#"{"seq":"0","cmd":"heartbeat","data":{}}"#)
                == #"{"seq":"0","cmd":"heartbeat","response":{"code":1000,"codeMsg":"未登录","data":null}}"#)
        #expect(
            trial.answer(#"{"seq":"1","cmd":"ping","data":{}}"#)
                == #"{"seq":"1","cmd":"ping","response":{"code":200,"codeMsg":"Success","data":"pong"}}"#)
        #expect(
            trial.answer(#"{"seq":"2","cmd":"login","data":{"userId":"","appId":101}}"#)
                == envelope("2", "login", 1002, "非法的用户Id"))
        #expect(
            trial.answer(#"{"seq":"3","cmd":"login","data":{"userId":"12345678901234567890","appId":101}}"#)
                == envelope("3", "login", 1002, "非法的用户Id"))
        #expect(
            trial.answer(#"{"seq":"4","cmd":"login","data":{"userId":"黄帝","appId":999}}"#)
                == envelope("4", "login", 1003, "未授权"))
        let login = #"{"seq":"5","cmd":"login","data":{"userId":"黄帝","appId":101}}"#
        #expect(
            trial.answer(login)
                == #"{"seq":"5","cmd":"login","response":{"code":200,"codeMsg":"Success","data":null}}"#)
        #expect(trial.answer(login) == envelope("5", "login", 1009, "操作失败"))
        #expect(
            trial.answer(#"{"seq":"7","cmd":"heartbeat","data":{}}"#) == envelope("7", "heartbeat", 200, "Success"))
        #expect(
            trial.answer(#"{"seq":"8","cmd":"nosuch","data":{}}"#) == envelope("8", "nosuch", 1010, "路由不存在"))
        #expect(trial.answer("hello") == "数据不合法")
        #expect(
            trial.answer(#"{"seq":"9","cmd":"login","data":"str"}"#) == envelope("9", "login", 1001, "参数不合法"))
    }

    @Test func tellsComingsAndGoingsAsRecorded() {
        let room = ConversationID.room(AppID(unchecked: 101), nil)
        let notice = { Notice.room(room, user: UserID(unchecked: 6), username: "马远", isHere: $0) }
        let enter = bare.text(bare.dialect.push(notice(true), bare.allocator))
        let exit = bare.text(bare.dialect.push(notice(false), bare.allocator))
        #expect(
            enter
                == #"{"seq":"503547901","cmd":"enter","response":{"code":200,"codeMsg":"Ok","data":{"target":"","type":"text","msg":"哈喽~","from":"马远"}}}"#
        )
        #expect(
            exit
                == #"{"seq":"503547901","cmd":"exit","response":{"code":200,"codeMsg":"Ok","data":{"target":"","type":"text","msg":"用户已经离开~","from":"马远"}}}"#
        )
    }

    @Test func hasNoWordForOtherNotices() {
        let user = UserID(unchecked: 5)
        let room = ConversationID.room(AppID(unchecked: 101), nil)
        let notices: [Notice] = [
            .typing(room, by: user), .read(room, by: user, seq: 1), .delivered(room, by: user, seq: 1),
            .presence(user, isOnline: true), .goAway(within: .seconds(1)),
        ]
        for notice in notices { #expect(bare.dialect.push(notice, bare.allocator) == nil) }
        let receipt = Receipt(seq: 1, ordinal: 2, time: Instant(milliseconds: 3), isRepeat: false)
        #expect(bare.dialect.stored(Ticket(0, "x"), room, receipt, bare.allocator) == nil)
    }

    @Test func hasTheMannersOfTheOldServer() {
        #expect(bare.dialect.name == "gowebsocket")
        #expect(bare.dialect.transport == .webSocket(path: "/acc"))
        var manners = Manners()
        manners.takesBinaryFrames = true
        manners.signInTimeout = .seconds(360)
        manners.silence = .atMost(.seconds(360))
        manners.hearsOwnMessages = false
        #expect(bare.dialect.manners == manners)
    }

    // MARK: Requests

    @Test(arguments: [
        "", " ", "[]", "1", "\"x\"", "true", "nul", "{", #"{"seq":1,"cmd":"ping"}"#, #"{"seq":"1","cmd":2}"#,
        #"{"seq":"1","cmd":["ping"]}"#, #"{"seq":"1","cmd":"ping"} x"#, #"{"seq":"1","cmd":"pi\qng"}"#, "null null",
    ])
    func answersWhatIsNoRequestInPlainText(_ message: String) {
        let trial = GoWebSocketTrial()
        #expect(trial.answer(message) == "数据不合法")
    }

    @Test func readsKeysInAnyCase() {
        let trial = GoWebSocketTrial()
        #expect(
            trial.answer(#"{"SEQ":"5","Cmd":"login","DATA":{"USERID":"a","AppID":104}}"#)
                == envelope("5", "login", 200, "Success"))
    }

    @Test func takesMissingPartsForEmptyOnes() {
        let trial = GoWebSocketTrial()
        #expect(trial.answer("{}") == envelope("", "", 1010, "路由不存在"))
        #expect(trial.answer(" null ") == envelope("", "", 1010, "路由不存在"))
        #expect(trial.answer(#"{"seq":null,"cmd":"ping"}"#) == envelope("", "ping", 200, "Success", data: "\"pong\""))
        #expect(trial.answer(#"{"seq":"1","cmd":"login"}"#) == envelope("1", "login", 1002, "非法的用户Id"))
        #expect(trial.answer(#"{"seq":"1","cmd":"login","data":null}"#) == envelope("1", "login", 1002, "非法的用户Id"))
    }

    @Test func letsTheLastOfRepeatedKeysCount() throws {
        let trial = GoWebSocketTrial()
        #expect(
            trial.answer(#"{"cmd":"x","seq":"1","Seq":"2","seq":null,"cmd":"ping"}"#)
                == envelope("2", "ping", 200, "Success", data: "\"pong\""))
        let signIn = try bare.signIn(#"{"userId":"a","userID":"b","appId":101,"appID":102}"#)
        #expect(signIn?.credentials == .namedGuest("b"))
        #expect(signIn?.app == AppID(102))
    }

    @Test(arguments: [#"\"\\\/\b\f\n\r\t"#, #"é"#, #"👍"#, "語👍", ""])
    func echoesAsItCame(_ seq: String) {
        let trial = GoWebSocketTrial()
        #expect(
            trial.answer("{\"seq\":\"\(seq)\",\"cmd\":\"\(seq)x\"}") == envelope(seq, seq + "x", 1010, "路由不存在"))
    }

    @Test func readsCommandsAndKeysThatAreEscaped() {
        let trial = GoWebSocketTrial()
        #expect(
            trial.answer(#"{"\u0053eq":"1","cm\u0064":"\u0070ing"}"#)
                == envelope("1", #"\u0070ing"#, 200, "Success", data: "\"pong\""))
    }

    @Test func boundsWhatItEchoes() {
        let trial = GoWebSocketTrial()
        let long = String(repeating: "9", count: 256)
        #expect(trial.answer("{\"seq\":\"\(long)\",\"cmd\":\"\(long)\"}") == envelope(long, long, 1010, "路由不存在"))
        #expect(trial.answer("{\"seq\":\"\(long)9\",\"cmd\":\"ping\"}") == "数据不合法")
        #expect(trial.answer("{\"seq\":\"1\",\"cmd\":\"\(long)9\"}") == "数据不合法")
    }

    @Test func boundsTheDepth() {
        let trial = GoWebSocketTrial()
        let nested = { (levels: Int) in
            #"{"seq":"1","cmd":"ping","data":"# + String(repeating: "[", count: levels)
                + String(repeating: "]", count: levels) + "}"
        }
        #expect(trial.answer(nested(Limits.jsonDepth - 1))?.hasSuffix("\"pong\"}}") == true)
        #expect(trial.answer(nested(Limits.jsonDepth)) == "数据不合法")
        #expect(trial.answer(nested(10_000)) == "数据不合法")
    }

    @Test func wantsAnObjectFromAHeartbeat() {
        let trial = GoWebSocketTrial()
        trial.isSignedIn = true
        for data in ["{}", "null", "{\"userId\":\"a\"}"] {
            #expect(
                trial.answer("{\"seq\":\"1\",\"cmd\":\"heartbeat\",\"data\":\(data)}")
                    == envelope("1", "heartbeat", 200, "Success"))
        }
        for data in ["1", "[]", "\"x\"", "true"] {
            #expect(
                trial.answer("{\"seq\":\"1\",\"cmd\":\"heartbeat\",\"data\":\(data)}")
                    == envelope("1", "heartbeat", 1001, "参数不合法"))
        }
    }

    // MARK: Sign-in

    @Test func signsANamedGuestInToItsRoom() throws {
        let signIn = try #require(try bare.signIn(#"{"serviceToken":"","userId":"黄帝","appId":103}"#))
        #expect(signIn.credentials == .namedGuest("黄帝"))
        #expect(signIn.app == AppID(103))
        #expect(signIn.device == nil)
        #expect(signIn.start == .room(.room(AppID(unchecked: 103), nil)))
    }

    @Test func signsInWithAToken() throws {
        let signIn = try #require(try bare.signIn(#"{"servicetoken":"a.b-c","userID":"x","appID":101}"#))
        #expect(signIn.credentials == .token("a.b-c"))
        #expect(signIn.start == .room(.room(AppID(unchecked: 101), nil)))
        let long = { (count: Int) in
            "{\"serviceToken\":\"\(String(repeating: "t", count: count))\",\"userId\":\"x\",\"appId\":101}"
        }
        #expect(bare.code(long(4096)) == nil)
        #expect(bare.code(long(4097)) == 1003)
    }

    @Test func boundsUsersInBytes() throws {
        let login = { (name: String) in "{\"userId\":\"\(name)\",\"appId\":101}" }
        #expect(bare.code(login(String(repeating: "x", count: 19))) == nil)
        #expect(bare.code(login(String(repeating: "x", count: 20))) == 1002)
        #expect(bare.code(login("黄帝黄帝黄帝x")) == nil)
        #expect(bare.code(login("黄帝黄帝黄帝xy")) == 1002)
        let escaped = String(repeating: "\\u0078", count: 19)
        #expect(try bare.signIn(login(escaped))?.credentials == .namedGuest(String(repeating: "x", count: 19)))
        #expect(bare.code(login(escaped + "x")) == 1002)
        #expect(bare.code(login("a\\u0000")) == 1002)
        #expect(bare.code(login("a\\n")) == 1002)
    }

    @Test func looksAtTypesThenTheUserThenTheApp() {
        let cases: [(String, Int)] = [
            (#"{"userId":1,"appId":999}"#, 1001), (#"{"userId":"","appId":"101"}"#, 1001),
            (#"{"userId":"","appId":-1}"#, 1001), (#"{"userId":"","appId":101.0}"#, 1001),
            (#"{"userId":"","appId":4294967296}"#, 1001), (#"{"userId":"","appId":101,"serviceToken":{}}"#, 1001),
            (#"{"userId":"","appId":999}"#, 1002), (#"{"appId":101}"#, 1002), ("{}", 1002),
            (#"{"userId":null,"appId":101}"#, 1002), (#"{"userId":"a"}"#, 1003), (#"{"userId":"a","appId":0}"#, 1003),
            (#"{"userId":"a","appId":4294967295}"#, 1003), (#"{"userId":"a","appId":105}"#, 1003), ("[]", 1001),
            ("1", 1001), ("true", 1001),
        ]
        for (data, code) in cases { #expect(bare.code(data) == code, "\(data)") }
    }
}
