import EndToEndSupport
import MartletWire
import Testing

/// Sessions and calls of gowebsocket's clients.
@Suite(.speakingOlderDialects())
struct GoWebSocketTests {
    private let server = TestServer.current
    private let rest = TestServer.rest

    @Test func `What a user says elsewhere is not pushed to their own sessions here`() async throws {
        let (ada, ben) = (try await TestServer.user("ada"), try await TestServer.user("ben"))
        let native = try await TestServer.connect(ada)
        let own = try await GoWebSocketClient.signedIn(port: server.port, as: ada.name, serviceToken: ada.token)
        let other = try await GoWebSocketClient.signedIn(port: server.port, as: ben.name, serviceToken: ben.token)
        try await native.say("from the page", in: ada.direct(ben))
        try await other.wait(for: "from the page")
        try await rest.post("from a program", as: ada.name, target: ada.direct(ben), token: ada.token)
        try await other.wait(for: "from a program")
        try await native.waitText("from a program")
        try await own.settle()
        #expect(own.messages == [])
    }

    @Test func `A sign-in that ends ends its sessions`() async throws {
        let ada = try await TestServer.user("ada")
        let client = try await GoWebSocketClient.signedIn(port: server.port, as: ada.name, serviceToken: ada.token)
        try await rest.succeed("POST", "/api/auth/logout", by: ada, #"{"all":true}"#)
        try await client.waitClosed()
        let late = try await GoWebSocketClient.connect(port: server.port)
        #expect(try await late.login(ada.name, serviceToken: ada.token).code == 1003)
    }

    @Test func `A msgId that comes again sends nothing, and an empty one is never a repeat`() async throws {
        let mark = randomClientID()
        let guest = try await GoWebSocketClient.signedIn(port: server.port, as: "g\(mark)")
        var parameters = ["appId": "101", "userId": "p\(mark)", "msgId": "\(mark)-1", "message": "\(mark) once"]
        let first = try await rest.goWebSocket("POST", "/user/sendMessageAll", parameters)
        #expect(first.text == #"{"code":200,"msg":"Success","data":{"sendResults":true}}"#)
        for (method, path) in [("GET", "/user/sendMessageAll"), ("POST", "/user/sendMessage")] {
            parameters["userId"] = "g\(mark)"
            let again = try await rest.goWebSocket(method, path, parameters)
            #expect(again.text == #"{"code":200,"msg":"Success","data":{}}"#)
        }
        parameters = ["appId": "101", "userId": "p\(mark)", "msgId": "", "message": "\(mark) unnamed"]
        for _ in 0..<2 {
            #expect(try await rest.goWebSocket("POST", "/user/sendMessageAll", parameters).isSent == true)
        }
        try await rest.post("\(mark) end", as: "p\(mark)")
        try await guest.wait(for: "\(mark) end")
        let texts = guest.messages.map(\.text).filter { $0.hasPrefix(mark) }
        #expect(texts == ["once", "unnamed", "unnamed", "end"].map { "\(mark) \($0)" })
    }

    @Test func `Nobody is sent anything who is not there`() async throws {
        let mark = randomClientID()
        let guest = try await GoWebSocketClient.signedIn(port: server.port, as: "g\(mark)")
        await guest.drop()
        let parameters = ["appId": "101", "userId": "g\(mark)", "msgId": mark, "message": "hello"]
        try await soon("the guest to be away") {
            let named = parameters.merging(["msgId": randomClientID()]) { $1 }
            return try await rest.goWebSocket("POST", "/user/sendMessage", named).isSent == false
        }
        let online = try await rest.goWebSocket("GET", "/user/online", ["appId": "101", "userId": "g\(mark)"])
        #expect(online.text == #"{"code":200,"msg":"Success","data":{"online":false,"userId":"g\#(mark)"}}"#)
        let list = try await rest.goWebSocket("GET", "/user/list", ["appId": "999"])
        #expect(list.text == #"{"code":200,"msg":"Success","data":{"userCount":0,"userList":[]}}"#)
    }
}
