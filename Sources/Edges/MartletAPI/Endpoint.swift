import MartletCore
import MartletWire

/// Somebody who has not signed in.
package struct Visitor: Sendable {
    /// The client's network address, for rate limits.
    package let address: String
    package let trace: String

    package init(address: String, trace: String) {
        self.address = address
        self.trace = trace
    }
}

/// One operation of the API, declared once: its route, its documentation and, where it has a command name, the WebSocket command.
package struct Endpoint: Sendable {
    package enum Method: String, Sendable { case get, post, put, delete }

    package enum Access: Sendable {
        /// Limited by address. Features limit what costs more, such as sign-ins, on their own.
        case anyone
        case user
    }

    /// Whoever asks, with the fields of the request.
    package enum Requester: Sendable {
        case visitor(Visitor)
        case caller(Caller)
    }

    package let method: Method
    /// With `{name}` for parameters, which arrive as fields of that name.
    package let path: String
    /// The section of the documentation.
    package let tag: String
    package let summary: String
    package let access: Access
    package let input: Schema
    package let output: Schema
    /// A typical answer's bytes.
    package let example: [UInt8]
    /// Also reachable over WebSocket, by this name.
    package let command: NativeCommandName?
    /// Returns the bytes of `data`.
    package let run: @Sendable (Requester, borrowing JSONFields) async throws(Fault) -> [UInt8]

    /// For users who have signed in.
    package init<Input: JSONInput, Output: JSONOutput>(
        _ method: Method, _ path: String, tag: String, _ summary: String, command: NativeCommandName? = nil,
        _ handler: @escaping @Sendable (Caller, Input) async throws(Fault) -> Output
    ) {
        self.init(
            method, path, tag, summary, .user, Input.schema, Output.schema, Output.example, command
        ) { (requester, fields) throws(Fault) in
            guard case .caller(let caller) = requester else { throw Fault(.notSignedIn, "sign in first") }
            return JSONWriter.encode(try await handler(caller, try Input(fields)))
        }
    }

    /// For anyone.
    package init<Input: JSONInput, Output: JSONOutput>(
        anyone method: Method, _ path: String, tag: String, _ summary: String,
        _ handler: @escaping @Sendable (Visitor, Input) async throws(Fault) -> Output
    ) {
        self.init(method, path, tag, summary, .anyone, Input.schema, Output.schema, Output.example, nil) {
            (requester, fields) throws(Fault) in
            guard case .visitor(let visitor) = requester else { throw Fault(.internalError, "internal error") }
            return JSONWriter.encode(try await handler(visitor, try Input(fields)))
        }
    }

    private init<Example: JSONOutput>(
        _ method: Method, _ path: String, _ tag: String, _ summary: String, _ access: Access, _ input: Schema,
        _ output: Schema,
        _ example: Example, _ command: NativeCommandName?,
        _ run: @escaping @Sendable (Requester, borrowing JSONFields) async throws(Fault) -> [UInt8]
    ) {
        self.method = method
        self.path = path
        self.tag = tag
        self.summary = summary
        self.access = access
        self.input = input
        self.output = output
        self.example = JSONWriter.encode(example)
        self.command = command
        self.run = run
    }
}
