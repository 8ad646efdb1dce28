import MartletCore

/// Where a Redis server is: `redis://[user:password@]host[:port][/database]`, `rediss://` for TLS, which may name
/// `?cafile=/path` of the authorities to trust instead of the system's.
package struct RedisURL: Sendable, Hashable, CustomStringConvertible {
    package let host: String
    package let port: Int
    package let user: String
    package let password: String?
    /// 0 to 15 on a server as it comes.
    package let database: Int
    package let isSecure: Bool
    package let authorities: String?

    /// The same for all nodes that mean the same server, whatever they sign in as.
    package var identity: String {
        "\(host.contains(":") ? "[\(host)]" : host):\(port)/\(database)"
    }

    /// Without the password.
    package var description: String {
        let login = password == nil ? "" : "\(user):***@"
        return "\(isSecure ? "rediss" : "redis")://\(login)\(identity)"
    }

    /// At most 2,048 bytes. Throws `invalidField` with a message that never has the password.
    package init(_ text: String) throws(Fault) {
        guard text.utf8.count <= 2048 else { throw Self.wrong("longer than 2048 bytes") }
        var rest = text[...]
        if rest.hasPrefix("redis://") {
            isSecure = false
        } else if rest.hasPrefix("rediss://") {
            isSecure = true
        } else {
            throw Self.wrong("has to begin with redis:// or rediss://")
        }
        rest = rest.dropFirst(isSecure ? 9 : 8)

        var query: Substring?
        if let mark = rest.firstIndex(of: "?") {
            query = rest[rest.index(after: mark)...]
            rest = rest[..<mark]
        }
        var path: Substring = ""
        if let slash = rest.firstIndex(of: "/") {
            path = rest[rest.index(after: slash)...]
            rest = rest[..<slash]
        }
        (user, password) = try Self.login(&rest)
        (host, port) = try Self.address(rest)
        guard path.isEmpty || Int(path) != nil, let number = Int(path.isEmpty ? "0" : path), (0...1_000_000) ~= number
        else { throw Self.wrong("the database after the / is not a number") }
        database = number
        authorities = try Self.authorities(query, isSecure)
    }

    private static func wrong(_ message: String) -> Fault { .invalid("bus", "a Redis URL \(message)") }

    /// Takes what is before the last `@`.
    private static func login(_ rest: inout Substring) throws(Fault) -> (String, String?) {
        guard let at = rest.lastIndex(of: "@") else { return ("default", nil) }
        let login = rest[..<at]
        rest = rest[rest.index(after: at)...]
        guard let colon = login.firstIndex(of: ":") else {
            throw wrong("with a login needs user:password@ (the user may be empty)")
        }
        let user = try unescape(login[..<colon])
        let password = try unescape(login[login.index(after: colon)...])
        guard !password.isEmpty else { throw wrong("has an empty password") }
        return (user.isEmpty ? "default" : user, password)
    }

    private static func address(_ text: Substring) throws(Fault) -> (String, Int) {
        var host = text
        var port: Substring = "6379"
        if text.hasPrefix("[") {
            guard let end = text.firstIndex(of: "]") else { throw wrong("has a [ without ]") }
            host = text[text.index(after: text.startIndex)..<end]
            let after = text[text.index(after: end)...]
            guard after.isEmpty || after.hasPrefix(":") else { throw wrong("has something odd after ]") }
            if !after.isEmpty { port = after.dropFirst() }
        } else if let colon = text.firstIndex(of: ":") {
            host = text[..<colon]
            port = text[text.index(after: colon)...]
        }
        guard !host.isEmpty, host.utf8.count <= 255, host.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            throw wrong("has no host, or an odd one")
        }
        guard let number = Int(port), (1...65535) ~= number else { throw wrong("has a port that is not 1 to 65535") }
        return (String(host), number)
    }

    private static func authorities(_ query: Substring?, _ isSecure: Bool) throws(Fault) -> String? {
        guard let query, !query.isEmpty else { return nil }
        guard isSecure, query.hasPrefix("cafile="), !query.contains("&"), query.utf8.count > 7 else {
            throw wrong("may only have ?cafile=PATH, with rediss://")
        }
        return try unescape(query.dropFirst(7))
    }

    /// Per-cent escapes of RFC 3986.
    private static func unescape(_ text: Substring) throws(Fault) -> String {
        guard text.utf8.contains(UInt8(ascii: "%")) else { return String(text) }
        var bytes: [UInt8] = []
        var rest = Array(text.utf8)[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { throw wrong("has a % without two hexadecimal digits") }
            bytes.append(value)
            rest = rest.dropFirst(2)
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}
