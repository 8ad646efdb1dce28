import MartletCore
import MartletTestServices
import Testing

@testable import MartletSQL

/// A server that refuses, goes away, freezes, or hands its role on.
@Suite struct PostgresOutageTests {
    private func opening(_ url: PostgresURL) async -> Fault? { await fault { try PostgresDatabase(url).close() } }

    @Test func `A wrong password is told in words for the operator, without the password`() async throws {
        let server = try await PostgresServer.shared
        let text = server.urlText().replacing("martlet:", with: "martlet:wrong")
        let thrown = await opening(try PostgresURL(text))
        #expect(thrown?.reason == .unavailable)
        #expect(thrown?.message.contains("28P01: password authentication failed for user \"martlet\"") == true)
        #expect(thrown?.message.contains("wrong") == false)
    }

    @Test func `A database that is not there is told by its name`() async throws {
        let thrown = await opening(try await PostgresServer.shared.url("nowhere"))
        #expect(thrown?.message.contains("3D000: database \"nowhere\" does not exist") == true)
    }

    @Test func `A server that can't be reached is told by its address`() async throws {
        let thrown = await opening(try PostgresURL("postgres://martlet:secret@127.0.0.1:1/martlet"))
        #expect(thrown?.reason == .unavailable)
        #expect(thrown?.message.contains("127.0.0.1:1: ") == true)
        #expect(thrown?.message.contains("Connection refused") == true)
        #expect(thrown?.message.contains("secret") == false)
    }

    @Test func `A server that is too old, or keeps its text otherwise, is refused`() {
        let old = PostgresDoor.refusal(version: 140_009, encoding: "UTF8")
        #expect(old == "the server is PostgreSQL 14, martlet needs 15 or later")
        let latin = PostgresDoor.refusal(version: 150_000, encoding: "LATIN1")
        #expect(latin == "the database's encoding is LATIN1, martlet needs UTF8")
        #expect(PostgresDoor.refusal(version: 150_000, encoding: "UTF8") == nil)
    }

    @Test func `A server that was killed and started again is found again`() async throws {
        let server = try await PostgresServer(.init(isDurable: true))
        let database = try PostgresDatabase(try server.url())
        defer { database.close() }
        try await makeTable(database)
        try await database.add(1)
        try await server.kill()
        let thrown = await fault { try await database.add(2) }
        #expect(thrown?.reason == .unavailable)
        #expect(thrown?.retryAfter != nil)
        #expect(thrown?.message.contains("127.0.0.1") == false)
        try await server.start()
        try await eventually { () throws(Fault) in try await database.add(3) }
        #expect(try await database.ids() == [1, 3])
    }

    @Test func `Connections that a restart took away cost no request`() async throws {
        let server = try await PostgresServer()
        let database = try PostgresDatabase(try server.url())
        defer { database.close() }
        try await makeTable(database)
        await withTaskGroup { tasks in
            for id in Int64(1)...50 { tasks.addTask { try? await database.add(id) } }
        }
        try await server.restart()
        for id in Int64(51)...60 { try await database.add(id) }
        #expect(try await database.ids() == Array(1...60))
    }

    @Test func `A frozen server costs a deadline, and works again when it thaws`() async throws {
        let server = try await PostgresServer()
        var settings = PostgresDatabase.Settings()
        settings.statementTimeout = .milliseconds(500)
        settings.connections = 2
        // So that what follows the first failure does not wait for long.
        let url = try PostgresURL(server.urlText() + "?connect_timeout=1")
        let database = try PostgresDatabase(url, settings)
        defer { database.close() }
        try await makeTable(database)
        try server.freeze()
        let clock = ContinuousClock()
        let start = clock.now
        let thrown = await fault { try await database.add(1) }
        let taken = start.duration(to: clock.now)
        try server.thaw()
        #expect(thrown?.reason == .unavailable)
        #expect(taken < .seconds(10))
        try await eventually { () throws(Fault) in try await database.add(2) }
        // From here on there is a connection: a thread that has none leaves the work to the one that has.
        let ids = try await database.ids()
        #expect(ids.suffix(1) == [2])
    }

    @Test func `Threads that get no connection leave the work to those that have one`() async throws {
        let server = try await PostgresServer(.init(settings: ["max_connections=8"]))
        var settings = PostgresDatabase.Settings()
        settings.connections = 16
        let database = try PostgresDatabase(try server.url(), settings)
        defer { database.close() }
        try await makeTable(database)
        let faults = await withTaskGroup(of: Fault?.self) { tasks -> [Fault] in
            for id in Int64(1)...400 {
                tasks.addTask {
                    await fault {
                        try await database.write { connection throws(Fault) in
                            try connection.run("INSERT INTO things (id, name) VALUES (\(id), 'thing')")
                            _ = try connection.rows("SELECT pg_sleep(0.005)")
                        }
                    }
                }
            }
            return await tasks.reduce(into: []) { faults, fault in
                if let fault { faults.append(fault) }
            }
        }
        #expect(faults.map(\.message) == [])
        #expect(database.connections <= 8)
    }

