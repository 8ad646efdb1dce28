import Foundation
import MartletWire
import Testing

@Suite struct WebSocketCloseCodeTests {
    private static let all: [WebSocketCloseCode] = [
        .normal, .goingAway, .protocolError, .unacceptableData, .notUTF8, .tooBig, .internalError, .signInTimeout,
        .heartbeatTimeout, .slowReader, .overloaded, .signedOut, .banned, .replaced, .passwordChanged, .refused,
    ]

    /// Code, reason and advice of each row of "Close codes" in the protocol's documentation.
    private static func documented() throws -> [(UInt16, String, String)] {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let text = try String(contentsOf: root.appending(path: "docs/protocol.md"), encoding: .utf8)
        let section = try #require(
            text.components(separatedBy: "\n### Close codes\n").last?.components(separatedBy: "\n## ").first)
        return section.split(separator: "\n").compactMap { line in
            let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
            guard cells.count == 3, let code = UInt16(cells[0]) else { return nil }
            return (code, cells[1], cells[2])
        }
    }

    @Test func saysWhatTheDocumentationSays() throws {
        let documented = try Self.documented()
        #expect(documented.map(\.0) == Self.all.map(\.rawValue))
        for (number, reason, advice) in documented {
            let code = WebSocketCloseCode(rawValue: number)
            #expect(code.reason == reason)
            #expect(code.mayReconnect == advice.hasPrefix("yes"), "\(number)")
        }
    }

    @Test func tellsTheRangesApart() {
        #expect(WebSocketCloseCode(rawValue: 4099).mayReconnect)
        #expect(!WebSocketCloseCode(rawValue: 4100).mayReconnect)
        #expect(!WebSocketCloseCode(rawValue: 4199).mayReconnect)
        #expect(!WebSocketCloseCode(rawValue: 3000).mayReconnect)
        #expect(WebSocketCloseCode(rawValue: 1012).mayReconnect)
    }

    @Test func fitsIntoACloseFrame() {
        for code in Self.all {
            #expect(code.isValidOnWire)
            #expect((1...123).contains(code.reason.utf8.count))
        }
    }
}
