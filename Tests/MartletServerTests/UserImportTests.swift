import MartletAccounts
import MartletCore
import MartletServer
import MartletTestServices
import Testing

/// What becomes of the rows of a CSV, on both engines.
@Suite(.everyEngine) struct UserImportTests {
    private struct StoppedClock: TimeSource {
        let now = Instant(milliseconds: 1_700_000_000_000)
    }

    /// A store with one app, and what an operator does there, with cheap hashes.
    private struct Place {
        static let app = AppID(unchecked: 101)
        let store: MartletTestServices.Store
        let administration: AccountAdministration

        init() async throws {
            store = try await StoreEngine.open(clock: StoppedClock())
            administration = AccountAdministration(
                database: store.database, hasher: PasswordHasher(cost: .init(logN: 4, blockSize: 1, parallelism: 1)),
                clock: StoppedClock())
        }

        func importing(_ csv: String, takesShortPasswords: Bool = false) async throws -> UserImport.Report {
            try await UserImport(csv).run(
                with: administration, app: Self.app, takesShortPasswords: takesShortPasswords
            ) { _ in }
        }

        func number(_ username: String) async throws -> Int64? {
            try await administration.find(username: username, app: Self.app)?.id.value
        }
    }

    @Test func aFourthFieldIsTheUsersNumber() async throws {
        let place = try await Place()
        let report = try await place.importing(
            "username,password,nickname,id\nada,pw-12345678,Ada,1815\nbob,,,12\neva,,\nzoe,,,\n")
        #expect(report.created == 4)
        #expect(report.problems.isEmpty)
        #expect(try await place.number("ada") == 1815)
        #expect(try await place.number("bob") == 12)
        #expect(try await place.number("eva") == 1816)
        #expect(try await place.number("zoe") == 1817)
    }

    @Test func rowsWithoutNumbersDoNotTakeThoseOfLaterBatches() async throws {
        let place = try await Place()
        let count = AccountAdministration.largestBatch + 10
        let plain = (0..<count).map { "plain\($0)" }
        let numbered = (1...count).map { "numbered\($0),,,\($0)" }
        let report = try await place.importing((plain + numbered).joined(separator: "\n"))
        #expect(report.created == 2 * count)
        #expect(report.problems.isEmpty)
        #expect(try await place.number("numbered1") == 1)
    }

    @Test func aSecondTimeChangesNothing() async throws {
        let place = try await Place()
        let csv = "ada,,,7\nbob,,,9\n"
        _ = try await place.importing(csv)
        let report = try await place.importing(csv)
        #expect(report.created == 0)
        #expect(report.existing == 2)
        #expect(report.problems.isEmpty)
    }

    @Test func saysWhatIsWrongWithWhichLine() async throws {
        let place = try await Place()
        let report = try await place.importing(
            "username,password,nickname,id\nada,,,7\nbob,,,7\neva,,,x\nzoe,,,0\nada,,,8\nlady ada,,,9\nben,123,,10\n")
        #expect(report.created == 1)
        #expect(report.problems.map(\.line) == [3, 4, 5, 6, 7, 8])
        #expect(
            report.problems.map(\.message) == [
                "id: another user has this number",
                "id: a number from 1 to 2000000000 is expected",
                "id: a number from 1 to 2000000000 is expected",
                "id: a user of this name is there already, with another number",
                "username: letters, digits, _, . and - are expected",
                "password: 8 to 128 characters are expected",
            ])
    }

    @Test func takesShortPasswordsWhereAskedFor() async throws {
        let place = try await Place()
        let report = try await place.importing("ben,123,,10\n", takesShortPasswords: true)
        #expect(report.created == 1)
        #expect(try await place.number("ben") == 10)
    }
}
