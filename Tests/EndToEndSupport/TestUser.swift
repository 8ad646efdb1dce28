import MartletWire

/// Somebody with an account, signed in.
package struct TestUser: Sendable {
    package let id: Int64
    package let name: String
    package let token: String
    package let refresh: String

    package init(id: Int64, name: String, token: String, refresh: String) {
        self.id = id
        self.name = name
        self.token = token
        self.refresh = refresh
    }

    /// Of a user's own inbox.
    package var inbox: String { "u:\(id)" }

    /// The conversation with somebody else.
    package func direct(_ other: TestUser) -> String { "d:\(min(id, other.id)):\(max(id, other.id))" }
}

/// A call that should have gone well was refused.
package struct Refused: Error, CustomStringConvertible {
    package let description: String

    package init(_ answer: RestAnswer) { description = "\(answer.status) \(answer.text)" }
    package init(_ answer: WireAnswer) { description = "\(answer.code) \(answer.reason ?? "")" }
}

package let testPassword = "correct horse 7"

/// Makes an account.
package func register(_ client: RestClient, _ name: String) async throws -> TestUser {
    try account(
        await client.call("POST", "/api/user/register", json: #"{"username":"\#(name)","password":"\#(testPassword)"}"#)
    )
}

/// Signs in once more, for a second device or after a revocation.
package func signIn(
    _ client: RestClient, _ name: String, password: String = testPassword, device: String = "web"
) async throws -> TestUser {
    try account(
        await client.call(
            "POST", "/api/user/login", json: #"{"username":"\#(name)","password":"\#(password)","device":"\#(device)"}"#
        ))
}

private func account(_ answer: RestAnswer) throws -> TestUser {
    guard answer.status == 200, let data = answer.data, let id = data["userId"]?.integer,
        let name = data["username"]?.string,
        let token = data["accessToken"]?.string, let refresh = data["refreshToken"]?.string
    else { throw Refused(answer) }
    return TestUser(id: id, name: name, token: token, refresh: refresh)
}

extension RestClient {
    /// A call that must be answered with 200; returns its data.
    @discardableResult
    package func succeed(_ method: String, _ path: String, by user: TestUser? = nil, _ json: String? = nil) async throws
        -> JSONValue
    {
        let answer = try await call(method, path, token: user?.token, json: json)
        guard answer.status == 200, let data = answer.data else { throw Refused(answer) }
        return data
    }

    /// Makes two users friends.
    package func befriend(_ one: TestUser, _ other: TestUser) async throws {
        try await succeed("POST", "/api/friend/request", by: one, #"{"userId":\#(other.id)}"#)
        try await succeed("POST", "/api/friend/request", by: other, #"{"userId":\#(one.id)}"#)
    }

    /// Makes a group that everybody joins; returns its id. The owner is `users[0]`.
    package func group(_ name: String, of users: [TestUser]) async throws -> Int64 {
        let group = try await succeed("POST", "/api/group/create", by: users[0], #"{"name":"\#(name)","join":"open"}"#)
        guard let id = group["groupId"]?.integer else { throw ConnectionLost() }
        for user in users.dropFirst() { try await succeed("POST", "/api/group/join", by: user, #"{"groupId":\#(id)}"#) }
        return id
    }
}
