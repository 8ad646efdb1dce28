import MartletBench
import NIOCore
import Testing

@testable import PeerBench

@Suite struct ClusterChatPeerTests {
    private let signedIn = #"{"errno":0,"groups":["{}"],"id":12,"msgid":2,"name":"cleo"}"# + "\0"

    private func plan(_ load: PeerLoad, _ numbering: ClusterChatNumbers = .seed) -> PeerPlan {
        var plan = PeerPlan(load, port: 99, connections: 4)
        plan.users = (10..<14).map { ClusterChatUser(id: $0, password: "secret\($0)") }
        plan.numbering = numbering
        plan.group = load == .room ? 77 : nil
        return plan
    }

    /// What a client that has signed in writes.
    private func chat(_ number: Int, _ plan: PeerPlan) throws -> String {
        var dialect = ClusterChatPeer(number, plan)
        _ = try hear(&dialect, [Array(signedIn.utf8)[...]])
        return String(decoding: published(&dialect, 7, due: 99), as: UTF8.self)
    }

    @Test func signsInWithNumberAndPassword() {
        var dialect = ClusterChatPeer(2, plan(.pairs))
        let text = beginning(&dialect)
        #expect(text == #"{"id":12,"msgid":1,"password":"secret12"}"# + "\0")
    }

    @Test func readsChatsAtEverySplit() throws {
        let plan = plan(.pairs)
        let first = #"{"id":13,"msg":"\#(plan.text(3, 5, due: 1))","msgid":5,"name":"dora","time":"t","to":12}"#
        let second = #"{"id":13,"msg":"hello","msgid":5,"name":"dora","time":"t","to":12}"#
        let bytes = Array((signedIn + first + "\0" + second + "\0").utf8)
        let heard = try hearAtEverySplit(bytes) { ClusterChatPeer(2, plan) }
        #expect(heard.events == [.ready, .message(plan.mark(3, 5, due: 1)), .other])
        #expect(heard.sent.isEmpty)
    }

    @Test(arguments: [(ClusterChatNumbers.seed, 5, "to"), (.course, 6, "toid")])
    func writesToThePartner(_ numbering: ClusterChatNumbers, _ number: Int, _ key: String) throws {
        let plan = plan(.pairs, numbering)
        let text = try chat(2, plan)
        let time = "2024-01-01 00:00:00"
        let wanted =
            #"{"id":12,"msg":"\#(plan.text(2, 7, due: 99))","msgid":\#(number),"name":"cleo","time":"\#(time)","#
            + #""\#(key)":13}"# + "\0"
        #expect(text == wanted)
    }

    @Test(arguments: [(ClusterChatNumbers.seed, 9), (.course, 10)])
    func writesToTheGroup(_ numbering: ClusterChatNumbers, _ number: Int) throws {
        let plan = plan(.room, numbering)
        let text = try chat(0, plan)
        let wanted =
            #"{"groupid":77,"id":10,"msg":"\#(plan.text(0, 7, due: 99))","msgid":\#(number),"name":"cleo","#
            + #""time":"2024-01-01 00:00:00"}"# + "\0"
        #expect(text == wanted)
    }

    @Test(arguments: [
        #"{"errmsg":"id is online","errno":2,"msgid":2}"#, #"{"msgid":2}"#, "hello",
    ])
    func aRefusedSignInEndsTheRun(_ text: String) {
        var dialect = ClusterChatPeer(2, plan(.pairs))
        let failed = fails { _ = try hear(&dialect, [Array((text + "\0").utf8)[...]]) }
        #expect(failed)
    }

    @Test func whoIsInNoGroupHearsNoRoom() {
        var dialect = ClusterChatPeer(2, plan(.room))
        let answer = #"{"errno":0,"id":12,"msgid":2,"name":"cleo"}"# + "\0"
        let failed = fails { _ = try hear(&dialect, [Array(answer.utf8)[...]]) }
        #expect(failed)
    }

    @Test func refusesAMessageWithoutAnEnd() {
        var dialect = ClusterChatPeer(2, plan(.pairs))
        let bytes = [UInt8](repeating: 0x20, count: 70_000)
        let failed = fails { _ = try hear(&dialect, [bytes[...]]) }
        #expect(failed)
    }
}

@Suite struct ClusterChatMessagesTests {
    @Test func readsUsersWithCommasInTheirPasswords() throws {
        let users = try ClusterChatUser.read("id,password\n1,secret\n\n22,a,b\n")
        #expect(users == [ClusterChatUser(id: 1, password: "secret"), ClusterChatUser(id: 22, password: "a,b")])
    }

    @Test(arguments: ["1", "x,secret", "-1,secret", "1,secret\nid,password"])
    func refusesLinesThatAreNoUser(_ text: String) {
        let failed = fails { _ = try ClusterChatUser.read(text) }
        #expect(failed)
    }

    @Test func findsTheGroupOfAName() throws {
        let answer = try ClusterChatAnswer(
            ByteBuffer(
                string: #"""
                    {"errno":0,"groups":["{\"groupdesc\":\"d\",\"groupname\":\"a\",\"id\":1,\"users\":[]}",
                    "{\"groupdesc\":\"d\",\"groupname\":\"b\",\"id\":2,\"users\":[]}"],"id":1,"msgid":2,"name":"alice"}
                    """#))
        #expect(answer.group("b") == 2)
        #expect(answer.group("c") == nil)
    }

    @Test func thePasswordOfARegistrationIsEscaped() {
        let bytes = ClusterChatRequests(numbering: .course).register(name: "ann", password: "\"")
        #expect(String(decoding: bytes, as: UTF8.self) == #"{"msgid":4,"name":"ann","password":"\""}"# + "\0")
    }
}
