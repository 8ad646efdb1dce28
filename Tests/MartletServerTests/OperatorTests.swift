import Foundation
import MartletAccounts
import MartletCore
import MartletLog
import MartletServer
import Testing

/// What commands do, without the command line.
@Suite struct OperatorTests {
    private func configuration(_ folder: Folder) async throws -> ServerConfiguration {
        var flags = ConfigurationFlags()
        flags.data = folder.path + "/data"
        return try await ServerConfiguration.load(flags, environment: [:])
    }

    private func importing(_ csv: String, _ bench: Workbench) async throws -> UserImport.Report {
        try await UserImport(csv).run(with: bench.administration, app: bench.app) { _ in }
    }

    // MARK: Import

    @Test func importsUsersWithAndWithoutPasswords() async throws {
        let folder = try Folder()
        let bench = try await Workbench(try await configuration(folder))
        defer { bench.close() }
        let report = try await importing("username,password,nickname\nalice,pw-12345678,Alice\nbob,,\ncarol\n", bench)
        #expect(report.created == 3)
        #expect(report.problems.isEmpty)
        #expect(try await bench.account("alice").nickname == "Alice")
        #expect(try await bench.account("bob").username == "bob")
    }

    @Test func keepsOnlyWrongRowsOut() async throws {
        let folder = try Folder()
        let bench = try await Workbench(try await configuration(folder))
        defer { bench.close() }
        let report = try await importing("alice\nx\nALICE\nbob,short\ndora,,,,\ncarol\n", bench)
        #expect(report.created == 2)
        #expect(report.existing == 1)
        #expect(report.problems.map(\.line) == [2, 4, 5])
    }

    @Test func importsMoreThanOneBatch() async throws {
        let folder = try Folder()
        let bench = try await Workbench(try await configuration(folder))
        defer { bench.close() }
        let count = AccountAdministration.largestBatch * 2 + 7
        let csv = (0..<count).map { "user\($0)" }.joined(separator: "\n")
        #expect(try await importing(csv, bench).created == count)
        #expect(try await importing(csv, bench).existing == count)
    }

    // MARK: Tokens

    @Test func makesTokensThatTheServersKeyAccepts() async throws {
        let folder = try Folder()
        let bench = try await Workbench(try await configuration(folder))
        defer { bench.close() }
        _ = try await importing("alice", bench)
        let tokens = try await bench.tokens()
        let token = try await tokens.make(try await bench.account("alice"), device: .bot, family: 0)
        let again = try await bench.tokens()
        #expect(try await again.identity(from: token).username == "alice")
    }

    // MARK: Backup

    @Test func restoresWhatItSaved() async throws {
        let folder = try Folder()
        var configuration = try await configuration(folder)
        let bench = try await Workbench(configuration)
        _ = try await importing("alice", bench)
        let token = try await bench.tokens().make(try await bench.account("alice"), device: .bot, family: 0)
        // The store is open while it is saved.
        let saved = folder.path + "/saved"
        try Backup(configuration).save(to: saved)
        bench.close()
        #expect(try Folder.permissions(saved) == 0o700)
        #expect(try Folder.permissions(saved + "/secrets.json") == 0o600)
        #expect(try Folder.permissions(saved + "/martlet.db") == 0o600)

        configuration.dataFolder = folder.path + "/other"
        configuration.store = .sqlite(folder.path + "/other/martlet.db")
        try await Backup(configuration).restore(from: saved, isForced: false)
        let restored = try await Workbench(configuration)
        defer { restored.close() }
        #expect(try await restored.account("alice").username == "alice")
        #expect(try await restored.tokens().identity(from: token).username == "alice")
        #expect(
            try FileManager.default.contentsOfDirectory(atPath: configuration.dataFolder).allSatisfy {
                !$0.contains("restoring")
            })
    }

    @Test func doesNotSaveOverWhatIsThere() async throws {
        let folder = try Folder()
        let configuration = try await configuration(folder)
        let bench = try await Workbench(configuration)
        _ = try await bench.tokens()
        bench.close()
        _ = try folder.write("taken", "")
        let failure = #expect(throws: OperatorFailure.self) { try Backup(configuration).save(to: folder.path) }
        #expect(failure?.status == .cannotCreate)
    }

    @Test func doesNotRestoreOverWhatIsThereUnlessForced() async throws {
        let folder = try Folder()
        let configuration = try await configuration(folder)
        let bench = try await Workbench(configuration)
        _ = try await bench.tokens()
        let saved = folder.path + "/saved"
        try Backup(configuration).save(to: saved)
        _ = try await importing("later", bench)
        bench.close()
        let failure = await #expect(throws: OperatorFailure.self) {
            try await Backup(configuration).restore(from: saved, isForced: false)
        }
        #expect(failure?.status == .cannotCreate)
        try await Backup(configuration).restore(from: saved, isForced: true)
        let restored = try await Workbench(configuration)
        defer { restored.close() }
        await #expect(throws: OperatorFailure.self) { try await restored.account("later") }
    }

    @Test func doesNotRestoreUnderARunningServer() async throws {
        let folder = try Folder()
        let configuration = try await configuration(folder)
        let bench = try await Workbench(configuration)
        _ = try await bench.tokens()
        bench.close()
        let saved = folder.path + "/saved"
        try Backup(configuration).save(to: saved)
        let lock = try DataFolder(existing: configuration.dataFolder).lock()
        let failure = await #expect(throws: OperatorFailure.self) {
            try await Backup(configuration).restore(from: saved, isForced: true)
        }
        #expect(failure?.status == .unavailable)
        withExtendedLifetime(lock) {}
    }

    @Test func doesNotRestoreADamagedBackup() async throws {
        let folder = try Folder()
        let configuration = try await configuration(folder)
        _ = try folder.write("martlet.db", "this is no database, and long enough to look like one")
        let failure = await #expect(throws: OperatorFailure.self) {
            try await Backup(configuration).restore(from: folder.path, isForced: false)
        }
        #expect(failure != nil)
        #expect(!FileManager.default.fileExists(atPath: try configuration.sqlitePath(for: "test")))
    }

    @Test func verifiesASoundStore() async throws {
        let folder = try Folder()
        let configuration = try await configuration(folder)
        try await Workbench(configuration).close()
        #expect(try await Workbench.verify(configuration).problems.isEmpty)
    }

    @Test func doesNotVerifyWhatIsNotThere() async throws {
        let configuration = try await configuration(try Folder())
        let failure = await #expect(throws: OperatorFailure.self) { try await Workbench.verify(configuration) }
        #expect(failure?.status == .noInput)
    }
}
