import Crypto
import CryptoExtras
import Foundation
import MartletCore

/// Hashes passwords with scrypt (RFC 7914) and checks them in constant time. Work is done on a bounded pool beside the
/// event loops and the cooperative threads; past its queue calls fail with `overloaded`.
package struct PasswordHasher: Sendable {
    /// What one hash costs: 2^`logN` rounds over 128 × `blockSize` × 2^`logN` bytes of memory.
    package struct Cost: Sendable, Equatable {
        package let logN: Int
        package let blockSize: Int
        package let parallelism: Int

        /// 32 MiB and some 60 ms of one core.
        package static let standard = Cost(logN: 15, blockSize: 8, parallelism: 1)

        package init(logN: Int, blockSize: Int, parallelism: Int) {
            self.logN = logN
            self.blockSize = blockSize
            self.parallelism = parallelism
        }

        /// Bounds for what a stored hash may ask for, so that a damaged row cannot take all memory.
        var isSane: Bool { (1...20).contains(logN) && (1...32).contains(blockSize) && (1...16).contains(parallelism) }
    }

    /// What came of a try.
    enum Verdict: Sendable, Equatable {
        case wrong
        case right
        /// Right, and kept with a cost other than today's: store this hash instead.
        case rightButOutdated(newHash: String)
    }

    private let cost: Cost
    private let pool: WorkPool
    /// Checked against where there is no account, so that an unknown name takes as long as a known one.
    private let dummy: StoredHash

    /// At most `threads` hashes at a time, `queue` more waiting.
    package init(
        cost: Cost = .standard, threads: Int = ProcessInfo.processInfo.activeProcessorCount, queue: Int = 256
    ) {
        self.cost = cost
        pool = WorkPool(label: "martlet.passwords", threads: max(1, threads), queue: queue)
        dummy = StoredHash(cost: cost, salt: Self.randomBytes(16), hash: Self.randomBytes(32))
    }

    /// A new hash with a random salt: `$scrypt$ln=15,r=8,p=1$salt$hash`.
    func hash(_ password: String) async throws(Fault) -> String {
        let cost = cost
        return try await pool.run { try Self.makeHash(password, cost).text }
    }

    /// `stored` is nil for an account that does not exist or has no password: always wrong, after the same work.
    func verify(_ password: String, against stored: String?) async throws(Fault) -> Verdict {
        let (cost, dummy) = (cost, dummy)
        let known = stored.flatMap(StoredHash.init)
        return try await pool.run {
            let expected = known ?? dummy
            let actual = try Self.derive(password, expected.salt, expected.cost, expected.hash.count)
            guard Self.isEqual(actual, expected.hash), known != nil else { return .wrong }
            return expected.cost == cost ? .right : .rightButOutdated(newHash: try Self.makeHash(password, cost).text)
        }
    }

    private static func makeHash(_ password: String, _ cost: Cost) throws -> StoredHash {
        let salt = randomBytes(16)
        return StoredHash(cost: cost, salt: salt, hash: try derive(password, salt, cost, 32))
    }

    /// scrypt itself; a test holds it to the vectors of RFC 7914.
    static func derive(_ password: String, _ salt: [UInt8], _ cost: Cost, _ count: Int) throws -> [UInt8] {
        try KDF.Scrypt.deriveKey(
            from: Array(password.utf8), salt: salt, outputByteCount: count, rounds: 1 << cost.logN,
            blockSize: cost.blockSize,
            parallelism: cost.parallelism
        ).withUnsafeBytes { Array($0) }
    }

    private static func isEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
        guard left.count == right.count else { return false }
        var difference: UInt8 = 0
        for index in left.indices { difference |= left[index] ^ right[index] }
        return difference == 0
    }

    private static func randomBytes(_ count: Int) -> [UInt8] {
        SymmetricKey(size: SymmetricKeySize(bitCount: count * 8)).withUnsafeBytes { Array($0) }
    }
}

/// A hash with what it takes to repeat it.
private struct StoredHash: Sendable {
    let cost: PasswordHasher.Cost
    let salt: [UInt8]
    let hash: [UInt8]

    init(cost: PasswordHasher.Cost, salt: [UInt8], hash: [UInt8]) {
        self.cost = cost
        self.salt = salt
        self.hash = hash
    }

    /// Nil for anything that `text` would not have written.
    init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 5, parts[0].isEmpty, parts[1] == "scrypt", let cost = Self.readCost(parts[2]),
            let salt = Self.decode(parts[3]), let hash = Self.decode(parts[4]), salt.count >= 8,
            (16...64).contains(hash.count)
        else { return nil }
        self.init(cost: cost, salt: salt, hash: hash)
    }

    var text: String {
        "$scrypt$ln=\(cost.logN),r=\(cost.blockSize),p=\(cost.parallelism)$\(Self.encode(salt))$\(Self.encode(hash))"
    }

    private static func readCost(_ text: Substring) -> PasswordHasher.Cost? {
        let fields = text.split(separator: ",")
        guard fields.count == 3, fields[0].hasPrefix("ln="), fields[1].hasPrefix("r="), fields[2].hasPrefix("p="),
            let logN = Int(fields[0].dropFirst(3)), let blockSize = Int(fields[1].dropFirst(2)),
            let parallelism = Int(fields[2].dropFirst(2))
        else { return nil }
        let cost = PasswordHasher.Cost(logN: logN, blockSize: blockSize, parallelism: parallelism)
        return cost.isSane ? cost : nil
    }

    /// Base64 without padding, as hashes of this form are written.
    private static func encode(_ bytes: [UInt8]) -> String {
        String(Data(bytes).base64EncodedString().prefix { $0 != "=" })
    }

    private static func decode(_ text: Substring) -> [UInt8]? {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        return Data(base64Encoded: text + padding).map { Array($0) }
    }
}
