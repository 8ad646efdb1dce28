import Foundation

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The folder that a server keeps everything in.
package struct DataFolder: Sendable {
    package let path: String

    package var databasePath: String { Self.databasePath(in: path) }
    package var secretsPath: String { path + "/secrets.json" }
    private var lockPath: String { path + "/lock" }

    static func databasePath(in folder: String) -> String { folder + "/martlet.db" }

    /// Makes the folder where it is missing, for its owner only.
    package init(preparing path: String) throws(OperatorFailure) {
        self.path = path
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) {
            guard isFolder.boolValue else { throw OperatorFailure(.cannotCreate, "\(path) is not a folder") }
            return
        }
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw OperatorFailure(.cannotCreate, "the data folder \(path) can't be made")
        }
    }

    /// A folder that has to be there already.
    package init(existing path: String) throws(OperatorFailure) {
        var isFolder: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), isFolder.boolValue else {
            throw OperatorFailure(.noInput, "there is no data folder at \(path)")
        }
        self.path = path
    }

    /// Takes the folder for one server, until the lock is let go of or the process ends.
    package func lock() throws(OperatorFailure) -> DataFolderLock {
        let descriptor = open(lockPath, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else {
            throw OperatorFailure(.cannotCreate, "\(lockPath) can't be opened: \(String(cString: strerror(errno)))")
        }
        guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
            close(descriptor)
            throw OperatorFailure(.unavailable, "another server uses the data folder \(path)")
        }
        return DataFolderLock(descriptor)
    }
}

/// Holds a data folder for as long as it lives.
package final class DataFolderLock: Sendable {
    private let descriptor: Int32

    fileprivate init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit { close(descriptor) }
}
