import MartletAccounts
import MartletCore

/// Makes users of a CSV: username, password, nickname, id; the first row may be a heading. An empty password makes a user who signs in by
/// token only, an id keeps the number that the user had elsewhere.
package struct UserImport: Sendable {
    /// What became of it.
    package struct Report: Sendable {
        package var created = 0
        /// There already, and left as they are.
        package var existing = 0
        /// Rows that are wrong, with their lines.
        package var problems: [(line: Int, message: String)] = []
    }

    private let rows: [CSVReader.Row]

    /// Reads the whole file first, so that one that is no CSV changes nothing.
    package init(_ text: String) throws(OperatorFailure) {
        do throws(CSVReader.Failure) {
            let rows = try CSVReader.rows(text)
            let hasHeading = rows.first?.fields.first?.lowercased() == "username"
            let users = hasHeading ? Array(rows.dropFirst()) : rows
            // Numbers that are brought along come first, so that nobody is given one of them.
            self.rows = users.filter(Self.hasNumber) + users.filter { !Self.hasNumber($0) }
        } catch {
            throw OperatorFailure(.badData, "line \(error.line): \(error.message)")
        }
    }

    private static func hasNumber(_ row: CSVReader.Row) -> Bool { row.fields.count > 3 && !row.fields[3].isEmpty }

    package var count: Int { rows.count }

    /// `progress` gets how many rows are done, now and then. Where `takesShortPasswords`, any password of 1 to 128
    /// characters will do.
    package func run(
        with administration: AccountAdministration, app: AppID, takesShortPasswords: Bool = false,
        progress: (Int) -> Void
    ) async throws(OperatorFailure) -> Report {
        var report = Report()
        var index = 0
        while index < rows.count {
            let batch = rows[index..<min(index + AccountAdministration.largestBatch, rows.count)]
            try await add(batch, with: administration, app, takesShortPasswords, &report)
            index = batch.endIndex
            progress(index)
        }
        report.problems.sort { $0.line < $1.line }
        return report
    }

    private func add(
        _ batch: ArraySlice<CSVReader.Row>, with administration: AccountAdministration, _ app: AppID,
        _ takesShortPasswords: Bool, _ report: inout Report
    ) async throws(OperatorFailure) {
        var users: [AccountAdministration.NewUser] = []
        var lines: [Int] = []
        for row in batch {
            do throws(Fault) {
                users.append(try Self.user(row))
                lines.append(row.line)
            } catch {
                report.problems.append((row.line, error.message))
            }
        }
        do throws(Fault) {
            let results = try await administration.add(users, app: app, takesShortPasswords: takesShortPasswords)
            for (line, result) in zip(lines, results) {
                switch result {
                case .success: report.created += 1
                case .failure(let fault) where fault.reason == .usernameTaken: report.existing += 1
                case .failure(let fault): report.problems.append((line, fault.message))
                }
            }
        } catch {
            throw OperatorFailure(error)
        }
    }

    private static func user(_ row: CSVReader.Row) throws(Fault) -> AccountAdministration.NewUser {
        guard (1...4).contains(row.fields.count) else {
            throw Fault(.invalidField, "username, password, nickname and id are expected")
        }
        var number: UserID?
        if hasNumber(row) {
            guard let value = Int64(row.fields[3]) else { throw AccountAdministration.noNumber }
            number = UserID(unchecked: value)
        }
        return AccountAdministration.NewUser(
            username: row.fields[0], password: row.fields.count > 1 ? row.fields[1] : "",
            nickname: row.fields.count > 2 ? row.fields[2] : "", number: number)
    }
}
