import MartletCore
import MartletWire

/// The HTTP half of the gowebsocket dialect: the calls of link1st/gowebsocket under their old paths, and
/// `/user/history`, which it had not.
package struct GoWebSocketRoutes: Sendable {
    enum Call: String, Sendable, CaseIterable {
        case list = "/user/list"
        case online = "/user/online"
        case send = "/user/sendMessage"
        case sendAll = "/user/sendMessageAll"
        case history = "/user/history"
        case state = "/system/state"
        case home = "/home/index"
    }

    private let calls: any GoWebSocketCalls
    private let rooms: [AppID]
    private let page: [UInt8]

    /// `rooms` are the apps that the dialect serves; the first one is where people go who name none. `page` is the HTML
    /// of `/home/index`, with `{{appId}}` and `{{rooms}}` where the numbers go.
    package init(calls: any GoWebSocketCalls, rooms: [AppID], page: [UInt8]) {
        self.calls = calls
        self.rooms = rooms
        self.page = page
    }

    /// What a request asks for; nil where that is not ours. The old server's paths have no other spelling.
    func call(at target: String) -> Call? { Call(rawValue: String(target.prefix { $0 != "?" })) }

    func caller(_ credential: String?, _ visitor: Visitor) async throws(Fault) -> Poster {
        try await calls.caller(credential: credential, from: visitor)
    }

    // MARK: The calls

    /// Returns the bytes of the answer's `data`.
    func run(
        _ call: Call, _ parameters: GoWebSocketParameters, by caller: Poster,
        from visitor: Visitor, isLocal: Bool
    ) async throws(Fault) -> [UInt8] {
        switch call {
        case .list: JSONWriter.encode(try await list(parameters, caller))
        case .online: JSONWriter.encode(try await online(parameters, caller))
        case .send: try await answer(posting(to: person(parameters), parameters, caller), caller, visitor)
        case .sendAll: try await answer(posting(parameters, caller), caller, visitor)
        case .history: JSONWriter.encode(try await history(parameters, caller))
        case .state: JSONWriter.encode(try await state(parameters, caller, isLocal: isLocal))
        case .home: throw Fault(.internalError, "internal error")
        }
    }

    private func list(
        _ parameters: GoWebSocketParameters, _ caller: Poster
    ) async throws(Fault) -> GoWebSocketPeople {
        guard let app = parameters.app(among: rooms) else { return GoWebSocketPeople(names: [], count: 0) }
        return try await calls.people(in: app, for: caller)
    }

    private func online(
        _ parameters: GoWebSocketParameters, _ caller: Poster
    ) async throws(Fault) -> GoWebSocketOnline {
        let userId = try parameters.person("userId") ?? ""
        guard let app = parameters.app(among: rooms), !userId.isEmpty else {
            return GoWebSocketOnline(isOnline: false, userId: userId)
        }
        return GoWebSocketOnline(isOnline: try await calls.isOnline(userId, in: app, for: caller), userId: userId)
    }

    private func history(
        _ parameters: GoWebSocketParameters, _ caller: Poster
    ) async throws(Fault) -> GoWebSocketHistory {
        let app = try app(parameters)
        let limit = Int64(Limits.pageSize.lowerBound)...Int64(Limits.pageSize.upperBound)
        return try await calls.history(
            of: app, before: try parameters.integer("before", 1...maximumIdentifier),
            limit: Int(try parameters.integer("limit", limit) ?? Int64(Limits.defaultPageSize)), for: caller)
    }

    private func state(
        _ parameters: GoWebSocketParameters, _ caller: Poster, isLocal: Bool
    ) async throws(Fault) -> GoWebSocketState {
        let isAsked = parameters.text("isDebug") == "true"
        return try await calls.state(
            includesLists: isAsked && Policy.maySeeConnections(caller, isLocal: isLocal))
    }

    /// The app to send in. The old server took a message for a room that nobody can enter, and lost it.
    private func app(_ parameters: GoWebSocketParameters) throws(Fault) -> AppID {
        guard let app = parameters.app(among: rooms) else { throw Fault(.notAllowed, "there is no such room") }
        return app
    }

    // MARK: Sending

    private func person(_ parameters: GoWebSocketParameters) throws(Fault) -> String {
        guard let name = try parameters.person("userId") else { throw .missing("userId") }
        return name
    }

    private func posting(
        to person: String, _ parameters: GoWebSocketParameters, _ caller: Poster
    ) throws(Fault) -> GoWebSocketPosting {
        let sender = try parameters.person("from")
        try requireName(sender, caller)
        return GoWebSocketPosting(
            app: try app(parameters), target: .person(person), sender: sender, msgId: parameters.text("msgId") ?? "",
            message: try parameters.message())
    }

    /// To the room, or to another conversation.
    private func posting(
        _ parameters: GoWebSocketParameters, _ caller: Poster
    ) throws(Fault) -> GoWebSocketPosting {
        let sender = try parameters.person("userId")
        if sender == nil {
            guard case .account = caller else { throw .missing("userId") }
        }
        try requireName(sender, caller)
        let app = try app(parameters)
        var target = GoWebSocketPosting.Target.room
        if let conversation = try parameters.conversation("target"), conversation != .room(app, nil) {
            target = .conversation(conversation)
        }
        return GoWebSocketPosting(
            app: app, target: target, sender: sender, msgId: parameters.text("msgId") ?? "",
            message: try parameters.message())
    }

    /// Who is not known speaks as a guest, and guests have short names.
    private func requireName(_ sender: String?, _ caller: Poster) throws(Fault) {
        guard case .anyone = caller, let sender, !GoWebSocketMessage.isUserId(sender) else { return }
        throw .invalid("userId", "1 to 19 bytes are expected")
    }

    private func answer(
        _ posting: GoWebSocketPosting, _ caller: Poster, _ visitor: Visitor
    ) async throws(Fault) -> [UInt8] {
        JSONWriter.encode(GoWebSocketResults(try await calls.send(posting, by: caller, from: visitor)))
    }

    // MARK: The page

    /// The page for the room that a query names, or else for the first.
    func home(_ parameters: GoWebSocketParameters) -> [UInt8] {
        let app = parameters.app(among: rooms) ?? rooms.first
        let numbers = rooms.map { String($0.value) }.joined(separator: " ")
        let values = ["appId": app.map { String($0.value) } ?? "", "rooms": numbers]
        return Self.fill(page, values)
    }

    /// Puts values between double braces. They are numbers, so that none needs an escape.
    static func fill(_ template: [UInt8], _ values: [String: String]) -> [UInt8] {
        var (filled, rest): ([UInt8], ArraySlice<UInt8>) = ([], template[...])
        filled.reserveCapacity(template.count)
        let (open, close) = (UInt8(ascii: "{"), UInt8(ascii: "}"))
        while let byte = rest.popFirst() {
            guard byte == open, rest.first == open, let end = rest.firstIndex(of: close),
                let value = values[String(decoding: rest.dropFirst().prefix(upTo: end), as: UTF8.self)]
            else {
                filled.append(byte)
                continue
            }
            filled.append(contentsOf: value.utf8)
            rest = rest[(end + 1)...].dropFirst()
        }
        return filled
    }
}
