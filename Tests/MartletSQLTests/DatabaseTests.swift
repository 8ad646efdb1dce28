import MartletCore
import MartletSQL
import Testing

/// What every engine of the port does.
@Suite struct DatabaseTests {
    /// As `Engine.run`, with one table.
    private func run(_ engine: Engine, _ body: (any Database) async throws -> Void) async throws {
        try await engine.run { database throws in
            try await makeTable(database)
            try await body(database)
        }
    }

    @Test(arguments: Engine.all) func `Values come back as they went in`(engine: Engine) async throws {
        try await engine.run { database throws in
            let row = try await database.read { connection throws(Fault) in
                try connection.row(
                    """
                    SELECT \(Int64.max) AS big, \(Int64.min) AS small, \("a'漢\n😀") AS text, \([UInt8]()) AS empty,
                    \([UInt8](0...255)) AS bytes, \(SQLValue.real(0.1)) AS real, \(nil as String?) AS missing, \("") AS blank
                    """)
            }
            let found = try #require(row)
            #expect(try found.integer("big") == .max)
            #expect(try found.integer("small") == .min)
            #expect(try found.text("text") == "a'漢\n😀")
            #expect(try found.optionalBlob("empty") == [])
            #expect(try found.optionalBlob("bytes") == [UInt8](0...255))
            #expect(try found.value("real") == .real(0.1))
            #expect(try found.optionalText("missing") == nil)
            #expect(try found.text("blank") == "")
        }
    }

    @Test(arguments: Engine.all) func `A read behind a write sees it`(engine: Engine) async throws {
        try await run(engine) { database throws in
            for id in Int64(1)...50 {
                try await database.add(id)
                #expect(try await database.ids().count == Int(id))
            }
        }
    }

    @Test(arguments: Engine.all) func `A body that throws leaves nothing behind`(engine: Engine) async throws {
        try await run(engine) { database throws in
            let thrown = await fault {
                try await database.write { connection throws(Fault) in
                    try connection.run("INSERT INTO things (id, name) VALUES (1, 'lost')")
                    throw Fault(.blocked, "no")
                }
            }
            #expect(thrown?.reason == .blocked)
            #expect(try await database.ids() == [])
        }
    }

    @Test(arguments: Engine.all) func `Concurrent writes all land`(engine: Engine) async throws {
        try await run(engine) { database throws in
            let faults = await withTaskGroup { tasks in
                for id in Int64(1)...1000 { tasks.addTask { await fault { try await database.add(id) } } }
                return await tasks.reduce(into: [Fault]()) { if let fault = $1 { $0.append(fault) } }
            }
            #expect(faults.isEmpty)
            #expect(try await database.ids() == Array(1...1000))
        }
    }

    @Test(arguments: Engine.all) func `Numbers of a counter are all different`(engine: Engine) async throws {
        try await engine.run { database throws in
            try await Migrator(Migration.all(log: [])).migrate(database, now: .distantPast)
            let numbers = await withTaskGroup { tasks in
                for _ in 0..<200 {
                    tasks.addTask {
                        try? await database.write { connection throws(Fault) in try connection.next(.user) }
                    }
                }
                return await tasks.reduce(into: [Int64]()) { $0.append($1 ?? -1) }
            }
            #expect(numbers.sorted() == Array(1...200))
        }
    }

    @Test(arguments: Engine.all) func `Bodies run as if one after another`(engine: Engine) async throws {
        try await run(engine) { database throws in
            // Each adds the number of those it sees: no two may see the same.
            let faults = await withTaskGroup { tasks in
                for _ in 0..<100 {
                    tasks.addTask {
                        await fault {
                            try await database.write { connection throws(Fault) in
                                let count = try connection.integer("SELECT count(*) FROM things") ?? 0
                                try connection.run("INSERT INTO things (id, name) VALUES (\(count), 'x')")
                            }
                        }
                    }
                }
                return await tasks.reduce(into: [Fault]()) { if let fault = $1 { $0.append(fault) } }
            }
            #expect(faults.isEmpty)
            #expect(try await database.ids() == Array(0..<100))
        }
    }

    @Test(arguments: Engine.all) func `A reader is read-only`(engine: Engine) async throws {
        try await engine.run { database throws in
            try await makeTable(database)
            let thrown = await fault {
                try await database.read { connection throws(Fault) in
                    try connection.run("INSERT INTO things (id, name) VALUES (1, 'x')")
                }
            }
            #expect(thrown?.isOurs == true)
            #expect(try await database.ids() == [])
        }
    }

    @Test(arguments: Engine.all)
    func `A wrong statement is our mistake, and clients see nothing of it`(engine: Engine) async throws {
        try await engine.run { database throws in
            let thrown = await fault {
                try await database.write { connection throws(Fault) in try connection.rows("SELECT secret FROM nowhere")
                }
            }
            #expect(thrown?.reason == .internalError)
            #expect(thrown?.message == "internal error")
            #expect(thrown?.cause?.contains("nowhere") == true)
        }
    }

    @Test(arguments: Engine.all) func `A body that uses no statement has its value`(engine: Engine) async throws {
        try await engine.run { database throws in
            #expect(try await database.write { _ throws(Fault) in 7 } == 7)
            #expect(try await database.read { _ throws(Fault) in 8 } == 8)
        }
    }

    @Test(arguments: Engine.all) func `A write says how many rows it changed`(engine: Engine) async throws {
        try await run(engine) { database throws in
            for id in Int64(1)...3 { try await database.add(id) }
            let changed = try await database.write { connection throws(Fault) in
                try connection.run("UPDATE things SET name = 'new' WHERE id > 1")
            }
            #expect(changed == 2)
        }
    }
}
