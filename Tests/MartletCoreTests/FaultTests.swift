import Foundation
import MartletCore
import Testing

@Suite struct FaultTests {
    /// The rows of the section "Reasons" of the protocol's documentation.
    private static func documented() throws -> [Int: Set<String>] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
        let section = try #require(text.components(separatedBy: "\n## Reasons\n").last)
        var rows: [Int: Set<String>] = [:]
        for line in section.split(separator: "\n") {
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 2, let code = Int(cells[0]) else { continue }
            rows[code] = Set(cells[1].components(separatedBy: ", ").map { $0.trimmingCharacters(in: ["`"]) })
        }
        return rows
    }

    @Test func documentsEveryReasonWithItsCode() throws {
        let documented = try Self.documented()
        var known: [Int: Set<String>] = [:]
        for reason in Fault.Reason.allCases { known[reason.code.rawValue, default: []].insert(reason.rawValue) }
        #expect(documented == known)
    }

    @Test func usesEveryCode() {
        #expect(Set(Fault.Reason.allCases.map(\.code)) == Set(Fault.Code.allCases))
    }

    @Test func namesTheField() {
        #expect(Fault.missing("clientId").field == "clientId")
        #expect(Fault.missing("clientId").reason == .missingField)
        #expect(Fault.invalid("to", "no").message == "to: no")
    }

    @Test func hidesTheCause() {
        struct Secret: Error {}
        let fault = Fault.ours(Secret())
        #expect(fault.code == .internalError)
        #expect(!fault.message.contains("Secret"))
        #expect(fault.cause?.contains("Secret") == true)
    }
}
