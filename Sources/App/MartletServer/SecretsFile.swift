import Foundation
import MartletWire

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// `secrets.json` of a data folder: readable by its owner only, made once.
struct SecretsFile {
    let tokenKey: SecretKey
    let previousTokenKey: SecretKey?
    let metricsToken: String

    static func loadOrMake(_ path: String) throws(OperatorFailure) -> SecretsFile {
        if access(path, F_OK) != 0 { try make(path) }
        return try load(path)
    }

    // MARK: Reading

    private static func load(_ path: String) throws(OperatorFailure) -> SecretsFile {
        try requirePrivate(path)
        guard let content = FileManager.default.contents(atPath: path) else {
            throw OperatorFailure(.configuration, "\(path) can't be read")
        }
        guard let json = try? JSONValue(parsing: Array(content)), let tokenKey = key(json["tokenKey"]),
            let metricsToken = json["metricsToken"]?.string, metricsToken.utf8.count >= 16
        else {
            throw OperatorFailure(
                .configuration, "\(path) is damaged: a key or the metrics token is missing or too short")
        }
        let previous = json["previousTokenKey"]
        let previousKey = key(previous)
        guard previous == nil || previousKey != nil else {
            throw OperatorFailure(.configuration, "\(path) is damaged: previousTokenKey is not a key")
        }
        return SecretsFile(tokenKey: tokenKey, previousTokenKey: previousKey, metricsToken: metricsToken)
    }

    private static func key(_ json: JSONValue?) -> SecretKey? {
        guard let id = json?["id"]?.string, !id.isEmpty, let text = json?["secret"]?.string,
            let secret = SecretKey.bytes(text), secret.count >= 32, Set(secret).count >= 8
        else { return nil }
        return SecretKey(id: id, secret: secret)
    }

    private static func requirePrivate(_ path: String) throws(OperatorFailure) {
        var status = stat()
        guard stat(path, &status) == 0 else { throw OperatorFailure(.configuration, "\(path) can't be read") }
        guard status.st_mode & 0o077 == 0 else {
            throw OperatorFailure(.configuration, "\(path) may be read by others; run chmod 600 \(path)")
        }
    }

    // MARK: Making

    /// Written beside its place and linked into it, so that a file is whole or not there, and of two programs that start together one wins.
    private static func make(_ path: String) throws(OperatorFailure) {
        let key = SecretKey.random()
        let content = JSONWriter.object { object in
            let tokenKey = JSONWriter.object { object in
                object.field("id", key.id)
                object.field("secret", SecretKey.hexadecimal(key.secret))
            }
            object.field("tokenKey", RawJSON(tokenKey))
            object.field("metricsToken", Secrets.random(24))
        }
        let draft = path + "." + Secrets.random(4)
        defer { unlink(draft) }
        guard save(content + [UInt8(ascii: "\n")], to: draft), link(draft, path) == 0 || errno == EEXIST else {
            throw OperatorFailure(.cannotCreate, "\(path) can't be made: \(String(cString: strerror(errno)))")
        }
    }

    /// Writes a file that must not be there yet, for its owner only, and waits until it is on the disk.
    static func save(_ content: [UInt8], to path: String) -> Bool {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { return false }
        defer { close(descriptor) }
        return write(descriptor, content, content.count) == content.count && fsync(descriptor) == 0
    }
}
