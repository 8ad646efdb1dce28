import MartletAccounts
import MartletCore

/// Makes users of a CSV: username, password, nickname; the first row may be a heading. An empty password makes a user who signs in by token
/// only.
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
            self.rows = hasHeading ? Array(rows.dropFirst()) : rows
        } catch {
            throw OperatorFailure(.badData, "line \(error.line): \(error.message)")
        }
    }

    package var count: Int { rows.count }

    /// `progress` gets how many rows are done, now and then.
    package func run(
        with administration: AccountAdministration, app: AppID, progress: (Int) -> Void
    ) async throws(OperatorFailure) -> Report {
        var report = Report()
        var index = 0
        while index < rows.count {
            let batch = rows[index..<min(index + AccountAdministration.largestBatch, rows.count)]
            try await add(batch, with: administration, app, &report)
            index = batch.endIndex
            progress(index)
        }
        report.problems.sort { $0.line < $1.line }
        return report
    }

    private func add(
        _ batch: ArraySlice<CSVReader.Row>, with administration: AccountAdministration, _ app: AppID,
        _ report: inout Report
    ) async throws(OperatorFailure) {
        var good: [CSVReader.Row] = []
        for row in batch {
            if (1...3).contains(row.fields.count) {
                good.append(row)
            } else {
                report.problems.append((row.line, "username, password and nickname are expected"))
            }
        }
        let users = good.map { row in
            AccountAdministration.NewUser(
                username: row.fields[0], password: row.fields.count > 1 ? row.fields[1] : "",
                nickname: row.fields.count > 2 ? row.fields[2] : "")
        }
        do throws(Fault) {
            for (row, result) in zip(good, try await administration.add(users, app: app)) {
                switch result {
                case .success: report.created += 1
                case .failure(let fault) where fault.reason == .usernameTaken: report.existing += 1
                case .failure(let fault): report.problems.append((row.line, fault.message))
                }
            }
        } catch {
            throw OperatorFailure(error)
        }
    }
}