    @Test func `Where no thread has a connection jobs are refused at once`() async throws {
        let server = try await PostgresServer()
        var settings = PostgresDatabase.Settings()
        settings.patience = .seconds(600)
        let database = try PostgresDatabase(try server.url(), settings)
        defer { database.close() }
        try await makeTable(database)
        try await server.kill()
        for id in Int64(1)...20 {
            let thrown = await fault { try await database.add(id) }
            #expect(thrown?.reason == .unavailable)
        }
        #expect(database.connections == 0)
    }

    @Test func `The one of several servers that takes writes is found, also after it changed`() async throws {
        let primary = try await PostgresServer()
        let standby = try await primary.standby()
        let database = try PostgresDatabase(try standby.url("postgres", with: [primary]))
        defer { database.close() }
        try await makeTable(database)
        try await database.add(1)
        try await primary.kill()
        try await standby.promote()
        try await eventually { () throws(Fault) in try await database.add(2) }
        #expect(try await database.ids() == [1, 2])
    }

    @Test func `URLs give hosts, ports and parameters to libpq, and print no password`() throws {
        let url = try PostgresURL(
            "postgres://user:p%40ss@one:6001,two/base?sslmode=verify-full&target_session_attrs=any")
        #expect(url.description == "one:6001,two:5432/base")
        let parameters = url.connectionParameters(url.hosts[0], name: "x")
        #expect(parameters["password"] == "p@ss")
        #expect(parameters["host"] == "one")
        #expect(parameters["sslmode"] == "verify-full")
        #expect(parameters["target_session_attrs"] == "any")
        let plain = try PostgresURL("postgresql:///base")
        #expect(plain.connectionParameters(plain.hosts[0], name: "x")["target_session_attrs"] == "read-write")
    }

    @Test(arguments: ["", "sqlite:x", "postgres://user:secret@[::1", "postgres://h/b?nonsense=1", "host=h"])
    func `What is not a URL of PostgreSQL's is refused without being repeated`(text: String) async {
        let thrown = await fault { try PostgresURL(text) }
        #expect(thrown?.reason == .invalidField)
        #expect(thrown?.message.contains("secret") == false)
    }

    @Test func `Connections go by Martlet's name, and by the URL's behind it`() async throws {
        let server = try await PostgresServer.shared
        let url = try PostgresURL(server.urlText() + "?application_name=chat%20of%20ours")
        let connection = try PostgresConnection(url, statementTimeout: .seconds(20), name: "martlet-x")
        defer { connection.close() }
        let name = try connection.execute("SELECT current_setting('application_name') AS name").rows.first?.text("name")
        #expect(name == "martlet-x chat of ours")
        let plain = try server.url()
        #expect(plain.connectionParameters(plain.hosts[0], name: "x")["application_name"] == "x")
    }

    @Test(
        arguments: [
            "postgres://u:p@ssw0rd@127.0.0.1/db", "postgres://u:p@ssw0rd@one,two:5/db",
            "postgres://u:p@one,ssw0rd@two/db",
            "postgres://u:p@x:ssw0rd@127.0.0.1/db", "postgres://u:p/ssw0rd@127.0.0.1/db",
            "postgres://u:1/ssw0rd@one/db",
            "postgres://u:p@@ssw0rd/db", "postgres://u:p%3F@ssw0rd%40x/db",
            "postgres://u:p@ssw0rd@127.0.0.1/db?sslmode=require",
        ])
    func `A passw0rd that ends too early is refused with what to write, and no part of it`(text: String) async {
        let thrown = await fault { try PostgresURL(text) }
        #expect(thrown?.reason == .invalidField)
        #expect(thrown?.message.contains("%40") == true)
        #expect(thrown.map { "\($0)" }?.contains("ssw0rd") == false)
    }

    @Test func `A password is written with what stands for its signs, and a name may have them too`() throws {
        let url = try PostgresURL("postgres://u:p%40ss%2Fword:@one,two/d%40b?sslrootcert=/a@b/c.pem")
        #expect(url.parameters["password"] == "p@ss/word:")
        #expect(url.description == "one:5432,two:5432/d@b")
        #expect(url.parameters["sslrootcert"] == "/a@b/c.pem")
        #expect(try PostgresURL("postgres:///base?host=/run/postgresql").hosts.map(\.name) == ["/run/postgresql"])
    }

    @Test func `A socket without a file has a name that begins with an @`() throws {
        let hosts = ["postgres:///base?host=@one,@two", "postgres://%40one,%40two/base"].map {
            try? PostgresURL($0).hosts
        }
        #expect(hosts.map { $0?.map(\.name) } == [["@one", "@two"], ["@one", "@two"]])
    }

    @Test func `Refusals of a connection are known by their code, in whatever language`() {
        let failure = PostgresDoor.refusal(
            "connection to server failed: ФАТАЛЬНО:  53300: слишком много клиентов\nLOCATION: x")
        #expect(failure.sqlState == "53300")
        #expect(failure.fault.message == "the database has too many connections")
        #expect(PostgresDoor.refusal("connection to server at \"HOST1\", port 54321 failed: refused").sqlState == "")
    }

    /// Tries until it goes well, for half a minute.
    private func eventually(_ work: () async throws(Fault) -> Void) async throws {
        let deadline = Deadline(after: .seconds(30))
        while true {
            do throws(Fault) {
                try await work()
                return
            } catch {
                if deadline.isPast || !error.isOurs { throw error }
                await Task.yield()
            }
        }
    }
}
