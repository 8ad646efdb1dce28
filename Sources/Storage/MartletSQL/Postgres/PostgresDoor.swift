import CLibPQ
import Foundation
import MartletCore

/// How a connection is made: one server after the other, each with a deadline, and a server that is too old or keeps its
/// text otherwise is refused.
enum PostgresDoor {
    /// What one server may take for a connection, unless the URL's `connect_timeout` says otherwise.
    private static let patience = Duration.seconds(5)
    private static let oldestVersion: Int32 = 150_000

    /// A libpq connection in pipeline mode. The name lookup of a host is the resolver's own, and blocks as long as that does.
    static func connect(_ url: PostgresURL, name: String) throws(PostgresFailure) -> OpaquePointer {
        var failures: [PostgresFailure] = []
        let seconds = url.parameters["connect_timeout"].flatMap(Int.init) ?? 0
        for host in url.hosts {
            do throws(PostgresFailure) {
                return try connect(
                    url.connectionParameters(host, name: name),
                    Deadline(after: seconds > 0 ? .seconds(min(seconds, 60)) : patience))
            } catch {
                failures.append(PostgresFailure(error.kind, sqlState: error.sqlState, "\(host.description): \(error)"))
            }
        }
        // The most telling code: of a server that answered.
        let telling = failures.first { !$0.sqlState.isEmpty } ?? failures.first
        throw PostgresFailure(
            telling?.kind ?? .lost(isOutcomeUnknown: false), sqlState: telling?.sqlState ?? "",
            failures.map(\.description).joined(separator: "; "))
    }

    private static func connect(
        _ parameters: [String: String], _ deadline: Deadline
    ) throws(PostgresFailure) -> OpaquePointer {
        guard let handle = start(parameters) else { throw gone("out of memory") }
        do throws(PostgresFailure) {
            try poll(handle, deadline)
            if let refusal = refusal(version: PQserverVersion(handle), encoding: encoding(handle)) {
                throw PostgresFailure(.refused, refusal)
            }
            guard PQsetnonblocking(handle, 1) == 0, PQenterPipelineMode(handle) == 1 else {
                throw gone(firstLine(PQerrorMessage(handle)))
            }
            return handle
        } catch {
            PQfinish(handle)
            throw error
        }
    }

    private static func start(_ parameters: [String: String]) -> OpaquePointer? {
        let pairs = parameters.map { (strdup($0.key), strdup($0.value)) }
        defer {
            for (keyword, value) in pairs {
                free(keyword)
                free(value)
            }
        }
        let keywords = pairs.map { UnsafePointer($0.0) } + [nil]
        let values = pairs.map { UnsafePointer($0.1) } + [nil]
        guard let handle = PQconnectStartParams(keywords, values, 0) else { return nil }
        // Messages then carry the error's code, which libpq tells of a refused connection in no other way, and which,
        // unlike the words, is in no server's language.
        PQsetErrorVerbosity(handle, PQERRORS_VERBOSE)
        PQsetNoticeReceiver(handle, { _, _ in }, nil)
        return handle
    }

    private static func poll(_ handle: OpaquePointer, _ deadline: Deadline) throws(PostgresFailure) {
        var events = POLLOUT
        while PQstatus(handle) != CONNECTION_BAD {
            guard deadline.wait(for: Int32(events), on: PQsocket(handle)) else {
                throw gone("the server did not answer in time")
            }
            switch PQconnectPoll(handle) {
            case PGRES_POLLING_OK: return
            case PGRES_POLLING_READING: events = POLLIN
            case PGRES_POLLING_WRITING: events = POLLOUT
            default: throw refusal(String(cString: PQerrorMessage(handle)))
            }
        }
        throw refusal(String(cString: PQerrorMessage(handle)))
    }

    /// What libpq says of a connection that was not made. The code stands between two colons: `FATAL:  28P01: password …`.
    static func refusal(_ message: String) -> PostgresFailure {
        let line = message.split(separator: "\n").first.map(String.init) ?? "no reason given"
        let code = line.split(separator: ":").map { $0.trimmingCharacters(in: .whitespaces) }.first { part in
            part.utf8.count == 5 && part.utf8.allSatisfy { (48...57).contains($0) || (65...90).contains($0) }
                && part.utf8.contains { (48...57).contains($0) }
        }
        return PostgresFailure(.lost(isOutcomeUnknown: false), sqlState: code ?? "", line)
    }

    /// Why a server can't be used, nil where it can. `version` as libpq has it: 150004 is 15.4.
    static func refusal(version: Int32, encoding: String) -> String? {
        if version < oldestVersion {
            return "the server is PostgreSQL \(version / 10_000), martlet needs 15 or later"
        }
        if encoding != "UTF8" { return "the database's encoding is \(encoding), martlet needs UTF8" }
        return nil
    }

    private static func encoding(_ handle: OpaquePointer) -> String {
        PQparameterStatus(handle, "server_encoding").map { String(cString: $0) } ?? ""
    }

    private static func gone(_ what: String) -> PostgresFailure {
        PostgresFailure(.lost(isOutcomeUnknown: false), what)
    }

    /// The first line of what libpq says: the others may quote the statement.
    static func firstLine(_ text: UnsafePointer<CChar>?) -> String {
        guard let text else { return "" }
        return String(cString: text).split(separator: "\n").first.map(String.init) ?? ""
    }
}
