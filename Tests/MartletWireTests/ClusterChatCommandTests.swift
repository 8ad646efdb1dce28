import MartletCore
import MartletWire
import NIOCore
import Testing

@Suite struct ClusterChatCommandTests {
    private let seed = ClusterChat(.seed)
    private let course = ClusterChat(.course)

    private func submission(_ chat: ClusterChat, _ message: String) throws -> Submission? {
        guard case .send(let submission) = try chat.command(utf8(message)) else { return nil }
        return submission
    }

    private func credentials(_ message: String) throws -> SignIn? {
        guard case .signIn(let signIn) = try seed.command(utf8(message)) else { return nil }
        return signIn
    }

    private func refusal(_ message: String) -> Refusal? {
        let bytes = utf8(message)
        guard let head = try? seed.dialect.head(bytes.span) else { return nil }
        return fault { () throws(Fault) in _ = try seed.dialect.command(head, bytes.span) }
    }

    @Test(arguments: ClusterChatNumbering.allCases)
    func hasANumberForEachCommand(_ numbering: ClusterChatNumbering) throws {
        for command in ClusterChatCommand.allCases where command != .unknown {
            let number = try #require(numbering.number(command))
            #expect(numbering.command(number) == command)
            let head = try ClusterChat(numbering).dialect.head(utf8(#"{"msgid":\#(number)}"#).span)
            #expect(ClusterChatDialect.command(head.ticket) == command)
            #expect(head.access == (command == .login || command == .register ? .anyone : .user))
        }
        #expect(numbering.number(.chat) == numbering.chat)
        #expect(numbering.number(.groupChat) == numbering.groupChat)
    }

    @Test func signsInByNumber() throws {
        for key in ["password", "pwd"] {
            let signIn = try #require(try credentials(#"{"msgid":1,"id":7,"\#(key)":"p\u00e9\n"}"#))
            #expect(signIn.credentials == .number(UserID(unchecked: 7), password: "pé\n"))
            #expect(signIn.start == .roster)
            #expect(signIn.app == AppID(unchecked: 1))
        }
        let both = try credentials(#"{"msgid":1,"id":7,"password":"a","pwd":"b"}"#)
        #expect(both?.credentials == .number(UserID(unchecked: 7), password: "a"))
    }

    @Test func refusesALoginThatCannotBe() {
        let long = String(repeating: "x", count: 129)
        for (fields, expected) in [
            (#""password":"a""#, Refusal(.missingField, "id")), (#""id":1"#, Refusal(.missingField, "password")),
            (#""id":"1","password":"a""#, Refusal(.invalidField, "id")),
            (#""id":1.5,"password":"a""#, Refusal(.invalidField, "id")),
            (#""id":1,"password":1"#, Refusal(.invalidField, "password")),
            (#""id":0,"password":"a""#, Refusal(.wrongCredentials)),
            (#""id":-1,"password":"a""#, Refusal(.wrongCredentials)),
            (#""id":1,"password":"""#, Refusal(.wrongCredentials)),
            (#""id":1,"password":"\#(long)""#, Refusal(.wrongCredentials)),
        ] {
            let refusal = refusal(#"{"msgid":1,\#(fields)}"#)
            #expect(refusal == expected, "\(fields)")
        }
    }

    @Test func sendsAChatUnderEitherKey() throws {
        for (chat, number) in [(seed, 5), (course, 6)] {
            for key in ["to", "toid"] {
                let message = #"{"msgid":\#(number),"id":9,"name":"x","\#(key)":2,"msg":"a\"你\u0041","time":"t\\"}"#
                let send = try #require(try submission(chat, message))
                #expect(send.target == .user(UserID(unchecked: 2)))
                #expect(send.kind == .text)
                #expect(send.clientId.isEmpty)
                #expect(send.content == utf8(#"{"text":"a\"你\u0041","time":"t\\"}"#))
                let facts = try MessageContent.check(.text, send.content.span)
                #expect(facts == MessageContentFacts())
            }
        }
    }

    @Test func sendsToAGroup() throws {
        for (chat, number) in [(seed, 9), (course, 10)] {
            let send = try #require(try submission(chat, #"{"msgid":\#(number),"groupid":3,"msg":"yo"}"#))
            #expect(send.target == .conversation(.group(GroupID(unchecked: 3))))
            #expect(send.content == utf8(#"{"text":"yo"}"#))
        }
    }

    @Test func dropsATimeThatIsNoShortText() throws {
        let long = String(repeating: "x", count: 65)
        for time in ["1", "null", "{}", "[\"t\"]", "\"\(long)\""] {
            let send = try submission(seed, #"{"msgid":5,"to":2,"msg":"m","time":\#(time)}"#)
            #expect(send?.content == utf8(#"{"text":"m"}"#), "\(time)")
        }
        let kept = String(repeating: "x", count: 64)
        let send = try submission(seed, #"{"msgid":5,"to":2,"msg":"m","time":"\#(kept)"}"#)
        #expect(send?.content == utf8(#"{"text":"m","time":"\#(kept)"}"#))
    }

    @Test(arguments: [
        (#"{"msgid":5,"msg":"m"}"#, Refusal(.missingField, "to")),
        (#"{"msgid":5,"to":"2","msg":"m"}"#, Refusal(.invalidField, "to")),
        (#"{"msgid":5,"to":0,"msg":"m"}"#, Refusal(.invalidField, "to")),
        (#"{"msgid":5,"to":2}"#, Refusal(.missingField, "msg")),
        (#"{"msgid":5,"to":2,"msg":5}"#, Refusal(.invalidField, "msg")),
        (#"{"msgid":5,"TO":2,"msg":"m"}"#, Refusal(.missingField, "to")),
        (#"{"msgid":9,"msg":"m"}"#, Refusal(.missingField, "groupid")),
        (#"{"msgid":9,"groupid":-4,"msg":"m"}"#, Refusal(.invalidField, "groupid")),
        (#"{"msgid":99}"#, Refusal(.unknownCommand, "msgid")), (#"{"msgid":2}"#, Refusal(.unknownCommand, "msgid")),
    ])
    func refusesWhatLacksSomething(_ message: String, _ expected: Refusal) {
        let refusal = refusal(message)
        #expect(refusal == expected)
    }

    @Test func handsTheWholeMessageToTheRunner() throws {
        for message in [#"{"msgid":3,"name":"al","pwd":"x"}"#, #" {"msgid":6,"id":1,"friendid":2} "#] {
            guard case .run(let data) = try seed.command(utf8(message)) else {
                Issue.record("not for the runner: \(message)")
                continue
            }
            #expect(data == utf8(message))
        }
        guard case .signOut = try seed.command(utf8(#"{"msgid":10,"id":1}"#)) else {
            Issue.record("no logout")
            return
        }
    }

    @Test(arguments: [
        "", "{", "null", "[]", "{}", #"{"msgid":null}"#, #"{"msgid":"1"}"#, #"{"msgid":1.0}"#, #"{"msgid":1}x"#,
        #"{"msgid":1,"msgid":1}"#, #"{"msgid":1,"a":}"#, #"{"msgid":99999999999999999999}"#,
    ])
    func saysWhatCannotBeRead(_ message: String) {
        #expect(throws: UnreadableMessage.self) { try seed.command(utf8(message)) }
    }

    @Test func refusesTextThatIsNotUTF8() {
        let bytes = utf8(#"{"msgid":5,"to":2,"msg":""#) + [0xC3, 0x28] + utf8(#""}"#)
        #expect(throws: UnreadableMessage.self) { try seed.command(bytes) }
    }

    @Test func readsWhatTheRunnerNeeds() throws {
        let register = try ClusterChatRequest(.register, utf8(#"{"msgid":3,"name":"alice","password":"a b\t"}"#))
        #expect(register == .register(name: "alice", password: "a b\t"))
        let short = try ClusterChatRequest(.register, utf8(#"{"msgid":3,"name":"alice","pwd":"1"}"#))
        #expect(short == .register(name: "alice", password: "1"))
        let friend = try ClusterChatRequest(.addFriend, utf8(#"{"msgid":6,"id":1,"friendid":2}"#))
        #expect(friend == .addFriend(UserID(unchecked: 2)))
        let group = try ClusterChatRequest(.createGroup, utf8(#"{"msgid":7,"id":1,"groupname":"g","groupdesc":"d"}"#))
        #expect(group == .createGroup(name: "g", description: "d"))
        let bare = try ClusterChatRequest(.createGroup, utf8(#"{"msgid":7,"groupname":"g"}"#))
        #expect(bare == .createGroup(name: "g", description: ""))
        let join = try ClusterChatRequest(.joinGroup, utf8(#"{"msgid":8,"id":1,"groupid":4}"#))
        #expect(join == .joinGroup(GroupID(unchecked: 4)))
    }

    @Test(arguments: [
        (ClusterChatCommand.register, #"{"password":"x"}"#, Refusal(.missingField, "name")),
        (.register, #"{"name":"alice"}"#, Refusal(.missingField, "password")),
        (.register, #"{"name":"alice","password":""}"#, Refusal(.invalidField, "password")),
        (.register, #"{"name":7,"password":"x"}"#, Refusal(.invalidField, "name")),
        (.addFriend, #"{"friendid":"2"}"#, Refusal(.invalidField, "friendid")),
        (.addFriend, #"{"friendid":0}"#, Refusal(.invalidField, "friendid")),
        (.createGroup, #"{"groupname":""}"#, Refusal(.invalidField, "groupname")),
        (.joinGroup, "{}", Refusal(.missingField, "groupid")), (.chat, "{}", Refusal(.unknownCommand, "msgid")),
    ])
    func boundsWhatTheRunnerGets(_ command: ClusterChatCommand, _ data: String, _ expected: Refusal) {
        let refusal = fault { () throws(Fault) in _ = try ClusterChatRequest(command, utf8(data)) }
        #expect(refusal == expected)
    }

    @Test func hasTheMannersOfItsClients() {
        #expect(seed.dialect.name == "clusterchat-seed")
        #expect(course.dialect.name == "clusterchat-course")
        #expect(seed.dialect.transport == .stream)
        var manners = Manners()
        (manners.signInTimeout, manners.silence, manners.pace) = (.seconds(60), .unlimited, .milliseconds(20))
        (manners.isExclusive, manners.isServerResumed, manners.waitsForRates) = (true, true, true)
        (manners.device, manners.hearsOwnMessages) = ("clusterchat", false)
        #expect(seed.dialect.manners == manners)
    }
}
