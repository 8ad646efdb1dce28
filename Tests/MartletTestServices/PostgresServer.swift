import Foundation
import MartletCore
import MartletSQL
import Synchronization

/// A throw-away PostgreSQL server on a free port of 127.0.0.1, which is gone with the test's process, however that ends.
/// A PostgreSQL that is not installed is a failure, in one line.
package final class PostgresServer: Sendable {
    package struct Options: Sendable {
        /// Whether commits wait for the disk.
        package var isDurable = false
        /// Further settings, as `name=value`.
        package var settings: [String] = []
        /// Whether it offers TLS, with a certificate for 127.0.0.1 that it signed itself (`certificate`).
        package var isSecure = false

        package init(isDurable: Bool = false, isSecure: Bool = false, settings: [String] = []) {
            self.isDurable = isDurable
            self.isSecure = isSecure
            self.settings = settings
        }
    }

    private static let user = "martlet"
    private static let first = SharedServer()

    /// The process's own server, for tests that need a database and no more; started at first need.
    package static var shared: PostgresServer { get async throws { try await first.server } }

    package let port: Int
    private let options: Options
    private let password: String
    private let folder: String
    private let guardian: FolderGuard
    /// Databases made so far, for their names.
    private let made = Mutex(0)

    private var data: String { folder + "/data" }
    private var log: String { folder + "/log" }
    /// The path of its certificate.
    package var certificate: String { folder + "/server.pem" }

    /// Makes a server and starts it.
    package convenience init(_ options: Options = Options()) async throws {
        let password = String(UInt64.random(in: .min ... .max), radix: 36)
        try self.init(options, password: password)
        let file = folder + "/password"
        try Data(password.utf8).write(to: URL(fileURLWithPath: file))
        try await run(
            "initdb", "-D", data, "-U", Self.user, "-A", "scram-sha-256", "--pwfile", file, "--locale=C",
            "--encoding=UTF8",
            "--no-sync")
        try await start()
    }

    private init(_ options: Options, password: String) throws {
        self.options = options
        self.password = password
        port = try LoopbackPort.free()
        folder =
            FileManager.default.temporaryDirectory
            .appending(path: "martlet-postgres-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        guardian = try FolderGuard(folder)
        if getuid() == 0 {
            guard let owner = getpwnam("postgres") else {
                throw ServiceFailure(
                    "PostgreSQL does not run as root, and there is no user postgres: install postgresql")
            }
            guard chown(folder, owner.pointee.pw_uid, owner.pointee.pw_gid) == 0 else {
                throw ServiceFailure("\(folder) can't be given to user postgres")
            }
        }
    }

    deinit { guardian.release() }

    // MARK: Databases

    /// The server's URL for one of its databases.
    package func url(_ database: String = "postgres") throws -> PostgresURL {
        try PostgresURL("postgres://\(Self.user):\(password)@127.0.0.1:\(port)/\(database)")
    }

    /// The URL as text, for programs. It holds the password.
    package func urlText(_ database: String = "postgres") -> String {
        "postgres://\(Self.user):\(password)@127.0.0.1:\(port)/\(database)"
    }

    /// A new database that only the caller uses, empty or a copy of one that nobody uses.
    package func database(copyOf template: String = "template0") async throws -> PostgresURL {
        let number = made.withLock { made in
            made += 1
            return made
        }
        let name = "test\(number)"
        try await execute("CREATE DATABASE \(name) TEMPLATE \(template)")
        return try url(name)
    }

    /// Removes a database, and who uses it.
    package func remove(_ database: PostgresURL) async {
        _ = try? await execute("DROP DATABASE IF EXISTS \(database.database) WITH (FORCE)")
    }

    /// Runs one statement on a connection of its own, and returns its rows.
    @discardableResult
    package func execute(_ text: String, in database: String = "postgres") async throws -> [SQLRow] {
        let url = try url(database)
        return try await ChildProcess.detached {
            let connection = try PostgresConnection(url, statementTimeout: .seconds(60), name: "test")
            defer { connection.close() }
            return try connection.execute(PostgresStatement(text: text, isKept: false)).rows
        }
    }

    // MARK: Life and death

    /// Starts the server, and returns once it takes connections.
    package func start() async throws {
        var settings = [
            "listen_addresses=127.0.0.1", "port=\(port)", "unix_socket_directories=", "max_connections=200",
            "fsync=\(options.isDurable ? "on" : "off")", "full_page_writes=\(options.isDurable ? "on" : "off")",
            "shared_buffers=64MB", "max_wal_senders=8", "hot_standby=on", "logging_collector=off",
        ]
        if options.isSecure {
            if !FileManager.default.fileExists(atPath: certificate) { _ = try await makeCertificate("server") }
            settings += ["ssl=on", "ssl_cert_file=\(certificate)", "ssl_key_file=\(folder)/server.key"]
        }
        let arguments = (settings + options.settings).flatMap { ["-c", $0] }
        let command = try Self.command("postgres", ["-D", data] + arguments)
        if !FileManager.default.fileExists(atPath: log) { try Data().write(to: URL(fileURLWithPath: log)) }
        let file = try FileHandle(forWritingTo: URL(fileURLWithPath: log))
        try file.seekToEnd()
        try ChildProcess.start(command, input: nil, output: file)
        try await waitUntilReady()
    }

    /// Stops it in order: who is connected is sent away.
    package func stop() async throws { try await run("pg_ctl", "stop", "-D", data, "-m", "fast", "-w") }

    package func restart() async throws {
        try await stop()
        try await start()
    }

    /// Ends all of its processes at once, as a machine that loses power does. Returns once they are gone.
    package func kill() async throws {
        let processes = try processes()
        for process in processes { _ = Foundation.kill(process, SIGKILL) }
        try await wait("processes to be gone") { processes.allSatisfy { !Self.isRunning($0) } }
        try? FileManager.default.removeItem(atPath: data + "/postmaster.pid")
    }

    /// Freezes all of its processes: connections stay, and nothing is answered.
    package func freeze() throws { for process in try processes() { _ = Foundation.kill(process, SIGSTOP) } }

    package func thaw() throws { for process in try processes().reversed() { _ = Foundation.kill(process, SIGCONT) } }

    /// The postmaster's process id.
    package var processID: Int32 {
        get throws {
            let text = try String(contentsOfFile: data + "/postmaster.pid", encoding: .utf8)
            guard let id = text.split(separator: "\n").first.flatMap({ Int32($0) }) else {
                throw ServiceFailure("PostgreSQL has not started")
            }
            return id
        }
    }

    /// What the server logged: the last part.
    package var lastWords: String {
        (try? String(contentsOfFile: log, encoding: .utf8).suffix(2000)).map(String.init) ?? ""
    }

    // MARK: Replication

    /// A standby that streams from this server; commits here wait for it from now on, if `isSynchronous`.
    package func standby(isSynchronous: Bool = true) async throws -> PostgresServer {
        let standby = try PostgresServer(options, password: password)
        try await run(
            "pg_basebackup", "-D", standby.data, "-h", "127.0.0.1", "-p", "\(port)", "-U", Self.user, "-R", "-X",
            "stream",
            "-c", "fast", environment: ["PGPASSWORD": password])
        try await standby.start()
        if isSynchronous {
            try await execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
            try await execute("SELECT pg_reload_conf()")
        }
        try await wait("the standby to stream") {
            let state = isSynchronous ? "sync" : "async"
            return try await self.execute(
                "SELECT 1 AS one FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = '\(state)'"
            ).count > 0
        }
        return standby
    }

    /// Makes a standby a primary, which waits for no other.
    package func promote() async throws {
        try await run("pg_ctl", "promote", "-D", data, "-w")
        try await execute("ALTER SYSTEM RESET synchronous_standby_names")
        try await execute("SELECT pg_reload_conf()")
    }

    /// `postgres://` with this server and others, of which one is the primary.
    package func url(_ database: String, with others: [PostgresServer]) throws -> PostgresURL {
        let hosts = ([self] + others).map { "127.0.0.1:\($0.port)" }.joined(separator: ",")
        return try PostgresURL("postgres://\(Self.user):\(password)@\(hosts)/\(database)")
    }

    // MARK: Plumbing

    /// A certificate for 127.0.0.1 that nobody else signed, with its key beside it. Returns its path.
    package func makeCertificate(_ name: String) async throws -> String {
        let path = "\(folder)/\(name).pem"
        try await ChildProcess.run(
            Self.asOwner([
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "2", "-subj", "/CN=martlet-test", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout",
                "\(folder)/\(name).key", "-out", path,
            ]))
        return path
    }

    private func run(_ program: String, _ arguments: String..., environment: [String: String] = [:]) async throws {
        try await ChildProcess.run(try Self.command(program, arguments), environment: environment)
    }

    /// A program of PostgreSQL's, as the user whom it accepts.
    private static func command(_ program: String, _ arguments: [String]) throws -> [String] {
        let folders = ["/usr/lib/postgresql"].flatMap { folder in
            ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).compactMap(Int.init).sorted(by: >)
                .map { "\(folder)/\($0)/bin" }
        }
        let path = (folders + ["/usr/local/bin", "/usr/bin", "/opt/homebrew/bin"]).map { "\($0)/\(program)" }
            .first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let path else { throw ServiceFailure("PostgreSQL is not installed (no \(program)): install postgresql") }
        return asOwner([path] + arguments)
    }

    private static func asOwner(_ command: [String]) -> [String] {
        (getuid() == 0 ? ["runuser", "-u", "postgres", "--"] : []) + command
    }

    private func waitUntilReady() async throws {
        try await wait("PostgreSQL to take connections") {
            // A standby takes no writes: it is ready as well.
            let url = try PostgresURL(self.urlText() + "?target_session_attrs=any&connect_timeout=2")
            return await
                (try? ChildProcess.detached {
                    try PostgresConnection(url, statementTimeout: .seconds(5), name: "test").close()
                }) != nil
        }
    }

    /// Waits for a condition of processes outside, for a minute at most.
    private func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
        for _ in 0..<3000 {
            if try await condition() { return }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ServiceFailure("waited in vain for \(what): \(lastWords)")
    }

    /// The postmaster and its children.
    private func processes() throws -> [Int32] {
        let postmaster = try processID
        let all = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }
        return [postmaster] + all.filter { Self.parent($0) == postmaster }
    }

    /// The fields of a process behind its name: its state and its parent's id (proc(5)).
    private static func fields(_ process: Int32) -> [Substring] {
        let text = (try? String(contentsOfFile: "/proc/\(process)/stat", encoding: .utf8)) ?? ""
        return text.split(separator: ")").last?.split(separator: " ") ?? []
    }

    private static func parent(_ process: Int32) -> Int32? {
        let fields = fields(process)
        return fields.count > 1 ? Int32(fields[1]) : nil
    }

    private static func isRunning(_ process: Int32) -> Bool {
        let state = fields(process).first
        return state != nil && state != "Z"
    }
}

/// One server for all that ask.
private actor SharedServer {
    private var starting: Task<PostgresServer, any Error>?

    var server: PostgresServer {
        get async throws {
            // Awaited right below, by each that asks.
            let task = starting ?? Task { try await PostgresServer() }
            starting = task
            return try await task.value
        }
    }
}
