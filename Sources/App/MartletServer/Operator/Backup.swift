import Foundation
import MartletCore
import MartletLog
import MartletSQL

/// A copy of everything a server keeps, as a folder: the database in one consistent state, and the secrets.
package struct Backup: Sendable {
    private static let database = "martlet.db"
    private static let secrets = "secrets.json"

    let configuration: ServerConfiguration

    package init(_ configuration: ServerConfiguration) { self.configuration = configuration }

    // MARK: Saving

    /// Writes a backup, also while a server runs. The folder must not be there, or be empty; it appears when it is whole.
    package func save(to destination: String) throws(OperatorFailure) {
        let source = try DataFolder(existing: configuration.dataFolder)
        let path = try configuration.sqlitePath(for: "backup")
        guard Self.isFree(destination, ignoring: []) else {
            throw OperatorFailure(.cannotCreate, "\(destination) is there already and is not empty")
        }
        let draft = Self.plain(destination) + ".partial-" + Secrets.random(4)
        _ = try DataFolder(preparing: draft)
        do throws(OperatorFailure) {
            try Self.copyDatabase(path, to: draft + "/" + Self.database)
            try Self.copyPrivately(source.secretsPath, to: draft + "/" + Self.secrets)
            try Self.replace(Self.plain(destination), with: draft)
        } catch {
            try? FileManager.default.removeItem(atPath: draft)
            throw error
        }
    }

    // MARK: Restoring

    /// Verifies a backup and puts it into the data folder. Refuses a folder that holds something unless `isForced`, and one that a server uses in
    /// any case.
    package func restore(from source: String, isForced: Bool) async throws(OperatorFailure) {
        let backup = try DataFolder(existing: source)
        let path = try configuration.sqlitePath(for: "restore")
        guard isForced || isFree(path) else {
            throw OperatorFailure(
                .cannotCreate,
                "the data folder \(configuration.dataFolder) is not empty; --force replaces what is in it")
        }
        let target = try DataFolder(preparing: configuration.dataFolder)
        let lock = try target.lock()
        defer { withExtendedLifetime(lock) {} }
        let suffix = ".restoring-" + Secrets.random(4)
        let (database, secrets) = (path + suffix, target.secretsPath + suffix)
        defer { for path in [database, database + "-wal", database + "-shm", secrets] { unlink(path) } }
        try Self.copyDatabase(backup.path + "/" + Self.database, to: database)
        try await Self.requireClean(database)
        try Self.copyPrivately(backup.path + "/" + Self.secrets, to: secrets)
        _ = try SecretsFile.loadOrMake(secrets)
        for leftover in ["-wal", "-shm"] { unlink(path + leftover) }
        try Self.replace(path, with: database)
        try Self.replace(target.secretsPath, with: secrets)
    }

    private func isFree(_ path: String) -> Bool {
        Self.isFree(configuration.dataFolder, ignoring: ["lock"]) && !FileManager.default.fileExists(atPath: path)
    }

    private static func requireClean(_ path: String) async throws(OperatorFailure) {
        var configuration = ServerConfiguration()
        configuration.store = .sqlite(path)
        let report = try await Workbench.verify(configuration)
        guard let problem = report.problems.first else { return }
        throw OperatorFailure(.badData, "the backup is damaged, nothing was restored: \(problem)")
    }

    // MARK: Files

    private static func isFree(_ folder: String, ignoring names: Set<String>) -> Bool {
        guard FileManager.default.fileExists(atPath: folder) else { return true }
        guard let content = try? FileManager.default.contentsOfDirectory(atPath: folder) else { return false }
        return Set(content).isSubset(of: names)
    }

    private static func plain(_ path: String) -> String {
        path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path
    }

    private static func copyDatabase(_ source: String, to destination: String) throws(OperatorFailure) {
        guard FileManager.default.fileExists(atPath: source) else {
            throw OperatorFailure(.noInput, "there is no database at \(source)")
        }
        do throws(Fault) {
            try SQLiteDatabase.backup(from: source, to: destination)
        } catch {
            throw OperatorFailure(error)
        }
        chmod(destination, 0o600)
    }

    private static func copyPrivately(_ source: String, to destination: String) throws(OperatorFailure) {
        guard let content = FileManager.default.contents(atPath: source) else {
            throw OperatorFailure(.noInput, "\(source) can't be read")
        }
        guard SecretsFile.save(Array(content), to: destination) else {
            throw OperatorFailure(.cannotCreate, "\(destination) can't be written")
        }
    }

    private static func replace(_ path: String, with draft: String) throws(OperatorFailure) {
        guard rename(draft, path) == 0 else {
            throw OperatorFailure(.cannotCreate, "\(path) can't be written: \(String(cString: strerror(errno)))")
        }
    }
}
