import CLibPQ
import MartletCore

/// Where a PostgreSQL database is and how to sign in to it: a `postgres://` URL as libpq reads it (PostgreSQL manual,
/// 34.1.1.2), with several hosts and libpq's own parameters (`sslmode`, `sslrootcert`, `connect_timeout` …). It holds a
/// password: `description` is what may be printed.
package struct PostgresURL: Sendable, Hashable, CustomStringConvertible {
    /// One server that may be the primary.
    struct Host: Sendable, Hashable {
        let name: String?
        let address: String?
        let port: String?

        var description: String { "\(name ?? address ?? "localhost"):\(port ?? "5432")" }
    }

    /// libpq's parameters without those of the host.
    let parameters: [String: String]
    /// In the order in which they are tried; never empty.
    let hosts: [Host]

    /// Throws `invalid_field` in words for the operator, without the URL, since it may hold a password.
    package init(_ text: String) throws(Fault) {
        guard text.hasPrefix("postgres://") || text.hasPrefix("postgresql://"), let values = Self.parse(text) else {
            throw Fault.invalid(
                "database", "is not a URL that libpq understands, as postgres://user:password@host:5432/name")
        }
        guard !Self.isPasswordCut(text, values) else {
            throw Fault.invalid(
                "database",
                "has an @ or a / too many, or a port that is no number: in a password write %40 for @ and %2F for /")
        }
        let names = Self.list(values["host"])
        let addresses = Self.list(values["hostaddr"])
        let ports = Self.list(values["port"])
        let count = max(names.count, addresses.count, 1)
        guard ports.count <= 1 || ports.count == count,
            names.isEmpty || addresses.isEmpty || names.count == addresses.count
        else { throw Fault.invalid("database", "has another number of ports than of hosts") }
        hosts = (0..<count).map { index in
            Host(
                name: Self.element(names, index), address: Self.element(addresses, index),
                port: ports.count == 1 ? Self.element(ports, 0) : Self.element(ports, index))
        }
        parameters = values.filter { !["host", "hostaddr", "port"].contains($0.key) }
    }

    private init(parameters: [String: String], hosts: [Host]) {
        self.parameters = parameters
        self.hosts = hosts
    }

    /// The same server and user, another database.
    package func with(database: String) -> PostgresURL {
        PostgresURL(parameters: parameters.merging(["dbname": database]) { $1 }, hosts: hosts)
    }

    /// The database's name.
    package var database: String { parameters["dbname"] ?? parameters["user"] ?? "" }

    /// Hosts and database, without user and password.
    package var description: String { hosts.map(\.description).joined(separator: ",") + "/" + database }

    /// What libpq gets for one of the hosts. The client always writes, so unless the URL says otherwise, only a server that
    /// takes writes will do: that is how a promoted standby is found. `name` is how others tell Martlet's connections from
    /// theirs; a name in the URL stands behind it.
    func connectionParameters(_ host: Host, name: String) -> [String: String] {
        var result = ["target_session_attrs": "read-write"].merging(parameters) { $1 }
        result["application_name"] = [name, parameters["application_name"]].compactMap(\.self).joined(separator: " ")
        result["host"] = host.name
        result["hostaddr"] = host.address
        result["port"] = host.port
        result["client_encoding"] = "UTF8"
        return result
    }

    /// Whether a part of the password became another part of the URL, which is printed: to libpq the first @ ends the
    /// password, and a / before it the whole server.
    private static func isPasswordCut(_ text: String, _ values: [String: String]) -> Bool {
        let servers = ["host", "hostaddr"].flatMap { list(values[$0]) }
        let ports = list(values["port"])
        let beforeQuery = text.prefix { $0 != "?" }
        // Behind the scheme and its two slashes: the servers, then the database.
        let parts = beforeQuery.split(separator: "/", maxSplits: 3, omittingEmptySubsequences: false).dropFirst(2)
        let isDoubled = parts.first.map { $0.count { $0 == "@" } > 1 } ?? false
        let isInPath = parts.dropFirst().first?.contains("@") ?? false
        let areNumbers = ports.allSatisfy { port in port.utf8.allSatisfy { (48...57).contains($0) } }
        // An @ before a name is Linux's abstract Unix socket.
        return !areNumbers || isDoubled || isInPath || servers.contains { $0.dropFirst().contains("@") }
    }

    private static func list(_ value: String?) -> [String] {
        value?.split(separator: ",", omittingEmptySubsequences: false).map(String.init) ?? []
    }

    private static func element(_ list: [String], _ index: Int) -> String? {
        list.indices.contains(index) && !list[index].isEmpty ? list[index] : nil
    }

    private static func parse(_ text: String) -> [String: String]? {
        var message: UnsafeMutablePointer<CChar>?
        guard let options = PQconninfoParse(text, &message) else {
            PQfreemem(message)
            return nil
        }
        defer { PQconninfoFree(options) }
        var values: [String: String] = [:]
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            option += 1
        }
        return values
    }
}
