import EndToEndSupport
import MartletCore
import MartletSQL
import MartletWire
import Testing

/// Programs of two releases on one database, as during an upgrade without a stop.
@Suite(.cluster(.init(nodes: 2)), .serialized, .showsClusterLogs)
struct SchemaTests {
    private func apply(_ migration: Migration) async throws {
        let url = try #require(TestCluster.current.environment["MARTLET_DATABASE"])
        let database = try PostgresDatabase(try PostgresURL(url))
        try await Migrator([migration]).migrate(database, now: Instant(milliseconds: 0))
        database.close()
    }

    @Test func `A newer release expands the schema under running nodes; one that contracts it ends the old program`()
        async throws
    {
        let nodes = TestCluster.current.nodes
        let (ada, ben) = (try await TestCluster.user("ada"), try await TestCluster.user("ben"))
        let direct = ada.direct(ben)
        let sender = try await TestCluster.connect(ada, on: 0)
        let reader = try await TestCluster.connect(ben, on: 1)

        try await apply(
            Migration(
                1000, "a later release",
                [
                    "ALTER TABLE users ADD COLUMN later BIGINT NOT NULL DEFAULT 0",
                    "CREATE TABLE later (id BIGINT PRIMARY KEY)",
                ]))
        let seq = try await sender.say("still here", in: direct)
        try await reader.waitMessage(seq, in: direct)
        _ = try await TestCluster.user("cleo")
        await nodes[1].stop()
        try await nodes[1].restart()
        let back = try await TestCluster.connect(ben, on: 1)
        let next = try await sender.say("and here", in: direct)
        try await back.waitMessage(next, in: direct)

        try await apply(
            Migration(1001, "one more", floor: 1001, ["ALTER TABLE users ADD COLUMN last BIGINT NOT NULL DEFAULT 0"]))
        // Who runs goes on until he is replaced.
        let last = try await sender.say("not for long", in: direct)
        try await back.waitMessage(last, in: direct)
        await nodes[1].stop()
        let failure = await #expect(throws: ServerDidNotStart.self) { try await nodes[1].restart() }
        #expect(failure?.status == 69)
        #expect(failure?.log.contains("the database needs a program that knows schema 1001") == true)
    }
}
