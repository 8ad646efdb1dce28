import MartletCore
import MartletSocial
import MartletWire

/// Friends, requests and blocks: the protocol's table "Friends". Inputs and outputs are in `FriendMessages.swift`.
package struct FriendEndpoints: Sendable {
    private let friends: Friends

    package init(friends: Friends) { self.friends = friends }

    package var all: [Endpoint] {
        let tag = "Friends"
        return [
            Endpoint(.post, "/api/friend/request", tag: tag, "Ask somebody to be friends", request),
            Endpoint(.get, "/api/friend/requests", tag: tag, "List the requests that wait for one's answer", requests),
            Endpoint(.put, "/api/friend/request", tag: tag, "Accept or reject a request", answer),
            Endpoint(.get, "/api/friend/list", tag: tag, "List one's friends", list),
            Endpoint(.put, "/api/friend/remark", tag: tag, "Say what one calls a friend", setRemark),
            Endpoint(.delete, "/api/friend", tag: tag, "End a friendship", remove),
            Endpoint(.post, "/api/friend/block", tag: tag, "Block a user", block),
            Endpoint(.delete, "/api/friend/block", tag: tag, "Lift a block", unblock),
            Endpoint(.get, "/api/friend/block", tag: tag, "List the users one blocked", blocked),
        ]
    }

    // MARK: Requests

    @Sendable
    private func request(_ caller: Caller, _ input: FriendRequestInput) async throws(Fault) -> RequestOutcomeOutput {
        let outcome = try await friends.request(input.target, message: input.message, by: caller)
        return RequestOutcomeOutput(id: outcome.id, isAccepted: outcome.isAccepted)
    }

    @Sendable
    private func requests(_ caller: Caller, _ input: PageInput) async throws(Fault) -> ListOutput<FriendRequestOutput> {
        let page = try await friends.requests(before: input.cursor, limit: input.limit, by: caller)
        return ListOutput(page) { FriendRequestOutput($0) }
    }

    @Sendable
    private func answer(_ caller: Caller, _ input: FriendAnswerInput) async throws(Fault) -> EmptyOutput {
        try await friends.answer(input.request, isAccepted: input.isAccepted, by: caller)
        return EmptyOutput()
    }

    // MARK: Friends

    @Sendable
    private func list(_ caller: Caller, _ input: FriendPageInput) async throws(Fault) -> ListOutput<FriendOutput> {
        let page = try await friends.list(after: input.cursor.flatMap { UserID($0) }, limit: input.limit, by: caller)
        return ListOutput(page) { FriendOutput($0) }
    }

    @Sendable
    private func setRemark(_ caller: Caller, _ input: RemarkInput) async throws(Fault) -> EmptyOutput {
        try await friends.setRemark(input.remark, on: input.user, by: caller)
        return EmptyOutput()
    }

    @Sendable
    private func remove(_ caller: Caller, _ input: UserInput) async throws(Fault) -> EmptyOutput {
        try await friends.remove(input.user, by: caller)
        return EmptyOutput()
    }

    // MARK: Blocks

    @Sendable
    private func block(_ caller: Caller, _ input: UserInput) async throws(Fault) -> EmptyOutput {
        try await friends.block(input.user, by: caller)
        return EmptyOutput()
    }

    @Sendable
    private func unblock(_ caller: Caller, _ input: UserInput) async throws(Fault) -> EmptyOutput {
        try await friends.unblock(input.user, by: caller)
        return EmptyOutput()
    }

    @Sendable
    private func blocked(_ caller: Caller, _ input: PageInput) async throws(Fault) -> ListOutput<BlockedOutput> {
        let after = input.cursor.flatMap { UserID($0) }
        return ListOutput(try await friends.blocked(after: after, limit: input.limit, by: caller)) { BlockedOutput($0) }
    }
}
