import EndToEndSupport
import MartletCore
import MartletWire
import Testing

@Suite("Access", .server(environment: World.settings))
struct AccessTableTests {
    @Test("Every operation has a row, and every row an operation")
    func isComplete() async throws {
        let document = try await Contract.current().surface
        #expect(Set(RestAccessTable.rows.map(\.operation)) == Set(document.operations.map(\.name)))
        #expect(Set(WireAccessTable.rows.map(\.operation)) == Set(WireAccessTable.commands))
        for row in RestAccessTable.rows {
            let open = row.outcomes[.anonymous] != .no(.notSignedIn)
            #expect(document.operation(row.operation)?.needsLogin == !open, "\(row.testDescription)")
        }
    }

    @Test("Over REST", arguments: RestAccessTable.rows)
    func rest(_ row: AccessRow) async throws {
        let world = try await World.current()
        let contract = try await Contract.current()
        for asker in row.order(Asker.ofRest) {
            let call = row.call(world, asker)
            let parts = row.operation.split(separator: " ").map(String.init)
            let path = parts[1].replacing("{id}", with: String(call.id ?? 0))
            let answer = try await world.rest.call(
                parts[0], call.query.isEmpty ? path : "\(path)?\(call.query)",
                token: call.token ?? world.users[asker]?.token, json: call.json)
            let outcome = Outcome(status: answer.status, reason: answer.reason)
            #expect(outcome == row.outcomes[asker], "\(asker): \(answer.text)")
            contract.check(row.operation, status: answer.status, body: answer.body)
        }
    }

    @Test("Over WebSocket", arguments: WireAccessTable.rows)
    func wire(_ row: AccessRow) async throws {
        let world = try await World.current()
        for asker in row.order(Asker.allCases) {
            let socket = try #require(world.sockets[asker])
            let answer = try await socket.request(row.operation, row.call(world, asker).json ?? "{}")
            let outcome = Outcome(status: answer.code, reason: answer.reason)
            #expect(outcome == row.outcomes[asker], "\(asker): \(answer)")
        }
    }

    @Test("Nobody of another app is ever shown")
    func apps() async throws {
        let world = try await World.current()
        let foreigner = world.user(.foreigner)
        let lists = [
            "/api/friend/list", "/api/friend/requests", "/api/friend/block", "/api/chat/conversations",
            "/api/group/list",
            "/api/group/invitations", "/api/room/list",
        ]
        let mine = try await world.rest.succeed("POST", "/api/group/create", by: foreigner, #"{"name":"Theirs"}"#)
        for path in lists {
            let theirs = try await world.rest.call("GET", path, token: foreigner.token).text
            for user in world.users.values where user.id != foreigner.id {
                #expect(!theirs.contains(#""userId":\#(user.id),"#), "\(path)")
                let ours = try await world.rest.call("GET", path, token: user.token).text
                #expect(!ours.contains(#""userId":\#(foreigner.id),"#) && !ours.contains("Theirs"), "\(path)")
            }
        }
        #expect(mine["groupId"]?.integer != nil)
        let rooms = try await world.rest.succeed("GET", "/api/room/list", by: foreigner)
        #expect(rooms["items"]?.array?.allSatisfy { $0["conversationId"]?.string?.hasPrefix("r:2") == true } == true)
    }

    @Test("A sync tells nothing of conversations that are not one's own, whatever is named")
    func sync() async throws {
        let world = try await World.current()
        let named = Place.allCases.map { #""\#(world.place($0))":0"# }.joined(separator: ",")
        for asker in [Asker.stranger, .administrator, .foreigner, .guest] {
            let socket = try #require(world.sockets[asker])
            let data = try await socket.succeed("sync", #"{"cursors":{\#(named)}}"#)
            let names = data["conversations"]?.array?.compactMap { $0["conversationId"]?.string } ?? []
            for place in Place.allCases { #expect(!names.contains(world.place(place)), "\(asker): \(place)") }
        }
    }
}
