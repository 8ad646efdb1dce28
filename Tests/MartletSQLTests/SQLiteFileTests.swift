import Foundation
import GRDBSQLite
import MartletCore
import MartletSQL
import Testing

/// Files that can't be opened, disks that are full, copies.
@Suite struct SQLiteFileTests {
    private func opening(_ path: String) async -> Fault? {
        await fault {
            let database = try SQLiteDatabase(.file(path))
            database.close()
        }
    }

    @Test func `A file that is no database is not touched`() async throws {
        try await withFolder { folder throws in
            let path = folder + "/notes.txt"
            let text = String(repeating: "these are notes, not a database\n", count: 200)
            try text.write(toFile: path, atomically: true, encoding: .utf8)
            let thrown = await opening(path)
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message == "the database file is damaged")
            #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
        }
    }

    @Test func `A damaged database says so`() async throws {
        try await withFolder { folder throws in
            let path = folder + "/test.sqlite"
            let database = try SQLiteDatabase(.file(path))
            try await makeTable(database)
            for id in Int64(1)...200 { try await database.add(id, String(repeating: "x", count: 500)) }
            database.close()
            var bytes = try Data(contentsOf: URL(filePath: path))
            for index in 4096..<bytes.count { bytes[index] = 0xAA }
            try bytes.write(to: URL(filePath: path))
            let thrown = await fault {
                let database = try SQLiteDatabase(.file(path))
                defer { database.close() }
                _ = try await database.ids()
            }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message == "the database file is damaged")
        }
    }

    @Test func `A folder that can't be written, or is not there, says so`() async throws {
        for path in ["/proc/test.sqlite", "/nowhere/at/all/test.sqlite"] {
            let thrown = await opening(path)
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message == "the database file can't be opened")
        }
    }

    @Test func `A database that another program locks is waited for, not stolen`() async throws {
        try await withDatabase { database, path throws in
            var other: OpaquePointer?
            defer { sqlite3_close(other) }
            try #require(sqlite3_open(path, &other) == SQLITE_OK)
            try #require(sqlite3_exec(other, "BEGIN IMMEDIATE", nil, nil, nil) == SQLITE_OK)
            async let added: Void = database.add(1)
            #expect(try await database.ids() == [])
            sqlite3_exec(other, "INSERT INTO things (id, name) VALUES (7, 'other'); COMMIT", nil, nil, nil)
            try await added
            #expect(try await database.ids() == [1, 7])
        }
    }

    @Test func `A full disk refuses, loses nothing that was acknowledged, and is over once there is room`() async throws
    {
        try await withDatabase { database, path throws in
            func limit(_ pages: Int64) async throws {
                _ = try await database.write { connection throws(Fault) in
                    try connection.rows(SQL(stringLiteral: "PRAGMA max_page_count = \(pages)"))
                }
            }
            try await limit(60)
            var stored: [Int64] = []
            var thrown: Fault?
            while thrown == nil, stored.count < 10_000 {
                let id = Int64(stored.count + 1)
                thrown = await fault { try await database.add(id, String(repeating: "x", count: 900)) }
                if thrown == nil { stored.append(id) }
            }
            #expect(thrown?.reason == .unavailable)
            #expect(thrown?.message == "the disk is full")
            #expect(thrown?.retryAfter != nil)
            #expect(try await database.ids() == stored)
            try await limit(10_000)
            try await database.add(Int64(stored.count + 1))
            #expect(try await database.ids().count == stored.count + 1)
            let check = try await database.pragma("integrity_check")
            #expect(check == .text("ok"))
        }
    }

    // MARK: Copies

    @Test func `A copy beside a writer is one consistent state`() async throws {
        try await withDatabase { database, path throws in
            let isDone = Flag()
            // Pairs in one transaction: a copy with half a pair is torn.
            async let writing: Int64 = writePairs(database, until: isDone)
            for round in 1...5 {
                while try await database.ids().count < round * 20 { await Task.yield() }
                let copy = path + ".copy\(round)"
                try SQLiteDatabase.backup(from: path, to: copy)
                let copied = try SQLiteDatabase(.file(copy))
                let ids = try await copied.ids()
                let check = try await copied.pragma("integrity_check")
                copied.close()
                #expect(ids.count >= round * 20)
                #expect(ids == Array(1...Int64(ids.count)))
                #expect(ids.count.isMultiple(of: 2))
                #expect(check == .text("ok"))
            }
            isDone.raise()
            let last = try await writing
            #expect(try await database.ids().count == Int(last))
        }
    }

    private final class Flag: @unchecked Sendable {
        private let lock = NSLock()
        private var value = false
        var isUp: Bool { lock.withLock { value } }
        func raise() { lock.withLock { value = true } }
    }

    private func writePairs(_ database: SQLiteDatabase, until flag: Flag) async throws -> Int64 {
        var last: Int64 = 0
        while !flag.isUp, last < 100_000 {
            let next = last
            _ = try await database.write { connection throws(Fault) in
                try connection.run("INSERT INTO things (id, name) VALUES (\(next + 1), 'a')")
                try connection.run("INSERT INTO things (id, name) VALUES (\(next + 2), 'b')")
            }
            last += 2
        }
        return last
    }

    @Test func `A copy of nothing is refused, and makes no file`() async throws {
        try await withFolder { folder throws in
            let thrown = await fault {
                try SQLiteDatabase.backup(from: folder + "/none.sqlite", to: folder + "/copy.sqlite")
            }
            #expect(thrown?.reason == .unavailable)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
        }
    }
}
