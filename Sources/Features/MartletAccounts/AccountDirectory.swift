import MartletCore
import MartletSQL
import Synchronization

/// The other features' view of accounts, with a bounded memory of those looked up lately. A change by this process
/// shows at once, by another one after `maximumAge`.
package final class AccountDirectory: UserDirectory {
    private struct Entry {
        let card: UserCard
        let readAt: Instant
    }

    /// Two generations: what is used moves to the young one, the old one is dropped when the young one is full.
    private struct State {
        var young: [UserID: Entry] = [:]
        var old: [UserID: Entry] = [:]
        /// Accounts by name, for those who call by names again and again; all are dropped when there are too many.
        var named: [Name: (account: Account, readAt: Instant)] = [:]
        /// Grows with each change, so that a card read before a change is not remembered after it.
        var changes = 0

        mutating func find(_ id: UserID, readAfter oldest: Instant, half: Int) -> UserCard? {
            if let entry = young[id] { return entry.readAt > oldest ? entry.card : nil }
            guard let entry = old[id], entry.readAt > oldest else { return nil }
            insert(entry, half: half)
            return entry.card
        }

        mutating func insert(_ entry: Entry, half: Int) {
            if young.count >= half {
                old = young
                young = [:]
            }
            young[entry.card.id] = entry
        }
    }

    private struct Name: Hashable {
        let app: AppID
        let text: String
    }

    private let store: AccountStore
    private let clock: any TimeSource
    private let half: Int
    private let maximumAge: Duration
    private let state = Mutex(State())

    /// Remembers at most `capacity` accounts.
    package init(
        database: any Database, clock: any TimeSource, capacity: Int = 20_000, maximumAge: Duration = .seconds(10)
    ) {
        store = AccountStore(database: database)
        self.clock = clock
        half = max(1, capacity / 2)
        self.maximumAge = maximumAge
    }

    package func cards(_ ids: [UserID]) async throws(Fault) -> [UserID: UserCard] {
        let oldest = clock.now - maximumAge
        var (cards, missing, changes) = state.withLock { state in
            var cards: [UserID: UserCard] = [:]
            var missing: Set<UserID> = []
            for id in ids {
                if let card = state.find(id, readAfter: oldest, half: half) {
                    cards[id] = card
                } else {
                    missing.insert(id)
                }
            }
            return (cards, missing, state.changes)
        }
        guard !missing.isEmpty else { return cards }
        for chunk in Self.chunks(Array(missing)) {
            let found = try await store.accounts(chunk).map(\.card)
            remember(found, unlessChangedSince: changes)
            for card in found { cards[card.id] = card }
        }
        return cards
    }

    package func find(username: String, app: AppID) async throws(Fault) -> UserCard? {
        let changes = state.withLock { $0.changes }
        guard let card = try await store.account(.username(username), app: app)?.card else { return nil }
        remember([card], unlessChangedSince: changes)
        return card
    }

    /// Whom a name means: the account whose username it is, else the guest who came in with it.
    func named(_ name: String, app: AppID) async throws(Fault) -> Account? {
        let key = Name(app: app, text: name)
        let oldest = clock.now - maximumAge
        let (known, changes) = state.withLock { ($0.named[key], $0.changes) }
        if let known, known.readAt > oldest { return known.account }
        guard let account = try await store.named(name, app: app) else { return nil }
        let now = clock.now
        state.withLock { state in
            guard state.changes == changes else { return }
            if state.named.count >= 2 * half { state.named = [:] }
            state.named[key] = (account, now)
        }
        return account
    }

    /// Forgets an account that was changed; the next one who asks reads it anew.
    package func forget(_ id: UserID) {
        state.withLock { state in
            state.changes += 1
            state.named = [:]
            state.young[id] = nil
            state.old[id] = nil
        }
    }

    /// How many cards are in memory.
    var remembered: Int { state.withLock { Set($0.young.keys).union($0.old.keys).count } }

    private func remember(_ cards: [UserCard], unlessChangedSince changes: Int) {
        let now = clock.now
        state.withLock { state in
            guard state.changes == changes else { return }
            for card in cards { state.insert(Entry(card: card, readAt: now), half: half) }
        }
    }

    /// Engines bound the number of values of a statement.
    private static func chunks(_ ids: [UserID]) -> [[UserID]] {
        stride(from: 0, to: ids.count, by: 500).map { Array(ids[$0..<min($0 + 500, ids.count)]) }
    }
}
