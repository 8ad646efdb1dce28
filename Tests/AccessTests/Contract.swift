import EndToEndSupport
import MartletTestSupport
import MartletWire
import Testing

/// Holds answers against `/openapi.json`.
struct Contract: Sendable {
    let surface: APISurface
    private let document: APIDocument

    private actor Cache {
        var known: [Int: Contract] = [:]

        func contract(_ rest: RestClient) async throws -> Contract {
            if let contract = known[rest.port] { return contract }
            let answer = try await rest.call("GET", "/openapi.json")
            let document = try APIDocument(parsing: answer.body)
            let contract = Contract(surface: APISurface(document.json), document: document)
            known[rest.port] = contract
            return contract
        }
    }

    private static let cache = Cache()

    /// Of the suite's server.
    static func current() async throws -> Contract { try await cache.contract(TestServer.rest) }

    /// Notes an issue where the answer is not what the document says of this operation and status.
    func check(_ operation: String, status: Int, body: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        let parts = operation.split(separator: " ").map(String.init)
        guard let answer = try? JSONValue(parsing: body, depth: 64) else {
            Issue.record("\(operation): \(status) without JSON", sourceLocation: sourceLocation)
            return
        }
        let problems = document.problems(answer: answer, parts[0], parts[1], status: status)
        #expect(
            problems.isEmpty, "\(operation): \(String(decoding: body.prefix(500), as: UTF8.self))",
            sourceLocation: sourceLocation)
    }
}
