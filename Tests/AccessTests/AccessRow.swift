import EndToEndSupport
import Testing

/// One line of a table: something that is asked, and what each asker gets.
struct AccessRow: Sendable, CustomTestStringConvertible {
    /// What is sent.
    struct Call: Sendable {
        /// Behind the path, without its question mark.
        var query = ""
        var json: String?
        /// Replaces `{id}` in the path.
        var id: Int64?
        /// Instead of the asker's own.
        var token: String?

        static let nothing = Call()
        static func query(_ text: String) -> Call { Call(query: text) }
        static func json(_ text: String) -> Call { Call(json: "{\(text)}") }
        static func id(_ id: Int64, json: String? = nil) -> Call { Call(json: json.map { "{\($0)}" }, id: id) }
    }

    /// `GET /api/user/profile`, or the name of a command.
    let operation: String
    let about: String
    let outcomes: Outcomes
    let call: @Sendable (World, Asker) -> Call

    init(
        _ operation: String, _ about: String, _ outcomes: Outcomes,
        _ call: @escaping @Sendable (World, Asker) -> Call = { _, _ in .nothing }
    ) {
        self.operation = operation
        self.about = about
        self.outcomes = outcomes
        self.call = call
    }

    init(
        _ operation: String, _ outcomes: Outcomes,
        _ call: @escaping @Sendable (World, Asker) -> Call = { _, _ in .nothing }
    ) {
        self.init(operation, "", outcomes, call)
    }

    var testDescription: String { about.isEmpty ? operation : "\(operation): \(about)" }

    /// Those whom it succeeds for come last, since it may not succeed twice.
    func order(_ askers: [Asker]) -> [Asker] {
        askers.filter { outcomes[$0] != .ok } + askers.filter { outcomes[$0] == .ok }
    }

    /// One row for each place, the place named by `conversationId` beside `fields`.
    static func places(
        _ operation: String, _ action: Place.Action, allowed: Outcome = .ok, special: [Place: Outcomes] = [:],
        asQuery: Bool = false, _ fields: @escaping @Sendable (World, Asker) -> String
    ) -> [AccessRow] {
        Place.allCases.map { place in
            let outcomes = place.outcomes(action, allowed: allowed).merging(special[place] ?? [:]) { $1 }
            return AccessRow(operation, "\(place)", outcomes) { world, asker in
                let more = fields(world, asker)
                guard !asQuery else {
                    return .query("conversationId=\(world.place(place))" + (more.isEmpty ? "" : "&\(more)"))
                }
                return .json(#""conversationId":"\#(world.place(place))""# + (more.isEmpty ? "" : ",\(more)"))
            }
        }
    }
}

/// A message's fields but for where it goes.
func messageFields() -> String { #""clientId":"\#(randomClientID())","type":"text","content":{"text":"hello"}"# }
