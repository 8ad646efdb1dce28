import MartletCore
import MartletWire

/// The endpoints that WebSocket sessions may use as commands, by name.
package struct CommandTable: Sendable {
    private let endpoints: [NativeCommandName: Endpoint]

    package init(_ endpoints: [Endpoint]) {
        self.endpoints = Dictionary(
            endpoints.compactMap { endpoint in endpoint.command.map { ($0, endpoint) } },
            uniquingKeysWith: { first, _ in first })
    }

    /// Returns the bytes of the answer's `data`. Throws `unknown_command` for a name that no endpoint has.
    package func run(_ name: NativeCommandName, caller: Caller, data: [UInt8]) async throws(Fault) -> [UInt8] {
        guard let endpoint = endpoints[name] else { throw Fault(.unknownCommand, "there is no such command") }
        let fields = data.isEmpty ? JSONFields(.object([], bytes: [])) : try JSONFields(parsing: data)
        return try await endpoint.run(.caller(caller), fields)
    }
}
