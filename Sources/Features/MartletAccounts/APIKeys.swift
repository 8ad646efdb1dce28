import Crypto
import MartletCore
import MartletSQL

/// A key with which another program calls, without its secret text.
package struct APIKey: Sendable, Equatable {
    package let id: Int64
    /// What the operator calls it.
    package let name: String
    /// The only app that it is for; nil for every app.
    package let app: AppID?
    package let createdAt: Instant
    /// Nil while it is good.
    package let revokedAt: Instant?

    package func isFor(_ app: AppID) -> Bool { self.app == nil || self.app == app }
}

/// Keys for programs that call this server without being a user: the operator makes and revokes them, over the store
/// alone, so that the command line works beside a running server. A revoked key is refused at once by every node.
package struct APIKeys: Sendable {
    /// Keys that are good at the same time.
    package static let maximum = 1000
    private static let prefix = "mk_"
    private static let digits = 64

    private let store: APIKeyStore
    private let clock: any TimeSource

    package init(database: any Database, clock: any TimeSource) {
        store = APIKeyStore(database: database)
        self.clock = clock
    }

    /// Makes a key. Its text is `mk_` and 64 hexadecimal digits, 256 random bits; only its hash is kept, so that this is
    /// the one time that it can be shown. `name` has 1 to 64 characters that can be seen. Throws `invalid_field` (`name`)
    /// and `limit_reached`.
    package func create(name: String, app: AppID?) async throws(Fault) -> (key: APIKey, text: String) {
        let name = try AccountRules.shownName(name, field: "name")
        let text = Self.prefix + SymmetricKey(size: .bits256).withUnsafeBytes { Accounts.hexadecimal($0) }
        let key = try await store.create(
            hash: Accounts.hash(text), name: name, app: app, maximum: Self.maximum, now: clock.now)
        return (key, text)
    }

    /// Keys by ascending number behind `after`, also revoked ones; at most `limit`.
    package func list(after: Int64 = 0, limit: Int = 500) async throws(Fault) -> [APIKey] {
        try await store.list(after: after, limit: limit)
    }

    /// Makes a key worthless for good; nothing where it is already. Throws `not_found`.
    @discardableResult
    package func revoke(_ id: Int64) async throws(Fault) -> APIKey {
        guard let key = try await store.revoke(id, now: clock.now) else {
            throw Fault(.notFound, "there is no such key")
        }
        return key
    }

    /// The key of this text. Throws `invalid_token` for any other text, and for a key that was revoked.
    package func check(_ text: String) async throws(Fault) -> APIKey {
        guard Self.canBeKey(text), let key = try await store.find(hash: Accounts.hash(text)), key.revokedAt == nil
        else { throw Fault(.invalidToken, "the API key is not valid") }
        return key
    }

    /// Whether a text has a key's form; for edges that take a key or an access token at the same place.
    package static func canBeKey(_ text: String) -> Bool {
        guard text.utf8.count == prefix.utf8.count + digits, text.hasPrefix(prefix) else { return false }
        return text.utf8.dropFirst(prefix.utf8.count).allSatisfy {
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
        }
    }
}
