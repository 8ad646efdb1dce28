import Crypto
import MartletAccounts

/// What nobody else may know: made at the first start, never a known default.
package struct Secrets: Sendable {
    /// The first signs, the others are still accepted.
    package let signingKeys: [AccessTokens.Key]
    package let metricsToken: String

    /// Reads the folder's `secrets.json`, or makes it; what the configuration gives counts instead.
    package static func load(_ folder: DataFolder, given: GivenSecrets = GivenSecrets()) throws(OperatorFailure)
        -> Secrets
    {
        let stored = try SecretsFile.loadOrMake(folder.secretsPath)
        var keys = [stored.tokenKey] + (stored.previousTokenKey.map { [$0] } ?? [])
        if let text = given.tokenKey {
            keys = [try SecretKey(given: text, as: "secrets.token-key")]
            if let text = given.previousTokenKey {
                keys.append(try SecretKey(given: text, as: "secrets.previous-token-key"))
            }
        }
        if let token = given.metricsToken { try SecretStrength.require(token, 16, "secrets.metrics-token") }
        return Secrets(
            signingKeys: keys.map { AccessTokens.Key(id: $0.id, secret: $0.secret) },
            metricsToken: given.metricsToken ?? stored.metricsToken)
    }

    /// Bytes from the system's generator, as hexadecimal digits.
    package static func random(_ count: Int) -> String { SecretKey.hexadecimal(SecretKey.randomBytes(count)) }
}

/// Tells secrets from what people type in their place.
enum SecretStrength {
    /// Parts of secrets that stand in documentation, tutorials and images.
    private static let known = [
        "secret", "changeme", "change-me", "change_me", "password", "martlet", "example", "default", "0123456789",
        "abcdefgh",
        "qwerty",
    ]

    static func require(_ text: String, _ count: Int, _ name: String) throws(OperatorFailure) {
        guard text.utf8.count >= count else {
            throw ConfigurationReader.wrong(name, "at least \(count) bytes are expected")
        }
        let lower = text.lowercased()
        guard Set(text.utf8).count >= 8, !known.contains(where: lower.contains) else {
            throw ConfigurationReader.wrong(name, "this is a known or weak secret; take a random one")
        }
    }
}

/// A key and the name by which tokens refer to it.
struct SecretKey {
    let id: String
    let secret: [UInt8]

    static func random() -> SecretKey { SecretKey(id: hexadecimal(randomBytes(4)), secret: randomBytes(32)) }

    init(id: String, secret: [UInt8]) {
        self.id = id
        self.secret = secret
    }

    init(given text: String, as name: String) throws(OperatorFailure) {
        try SecretStrength.require(text, 32, name)
        secret = Array(text.utf8)
        // A name that says nothing of the key, and is the same at each start and on each node.
        id = Self.hexadecimal(Array(SHA256.hash(data: Array("martlet key name".utf8) + secret).prefix(4)))
    }

    static func randomBytes(_ count: Int) -> [UInt8] {
        var generator = SystemRandomNumberGenerator()
        return (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
    }

    static func hexadecimal(_ bytes: [UInt8]) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }

    static func bytes(_ hexadecimal: String) -> [UInt8]? {
        let digits = Array(hexadecimal.utf8)
        guard digits.count.isMultiple(of: 2) else { return nil }
        var bytes: [UInt8] = []
        for index in stride(from: 0, to: digits.count, by: 2) {
            guard let byte = UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16) else {
                return nil
            }
            bytes.append(byte)
        }
        return bytes
    }
}
