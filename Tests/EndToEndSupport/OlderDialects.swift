import MartletWire
import Testing

/// What a server is told that speaks both older dialects, and where it listens.
package enum OlderDialects {
    /// One app, 101, whose people use all of them; both families of clusterchat; gowebsocket's calls open to everybody.
    package static let environment = [
        "MARTLET_ACCOUNTS_APPS": "101", "MARTLET_ACCOUNTS_GUESTS": "true", "MARTLET_GOWEBSOCKET_ENABLED": "true",
        "MARTLET_GOWEBSOCKET_ROOMS": "101",
        "MARTLET_GOWEBSOCKET_OPEN": "true", "MARTLET_CLUSTERCHAT_PORT": "0,0",
        "MARTLET_CLUSTERCHAT_NUMBERING": "seed,course", "MARTLET_CLUSTERCHAT_APP": "101",
    ]

    /// The world room of the app.
    package static let room = "r:101"
}

extension Trait where Self == ServerTrait {
    /// A server for the suite that speaks both older dialects.
    package static func speakingOlderDialects(_ environment: [String: String] = [:]) -> ServerTrait {
        ServerTrait(
            arguments: [], environment: OlderDialects.environment.merging(environment) { $1 }, rateLimited: false)
    }
}

extension ServerProcess {
    /// The port on which the server speaks a family of clusterchat, as it was started last.
    package func port(_ family: ClusterChatFamily) async throws -> Int {
        let words = "\(family.dialect) on 127.0.0.1:"
        let deadline = ContinuousClock.now + patience
        while true {
            // What the last start printed, and only whole lines.
            let lines = log.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            let start = lines.lastIndex { $0.hasPrefix("listening on ") } ?? lines.startIndex
            if let line = lines[start...].first(where: { $0.hasPrefix(words) }),
                let port = Int(line.dropFirst(words.count))
            {
                return port
            }
            guard ContinuousClock.now < deadline else {
                throw WaitedTooLong(description: "the server does not say where it speaks \(family.dialect)")
            }
            try await Task.sleep(for: .milliseconds(10))
        }
    }

    /// A connection of a clusterchat client.
    package func clusterChat(
        _ family: ClusterChatFamily = .seed, receiveBuffer: Int? = nil
    ) async throws -> ClusterChatClient {
        try await ClusterChatClient.connect(port: port(family), family, receiveBuffer: receiveBuffer)
    }

    /// A connection that signs somebody in over clusterchat; throws where that is refused.
    package func clusterChat(
        as user: TestUser, _ family: ClusterChatFamily = .seed
    ) async throws -> (client: ClusterChatClient, login: ClusterChatLogin) {
        let client = try await clusterChat(family)
        let login = try await client.logIn(user.id)
        guard login.errno == 0 else {
            throw ClusterChatBreach(description: "\(user.name) was refused: \(login.message ?? "")")
        }
        return (client, login)
    }
}

extension ServerProcess {
    /// Signs somebody in over clusterchat as soon as nobody else is: the end of another session takes its moment.
    package func clusterChatSoon(
        as user: TestUser, _ family: ClusterChatFamily = .seed
    ) async throws -> (client: ClusterChatClient, login: ClusterChatLogin) {
        let deadline = ContinuousClock.now + patience
        while true {
            let client = try await clusterChat(family)
            let login = try await client.logIn(user.id)
            if login.errno == 0 { return (client, login) }
            guard login.errno == 2, ContinuousClock.now < deadline else {
                throw ClusterChatBreach(description: "\(user.name) was refused: \(login.message ?? "")")
            }
            await client.drop()
            try await Task.sleep(for: .milliseconds(20))
        }
    }
}

extension ClusterChatClient {
    /// Says something to somebody, under the sender's own name.
    package func say(_ text: String, to other: TestUser, as user: TestUser) {
        send(family.chat(text, to: other.id, as: user.id, name: user.name))
    }

    /// Says something in a group.
    package func say(_ text: String, in group: Int64, as user: TestUser) {
        send(family.groupChat(text, group: group, as: user.id, name: user.name))
    }
}

/// The answer to a call of the gowebsocket dialect.
package struct GoWebSocketAnswer: Sendable {
    package let code: Int
    package let data: JSONValue
    package let text: String

    package var isSent: Bool? { data["sendResults"]?.bool }
}

extension RestClient {
    /// A call of the gowebsocket dialect: by GET in the query, by POST as a form.
    package func goWebSocket(
        _ method: String, _ path: String, _ parameters: [String: String], token: String? = nil
    ) async throws -> GoWebSocketAnswer {
        let form = parameters.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.percentEncoded($0.value))" }
            .joined(separator: "&")
        let isForm = method == "POST"
        let answer = try await call(
            method, isForm ? path : "\(path)?\(form)", token: token, body: isForm ? Array(form.utf8) : nil,
            headers: isForm ? [("Content-Type", "application/x-www-form-urlencoded")] : [])
        guard answer.status == 200, let json = answer.json, let code = json["code"]?.integer, let data = json["data"]
        else { throw Refused(answer) }
        return GoWebSocketAnswer(code: Int(code), data: data, text: answer.text)
    }

    /// Sends a message to the room, or to the conversation `target`. Throws where it was not taken.
    package func post(
        _ text: String, as name: String, target: String? = nil, msgId: String = randomClientID(), token: String? = nil
    ) async throws {
        var parameters = ["appId": "101", "userId": name, "msgId": msgId, "message": text]
        parameters["target"] = target
        let answer = try await goWebSocket("POST", "/user/sendMessageAll", parameters, token: token)
        guard answer.code == 200, answer.isSent == true else { throw GoWebSocketRefusal(description: answer.text) }
    }

    private static func percentEncoded(_ text: String) -> String {
        let plain = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~".utf8)
        return text.utf8.map { byte in
            if plain.contains(byte) { return String(UnicodeScalar(byte)) }
            let digits = String(byte, radix: 16, uppercase: true)
            return digits.count == 1 ? "%0\(digits)" : "%\(digits)"
        }.joined()
    }
}

/// A call of the gowebsocket dialect was not taken.
package struct GoWebSocketRefusal: Error, CustomStringConvertible { package let description: String }
