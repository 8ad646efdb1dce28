// MartletSocial: who is whose friend, who asked, who is blocked. Friends.swift has the use cases, FriendRules.swift the
// decisions, FriendEvents.swift what devices are told, FriendStore.swift the SQL. Accounts are seen through the
// UserDirectory port. Start here.
import MartletBus
import MartletCore
import MartletLog
import MartletSQL

/// Friends, requests and blocks. Only users of one app exist for one another. What changes reaches all devices of those
/// concerned through their inboxes, in the transaction that changed it.
package struct Friends: Sendable {
    private let store: FriendStore
    private let log: any EventLog
    private let broker: any Broker
    private let presence: any Presence
    private let directory: any UserDirectory
    private let clock: any TimeSource

    package init(
        database: any Database, log: any EventLog, broker: any Broker, presence: any Presence,
        directory: any UserDirectory,
        clock: any TimeSource
    ) {
        store = FriendStore(database: database)
        self.log = log
        self.broker = broker
        self.presence = presence
        self.directory = directory
        self.clock = clock
    }

    // MARK: Requests

    /// Asks somebody to be friends. Where they asked already, both are friends at once; asking again while one waits
    /// changes nothing.
    package func request(
        _ target: FriendReference, message: String, by caller: Caller
    ) async throws(Fault) -> RequestOutcome {
        try Policy.requireAccount(caller)
        let them = try await card(target, for: caller)
        let me = try await ownCard(caller)
        try FriendRules.requireOther(them, than: caller)
        let now = clock.now
        let outcome = try await log.transact { (connection, drafts) throws(Fault) -> RequestOutcome in
            let facts = try FriendStore.requestFacts(connection, from: me.id, to: them.id)
            switch try FriendRules.request(facts) {
            case .create:
                let id = try FriendStore.addRequest(connection, from: me.id, to: them.id, message: message, now: now)
                drafts.append(FriendEvents.requested(id, by: me, message: message, to: them.id))
                return RequestOutcome(id: id, isAccepted: false)
            case .keep(let id):
                return RequestOutcome(id: id, isAccepted: false)
            case .accept(let id):
                try FriendStore.answer(connection, id, isAccepted: true, now: now)
                try FriendStore.befriend(connection, me.id, them.id, now: now)
                drafts += FriendEvents.added(me, them)
                return RequestOutcome(id: id, isAccepted: true)
            }
        }
        if outcome.isAccepted { await announceRights(between: me.id, them.id) }
        return outcome
    }

    /// Requests that wait for the caller's answer, newest first; `before` is the last one of the page before.
    package func requests(before: Int64?, limit: Int, by caller: Caller) async throws(Fault) -> FriendPage<
        FriendRequest
    > {
        try Policy.requireAccount(caller)
        let rows = try await store.requests(to: caller.user, before: before, limit: limit + 1)
        let cards = try await directory.cards(rows.map(\.from))
        return FriendPage(rows, limit: limit) { row in cards[row.from].map { FriendRequest(row: row, card: $0) } }
    }

    /// Accepts or rejects a request that waits for the caller.
    package func answer(_ request: Int64, isAccepted: Bool, by caller: Caller) async throws(Fault) {
        try Policy.requireAccount(caller)
        guard let row = try await store.waitingRequest(request, to: caller.user) else {
            throw FriendRules.unknownRequest
        }
        let me = try await ownCard(caller)
        let them = try await card(.id(row.from), for: caller)
        let now = clock.now
        try await log.transact { (connection, drafts) throws(Fault) in
            // Looked at again inside the transaction: another device may have been quicker.
            guard try FriendStore.answer(connection, request, isAccepted: isAccepted, now: now) else {
                throw FriendRules.unknownRequest
            }
            guard isAccepted else {
                drafts.append(FriendEvents.rejected(request, by: me.id, to: them.id))
                return
            }
            let facts = try FriendStore.requestFacts(connection, from: me.id, to: them.id)
            try FriendRules.requireAccepting(facts)
            try FriendStore.closeRequests(connection, between: me.id, them.id, now: now)
            try FriendStore.befriend(connection, me.id, them.id, now: now)
            drafts += FriendEvents.added(me, them)
        }
        if isAccepted { await announceRights(between: me.id, them.id) }
    }

    // MARK: Friends

    /// The caller's friends by ascending id, behind `after`.
    package func list(after: UserID?, limit: Int, by caller: Caller) async throws(Fault) -> FriendPage<Friend> {
        try Policy.requireAccount(caller)
        let rows = try await store.friends(of: caller.user, after: after, limit: limit + 1)
        let cards = try await directory.cards(rows.map(\.id))
        let online = await presence.online(among: rows.map(\.id))
        return FriendPage(rows, limit: limit) { row in
            cards[row.id].map { Friend(card: $0, remark: row.remark, isOnline: online.contains(row.id)) }
        }
    }

    /// The caller's friends and those whom they asked and who did not answer yet, by ascending id, at most `limit`.
    package func contacts(
        of caller: Caller, limit: Int
    ) async throws(Fault) -> [(card: UserCard, isOnline: Bool)] {
        try Policy.requireAccount(caller)
        let ids = try await store.contacts(of: caller.user, limit: limit)
        let cards = try await directory.cards(ids)
        let online = await presence.online(among: ids)
        return ids.compactMap { id in cards[id].map { ($0, online.contains(id)) } }
    }

    /// What the caller calls a friend; empty for nothing.
    package func setRemark(_ remark: String, on friend: UserID, by caller: Caller) async throws(Fault) {
        try Policy.requireAccount(caller)
        try await log.transact { (connection, drafts) throws(Fault) in
            guard try FriendStore.setRemark(connection, remark, of: caller.user, on: friend) else {
                throw FriendRules.notAFriend
            }
            drafts.append(FriendEvents.remarked(friend, remark, to: caller.user))
        }
    }

    /// Ends a friendship for both sides.
    package func remove(_ friend: UserID, by caller: Caller) async throws(Fault) {
        try Policy.requireAccount(caller)
        try await log.transact { (connection, drafts) throws(Fault) in
            guard try FriendStore.part(connection, caller.user, friend) else { throw FriendRules.notAFriend }
            drafts += FriendEvents.removed(caller.user, friend)
        }
        await announceRights(between: caller.user, friend)
    }

    // MARK: Blocks

    /// Forbids somebody to write and to ask. A friendship stays as it is, silent until the block is lifted; requests
    /// that wait between the two are gone. The other side is not told.
    package func block(_ user: UserID, by caller: Caller) async throws(Fault) {
        try Policy.requireAccount(caller)
        let them = try await card(.id(user), for: caller)
        try FriendRules.requireOther(them, than: caller)
        let now = clock.now
        try await log.transact { (connection, drafts) throws(Fault) in
            try FriendRules.requireBlocking(blocked: try FriendStore.blockedCount(connection, of: caller.user))
            guard try FriendStore.block(connection, user, by: caller.user, now: now) else { return }
            try FriendStore.removeRequests(connection, between: caller.user, user)
            drafts.append(FriendEvents.blocked(user, true, to: caller.user))
        }
        await announceRights(between: caller.user, user)
    }

    /// Lifts a block; nothing where there is none.
    package func unblock(_ user: UserID, by caller: Caller) async throws(Fault) {
        try Policy.requireAccount(caller)
        try await log.transact { (connection, drafts) throws(Fault) in
            guard try FriendStore.unblock(connection, user, by: caller.user) else { return }
            drafts.append(FriendEvents.blocked(user, false, to: caller.user))
        }
        await announceRights(between: caller.user, user)
    }

    /// Whom the caller blocked, by ascending id, behind `after`.
    package func blocked(after: UserID?, limit: Int, by caller: Caller) async throws(Fault) -> FriendPage<UserCard> {
        try Policy.requireAccount(caller)
        let ids = try await store.blocked(by: caller.user, after: after, limit: limit + 1)
        let cards = try await directory.cards(ids)
        return FriendPage(ids, limit: limit) { cards[$0] }
    }

    // MARK: For the other features

    /// Where `user` stands with `other`, seen from `user`. Throws `unknown_user` where the two do not exist for one
    /// another.
    package func relation(of user: UserID, to other: UserID) async throws(Fault) -> Relation {
        guard let relation = try await relations(of: user, to: [other])[other] else { throw FriendRules.unknownUser }
        return relation
    }

    /// Where `user` stands with each of `others`; those that do not exist for them are left out.
    package func relations(of user: UserID, to others: [UserID]) async throws(Fault) -> [UserID: Relation] {
        let cards = try await directory.cards(others + [user])
        guard let me = cards[user] else { return [:] }
        let known = Set(others).compactMap { cards[$0] }.filter { $0.app == me.app && $0.id != user }
        let ties = try await store.ties(of: user, to: known.map(\.id))
        return Dictionary(
            uniqueKeysWithValues: known.map { card in
                (card.id, FriendRules.relation(ties[card.id] ?? .init(), strangersMayWrite: card.strangersMayWrite))
            })
    }

    /// All friends of a user, by ascending id.
    package func friendIds(of user: UserID) async throws(Fault) -> [UserID] {
        try await store.friends(of: user, after: nil, limit: Limits.friends).map(\.id)
    }

    // MARK: Shared by the use cases

    /// Somebody who exists for the caller. Guests do not: they have rooms only.
    private func card(_ reference: FriendReference, for caller: Caller) async throws(Fault) -> UserCard {
        let card =
            switch reference {
            case .id(let id): try await directory.card(id)
            case .username(let name): try await directory.find(username: name, app: caller.app)
            }
        guard let card, card.app == caller.app, card.role != .guest else { throw FriendRules.unknownUser }
        return card
    }

    private func ownCard(_ caller: Caller) async throws(Fault) -> UserCard {
        guard let card = try await directory.card(caller.user) else { throw FriendRules.unknownUser }
        return card
    }

    /// Live sessions forget what they remember of who may write to whom; those of this node before it returns.
    private func announceRights(between one: UserID, _ other: UserID) async {
        guard let conversation = ConversationID.between(one, other) else { return }
        await broker.publish(.rightsChanged(conversation, nil))
    }
}
