import Foundation
import MartletAccounts
import MartletServer
import Testing

@Suite struct SecretsTests {
    private func load(_ folder: Folder, _ given: GivenSecrets = GivenSecrets()) throws -> Secrets {
        try Secrets.load(try DataFolder(preparing: folder.path), given: given)
    }

    private let strong = "k8Zq0vR3xT6yB9nM2cW5eU7iO1pL4sDf"

    @Test func areMadeOnceAndKept() throws {
        let folder = try Folder()
        let first = try load(folder)
        let second = try load(folder)
        #expect(first.signingKeys.map(\.id) == second.signingKeys.map(\.id))
        #expect(first.metricsToken == second.metricsToken)
        #expect(first.metricsToken.utf8.count == 48)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["secrets.json"])
    }

    @Test func differFromFolderToFolder() throws {
        let (one, other) = (try load(try Folder()), try load(try Folder()))
        #expect(one.metricsToken != other.metricsToken)
        #expect(one.signingKeys[0].id != other.signingKeys[0].id)
    }

    @Test func areForTheirOwnerOnly() throws {
        let folder = try Folder()
        _ = try load(folder)
        #expect(try Folder.permissions(folder.path + "/secrets.json") == 0o600)
    }

    @Test(arguments: [0o640, 0o604, 0o660])
    func refuseToBeReadByOthers(mode: Int) throws {
        let folder = try Folder()
        _ = try load(folder)
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path + "/secrets.json")
        let failure = #expect(throws: OperatorFailure.self) { try load(folder) }
        #expect(failure?.status == .configuration)
        #expect(failure?.message.contains("chmod 600") == true)
    }

    @Test(arguments: [
        "", "{}", #"{"tokenKey":{"id":"a","secret":"00"},"metricsToken":"0123456789abcdef"}"#,
        #"{"tokenKey":{"id":"a","secret":"0000000000000000000000000000000000000000000000000000000000000000"},"metricsToken":"x"}"#,
    ])
    func refuseADamagedFile(content: String) throws {
        let folder = try Folder()
        let path = try folder.write("secrets.json", content)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        let failure = #expect(throws: OperatorFailure.self) { try load(folder) }
        #expect(failure?.status == .configuration)
    }

    @Test func keepAcceptingThePreviousKey() throws {
        let folder = try Folder()
        let content = """
            {"tokenKey":{"id":"new","secret":"\(Secrets.random(32))"},
             "previousTokenKey":{"id":"old","secret":"\(Secrets.random(32))"},"metricsToken":"\(Secrets.random(24))"}
            """
        let path = try folder.write("secrets.json", content)
        try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path)
        #expect(try load(folder).signingKeys.map(\.id) == ["new", "old"])
    }

    @Test func comeFromTheConfigurationWhereItHasThem() throws {
        let folder = try Folder()
        var given = GivenSecrets()
        given.tokenKey = strong
        given.metricsToken = String(strong.prefix(16))
        let (one, other) = (try load(folder, given), try load(try Folder(), given))
        #expect(one.signingKeys.map(\.id) == other.signingKeys.map(\.id))
        #expect(one.metricsToken == given.metricsToken)
    }

    @Test(arguments: [
        "short", "your-256-bit-secret-your-256-bit-secret", "changemechangemechangemechangeme",
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
        "0123456789012345678901234567890123456789", "MartletMartletMartletMartletMartlet",
        "abababababababababababababababababab",
    ])
    func refuseKnownAndWeakOnes(key: String) throws {
        let folder = try Folder()
        var given = GivenSecrets()
        given.tokenKey = key
        let failure = #expect(throws: OperatorFailure.self) { try load(folder, given) }
        #expect(failure?.status == .configuration)
        #expect(failure?.message.hasPrefix("secrets.token-key (MARTLET_SECRETS_TOKEN_KEY)") == true)
        #expect(failure?.message.contains(key) == false)
    }
}
