import Dispatch
import MartletCore
import Testing

@testable import MartletAccounts

@Suite struct PasswordHasherTests {
    private let hasher = PasswordHasher(cost: House.cheap)

    /// RFC 7914, section 12.
    @Test(arguments: [
        (
            "", "", PasswordHasher.Cost(logN: 4, blockSize: 1, parallelism: 1),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        ),
        (
            "password", "NaCl", PasswordHasher.Cost(logN: 10, blockSize: 8, parallelism: 16),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b3731622eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        ),
        (
            "pleaseletmein", "SodiumChloride", PasswordHasher.Cost(logN: 14, blockSize: 8, parallelism: 1),
            "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887"
        ),
    ])
    func vectors(_ password: String, _ salt: String, _ cost: PasswordHasher.Cost, _ expected: String) throws {
        let derived = try PasswordHasher.derive(password, Array(salt.utf8), cost, 64)
        let text = derived.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
        #expect(text == expected)
    }

    @Test func aHashSaysHowItWasMade() async throws {
        let hash = try await hasher.hash("secret words")
        #expect(hash.hasPrefix("$scrypt$ln=4,r=1,p=1$"))
        #expect(hash.split(separator: "$").count == 4 && !hash.hasSuffix("="))
    }

    @Test func theSamePasswordHasAnotherHashEachTime() async throws {
        #expect(try await hasher.hash("secret words") != hasher.hash("secret words"))
    }

    @Test func rightAndWrong() async throws {
        let hash = try await hasher.hash("secret words")
        #expect(try await hasher.verify("secret words", against: hash) == .right)
        #expect(try await hasher.verify("secret word", against: hash) == .wrong)
    }

    @Test(arguments: [
        nil, "", "$scrypt$", "plain text", "$scrypt$ln=40,r=8,p=1$AAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ])
    func whatIsNoHashIsAlwaysWrong(_ stored: String?) async throws {
        #expect(try await hasher.verify("", against: stored) == .wrong)
        #expect(try await hasher.verify("secret words", against: stored) == .wrong)
    }

    @Test func anotherCostAsksForANewHash() async throws {
        let hash = try await hasher.hash("secret words")
        let dearer = PasswordHasher(cost: .init(logN: 5, blockSize: 1, parallelism: 1))
        guard case .rightButOutdated(let new) = try await dearer.verify("secret words", against: hash) else {
            Issue.record("not outdated")
            return
        }
        #expect(new.hasPrefix("$scrypt$ln=5,"))
        #expect(try await dearer.verify("secret words", against: new) == .right)
    }

    @Test func pastItsQueueThePoolIsOverloaded() async throws {
        let pool = WorkPool(label: "test", threads: 1, queue: 1)
        let (begun, begin) = AsyncStream.makeStream(of: Void.self)
        let gate = DispatchSemaphore(value: 0)
        async let running: Void = pool.run {
            begin.finish()
            gate.wait()
        }
        for await _ in begun {}
        await withTaskGroup(of: Fault.Reason?.self) { group in
            for _ in 0..<3 { group.addTask { await reason { () throws(Fault) in try await pool.run {} } } }
            // One of the three waits for the gate; so the first two to end are those that were refused.
            #expect(await group.next() == .overloaded)
            #expect(await group.next() == .overloaded)
            gate.signal()
            #expect(await group.next() == .some(nil))
        }
        try await running
    }
}
