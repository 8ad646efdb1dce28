import MartletServer
import Testing

@Suite struct CSVReaderTests {
    private func fields(_ text: String) throws -> [[String]] { try CSVReader.rows(text).map(\.fields) }

    @Test func readsPlainFields() throws {
        #expect(try fields("a,b,c\nd,,\n") == [["a", "b", "c"], ["d", "", ""]])
    }

    @Test func readsQuotedCommasQuotesAndLineBreaks() throws {
        #expect(try fields("\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\"\n") == [["a,b", "say \"hi\"", "two\nlines"]])
    }

    @Test func takesEveryKindOfLineEnd() throws {
        #expect(try fields("a\r\nb\nc\rd") == [["a"], ["b"], ["c"], ["d"]])
    }

    @Test func leavesEmptyLinesOut() throws { #expect(try fields("\n\na\n\n") == [["a"]]) }

    @Test func skipsAByteOrderMark() throws { #expect(try fields("\u{FEFF}a,b") == [["a", "b"]]) }

    @Test func readsACommaAtTheEndAsAnEmptyField() throws { #expect(try fields("a,") == [["a", ""]]) }

    @Test func saysWhereARowBegins() throws {
        #expect(try CSVReader.rows("\"x\ny\"\nz").map(\.line) == [1, 3])
    }

    @Test(arguments: [("a\"b", 1), ("\"a\"b", 1), ("x\n\"open", 2)])
    func refusesWhatIsNoCSV(text: String, line: Int) {
        let failure = #expect(throws: CSVReader.Failure.self) { try CSVReader.rows(text) }
        #expect(failure?.line == line)
    }
}
