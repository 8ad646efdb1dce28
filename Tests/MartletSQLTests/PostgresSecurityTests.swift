import MartletCore
import MartletTestServices
import Testing

@testable import MartletSQL

/// TLS, as the URL asks for it.
@Suite struct PostgresSecurityTests {
    /// The protocol of a database's connections, as the server sees it; empty where one is not encrypted.
    private func versions(_ database: PostgresDatabase) async throws -> [String] {
        try await database.read { connection throws(Fault) in
            let rows = try connection.rows(
                """
                SELECT coalesce(s.version, '') AS version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)
                WHERE a.application_name LIKE 'martlet%'
                """)
            var versions: [String] = []
            for row in rows { versions.append(try row.text("version")) }
            return versions
        }
    }

    @Test func `A server is taken whose certificate the URL's authority signed, and all is encrypted`() async throws {
        let server = try await PostgresServer(.init(isSecure: true))
        for query in ["sslmode=verify-full&sslrootcert=\(server.certificate)", "sslmode=require"] {
            let database = try PostgresDatabase(try PostgresURL("\(server.urlText())?\(query)"))
            defer { database.close() }
            try await database.write { connection throws(Fault) in
                _ = try connection.rows("SELECT 1 AS one")
            }
            let versions = try await versions(database)
            #expect(!versions.isEmpty)
            #expect(versions.allSatisfy { $0.hasPrefix("TLSv1.") })
        }
    }

    @Test func `A certificate of another authority is refused in one line, and nobody signs in`() async throws {
        let server = try await PostgresServer(.init(isSecure: true, settings: ["log_connections=on"]))
        let other = try await server.makeCertificate("other")
        let url = try PostgresURL("\(server.urlText())?sslmode=verify-full&sslrootcert=\(other)")
        let thrown = await fault { try PostgresDatabase(url).close() }
        #expect(thrown?.reason == .unavailable)
        #expect(
            thrown?.message.hasPrefix("the database can't be used: 127.0.0.1:\(server.port): ") == true,
            "\(thrown?.message ?? "")")
        #expect(thrown?.message.contains("certificate verify failed") == true)
        #expect(thrown?.message.contains("\n") == false)
        // The server logs in order: this one's sign-in is behind all others.
        try await server.execute("SELECT 1 AS one")
        let words = server.lastWords
        #expect(words.contains("application_name=test SSL enabled"))
        #expect(!words.contains("application_name=martlet"))
    }

    @Test func `A server without TLS is refused where the URL asks for it`() async throws {
        let url = try PostgresURL("\(try await PostgresServer.shared.urlText())?sslmode=require")
        let thrown = await fault { try PostgresDatabase(url).close() }
        #expect(thrown?.message.contains("server does not support SSL, but SSL was required") == true)
    }
}
