import Foundation
import JWTKit
import MartletCore

/// Makes and checks access tokens: JWT (RFC 7519), HS256 and nothing else. They are checked without the store; what has
/// ended before its time is known from `Revocations`.
package struct AccessTokens: Sendable {
    /// - `keys`: secret keys, from the operator's secrets file. The first signs, the others are still accepted. At
    ///   least 32 bytes each.
    /// - `lifetime` (`accounts.access-token-lifetime`, seconds, default 900): how long a token is valid, without
    ///   leeway.
    package struct Configuration: Sendable {
        package var keys: [Key]
        package var lifetime: Duration

        package init(keys: [Key], lifetime: Duration = .seconds(900)) {
            self.keys = keys
            self.lifetime = lifetime
        }
    }

    /// A secret and the name by which tokens refer to it.
    package struct Key: Sendable {
        package let id: String
        let secret: [UInt8]

        package init(id: String, secret: [UInt8]) {
            self.id = id
            self.secret = secret
        }
    }

    /// What a valid token says.
    package struct Identity: Sendable {
        package let user: UserID
        package let app: AppID
        package let role: Role
        package let device: DeviceKind
        package let family: Int64
        package let username: String
        /// What other people see: nickname, else username.
        package let name: String
        package let issuedAt: Instant
        package let expiresAt: Instant

        package func caller(session: SessionID = .none, trace: String) -> Caller {
            Caller(
                user: user, app: app, role: role, device: device, family: family, session: session, name: name,
                trace: trace)
        }
    }

    private struct Claims: JWTPayload {
        let sub: String
        let app: Int64
        let role: String
        let fam: Int64
        let dev: String
        let name: String
        let usr: String
        let iat: Int64
        let exp: Int64

        /// The clock is ours, so the times are checked by the caller.
        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    /// Longer ones are not ours.
    private static let maximumBytes = 4096

    package let lifetime: Duration
    private let keys: JWTKeyCollection
    private let keyIds: Set<String>
    private let signingKey: JWKIdentifier
    private let revocations: Revocations
    private let clock: any TimeSource

    /// Throws where there is no key or one is too short to be a secret.
    package init(
        _ configuration: Configuration, revocations: Revocations, clock: any TimeSource
    ) async throws(Fault) {
        guard let first = configuration.keys.first, configuration.keys.allSatisfy({ $0.secret.count >= 32 }) else {
            throw Fault(.unavailable, "a signing key of at least 32 bytes is needed")
        }
        keys = JWTKeyCollection()
        for key in configuration.keys {
            await keys.add(
                hmac: HMACKey(from: key.secret), digestAlgorithm: .sha256, kid: JWKIdentifier(string: key.id))
        }
        keyIds = Set(configuration.keys.map(\.id))
        signingKey = JWKIdentifier(string: first.id)
        lifetime = configuration.lifetime
        self.revocations = revocations
        self.clock = clock
    }

    /// A token for a sign-in of an account on a device. `family` 0 is an operator's token, which belongs to no sign-in.
    package func make(_ account: Account, device: DeviceKind, family: Int64) async throws(Fault) -> String {
        let issued = clock.now.seconds
        let claims = Claims(
            sub: String(account.id.value), app: account.app.value, role: account.role.rawValue, fam: family,
            dev: device.rawValue, name: account.name, usr: account.username, iat: issued,
            exp: issued + lifetime.components.seconds)
        do {
            return try await keys.sign(claims, kid: signingKey)
        } catch {
            throw .ours(error)
        }
    }

    /// Who asks. Throws `invalid_token` for a token that is not ours, has expired or belongs to a sign-in that has
    /// ended.
    package func caller(from token: String, trace: String) async throws(Fault) -> Caller {
        try await identity(from: token).caller(trace: trace)
    }

    /// What a valid token says; throws as `caller` does.
    package func identity(from token: String) async throws(Fault) -> Identity {
        let bytes = Array(token.utf8)
        guard bytes.count <= Self.maximumBytes, let header = Self.header(of: bytes), header.alg == "HS256",
            let kid = header.kid, keyIds.contains(kid),
            let claims = try? await keys.verify(bytes, as: Claims.self), let identity = Self.identity(claims)
        else { throw Self.invalid }
        guard identity.expiresAt > clock.now, !revocations.isRevoked(identity) else { throw Self.invalid }
        return identity
    }

    private static let invalid = Fault(.invalidToken, "the access token is not valid; refresh it or sign in")

    /// The algorithm is pinned before the signature is looked at: what a token says of itself decides nothing.
    private static func header(of token: [UInt8]) -> (alg: String?, kid: String?)? {
        guard let header = try? DefaultJWTParser().parse(token, as: Claims.self).header else { return nil }
        return (header.alg, header.kid)
    }

    private static func identity(_ claims: Claims) -> Identity? {
        guard let number = Int64(claims.sub), let user = UserID(number), let app = AppID(claims.app),
            let role = Role(rawValue: claims.role), let device = DeviceKind(rawValue: claims.dev)
        else { return nil }
        return Identity(
            user: user, app: app, role: role, device: device, family: claims.fam, username: claims.usr,
            name: claims.name,
            issuedAt: Instant(milliseconds: claims.iat * 1000), expiresAt: Instant(milliseconds: claims.exp * 1000))
    }
}
