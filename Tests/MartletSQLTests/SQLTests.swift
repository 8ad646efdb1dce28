import MartletCore
import MartletSQL
import Testing

@Suite struct SQLTests {
    private func rendered(_ sql: SQL) -> (text: String, values: [SQLValue]) { sql.render { "$\($0)" } }

    @Test func `Values are bound, never pasted`() {
        let name = "'; DROP TABLE users; --"
        let sql = rendered("SELECT * FROM users WHERE name = \(name) AND id = \(Int64(5))")
        #expect(sql.text == "SELECT * FROM users WHERE name = $1 AND id = $2")
        #expect(sql.values == [.text(name), .integer(5)])
    }

    @Test func `Every kind of value has its form`() {
        let sql = rendered(
            """
            \(true) \(false) \(7) \(Int16(8)) \([UInt8(1), 2]) \(UserID(unchecked: 3)) \(AppID(unchecked: 4)) \
            \(GroupID(unchecked: 5)) \(Instant(milliseconds: 6)) \(ConversationID.inbox(UserID(unchecked: 7))) \
            \(SQLValue.real(0.5))
            """)
        #expect(
            sql.values == [
                .integer(1), .integer(0), .integer(7), .integer(8), .blob([1, 2]), .integer(3), .integer(4),
                .integer(5),
                .integer(6), .text("u:7"), .real(0.5),
            ])
        #expect(sql.text == (1...11).map { "$\($0)" }.joined(separator: " "))
    }

    @Test func `Nothing is bound as null`() {
        let none: String? = nil
        let some: Int64? = 3
        #expect(rendered("\(none) \(some)").values == [.null, .integer(3)])
    }

    @Test func `A list has a placeholder for each value`() {
        let sql = rendered("id IN (\(list: [1, 2, 3])) AND x = \("y")")
        #expect(sql.text == "id IN ($1, $2, $3) AND x = $4")
        #expect(sql.values == [.integer(1), .integer(2), .integer(3), .text("y")])
    }

    @Test func `An empty list matches nothing`() {
        #expect(rendered("id IN (\(list: [Int64]()))").text == "id IN (NULL)")
    }

    @Test func `Parts bring their values with them`() {
        let part: SQL = "b = \(2)"
        let sql = rendered("a = \(1) AND \(part) AND c = \(3)")
        #expect(sql.text == "a = $1 AND b = $2 AND c = $3")
        #expect(sql.values == [.integer(1), .integer(2), .integer(3)])
    }
}

@Suite struct SQLRowTests {
    private let row = SQLRow(
        columns: ["number", "text", "bytes", "nothing", "real", "conversation", "role"],
        values: [.integer(7), .text("seven"), .blob([7]), .null, .real(0.7), .text("d:1:2"), .text("admin")])

    @Test func `Columns are read by name`() throws {
        #expect(try row.integer("number") == 7)
        #expect(try row.text("text") == "seven")
        #expect(try row.optionalBlob("bytes") == [7])
        #expect(try row.flag("number"))
        #expect(try row.user("number").value == 7)
        #expect(try row.group("number").value == 7)
        #expect(try row.instant("number").milliseconds == 7)
        #expect(try row.conversation("conversation").text == "d:1:2")
        let role = try row.choice("role", of: Role.self)
        #expect(role == .admin)
        #expect(try row.optionalInteger(0) == 7)
    }

    @Test func `Null is nil where it may be`() throws {
        #expect(try row.optionalInteger("nothing") == nil)
        #expect(try row.optionalText("nothing") == nil)
        #expect(try row.optionalBlob("nothing") == nil)
    }

    @Test func `What does not fit is our mistake, named for the operator and hidden from clients`() {
        let reads: [(column: String, read: (SQLRow) throws(Fault) -> Void)] = [
            ("missing", { row throws(Fault) in _ = try row.integer("missing") }),
            ("nothing", { row throws(Fault) in _ = try row.integer("nothing") }),
            ("nothing", { row throws(Fault) in _ = try row.text("nothing") }),
            ("text", { row throws(Fault) in _ = try row.integer("text") }),
            ("real", { row throws(Fault) in _ = try row.integer("real") }),
            ("number", { row throws(Fault) in _ = try row.text("number") }),
            ("text", { row throws(Fault) in _ = try row.optionalBlob("text") }),
            ("text", { row throws(Fault) in _ = try row.conversation("text") }),
            ("text", { row throws(Fault) in _ = try row.choice("text", of: Role.self) }),
            ("9", { row throws(Fault) in _ = try row.optionalInteger(9) }),
        ]
        for (column, read) in reads {
            let fault = #expect(throws: Fault.self) { try read(row) }
            #expect(fault?.reason == .internalError)
            #expect(fault?.message == "internal error")
            #expect(fault?.cause?.contains("column \(column) ") == true)
        }
    }
}
