import HTTPTypes
import HummingbirdCore
import MartletBus
import MartletCore
import MartletWire

extension APIRouter {
    /// Answers a call of the gowebsocket dialect in its own terms: whatever went wrong has a number of that family in
    /// the body, and HTTP's 200.
    func answer(
        _ call: GoWebSocketRoutes.Call, of routes: GoWebSocketRoutes, _ request: APIRequest, _ visitor: Visitor
    ) async -> Response {
        var response: Response
        switch request.method {
        case .get, .post: response = await answerCall(call, of: routes, request, visitor)
        case .options: response = Self.preflight
        default:
            response = Envelope.content(
                Array("404 page not found".utf8), "text/plain", status: .notFound, cache: "no-store")
        }
        // Credentials come in fields that a page must name; there are no cookies that it could borrow.
        response.headers[.accessControlAllowOrigin] = "*"
        return response
    }

    private func answerCall(
        _ call: GoWebSocketRoutes.Call, of routes: GoWebSocketRoutes, _ request: APIRequest, _ visitor: Visitor
    ) async -> Response {
        do throws(Fault) {
            if call == .home { return home(routes, request) }
            try Self.requireIntent(call, request)
            let (caller, parameters) = try await admit(request, visitor, to: routes)
            let data = try await run(call, of: routes, parameters, by: caller, request, visitor)
            return Self.goWebSocket(GoWebSocketMessage.envelope(data: data))
        } catch {
            return refuseGoWebSocket(error, visitor.trace)
        }
    }

    /// A browser that loads a picture, a frame or the like means to look, not to say something: somebody else wrote that link.
    private static func requireIntent(_ call: GoWebSocketRoutes.Call, _ request: APIRequest) throws(Fault) {
        guard call == .send || call == .sendAll, let destination = request.headers[.fetchDestination] else { return }
        guard destination == "empty" else { throw Fault(.notAllowed, "a message is not sent by loading something") }
    }

    /// What goes wrong while a message is sent is told beside the result, as the old server did; who may not, or asks
    /// wrongly, is refused.
    private func run(
        _ call: GoWebSocketRoutes.Call, of routes: GoWebSocketRoutes, _ parameters: GoWebSocketParameters,
        by caller: Poster, _ request: APIRequest, _ visitor: Visitor
    ) async throws(Fault) -> [UInt8] {
        do throws(Fault) {
            return try await routes.run(
                call, parameters, by: caller, from: visitor,
                // A page of others in a browser on this machine is not this machine.
                isLocal: request.isLocal && request.headers[.origin] == nil)
        } catch {
            guard call == .send || call == .sendAll else { throw error }
            switch error.code {
            case .notFound, .conflict, .internalError, .unavailable:
                report(error, visitor.trace)
                return JSONWriter.encode(GoWebSocketResults(failed: error))
            default: throw error
            }
        }
    }

    private func home(_ routes: GoWebSocketRoutes, _ request: APIRequest) -> Response {
        // A link that is written wrongly leads to the first room, as one without a number does.
        let parameters = (try? GoWebSocketParameters(request)) ?? GoWebSocketParameters()
        var response = Envelope.content(
            routes.home(parameters), "text/html; charset=utf-8", cache: "no-cache")
        response.headers[.contentSecurityPolicy] = pagePolicy
        return response
    }

    // MARK: Who asks

    private func admit(
        _ request: APIRequest, _ visitor: Visitor, to routes: GoWebSocketRoutes
    ) async throws(Fault) -> (Poster, GoWebSocketParameters) {
        let (caller, parameters): (Poster, GoWebSocketParameters)
        do throws(Fault) {
            parameters = try GoWebSocketParameters(request)
            let credential = try Self.credential(request, parameters)
            caller = try await routes.caller(credential, visitor)
        } catch {
            // Trying credentials is what an address may do only so often.
            try take(.address(visitor.address), configuration.addressRequests)
            throw error
        }
        switch caller {
        case .backend: break
        case .account(let account): try take(.request(account.user), configuration.userRequests)
        case .anyone: try take(.address(visitor.address), configuration.addressRequests)
        }
        return (caller, parameters)
    }

    private static func credential(
        _ request: APIRequest, _ parameters: GoWebSocketParameters
    ) throws(Fault) -> String? {
        if request.headers[.authorization] != nil { return try request.bearerToken() }
        if let key = request.headers[.apiKey], !key.isEmpty { return key }
        return parameters.text("apiKey")
    }

    // MARK: Answers

    /// The answer to a browser that asks beforehand.
    private static let preflight = Response(
        status: .noContent,
        headers: [
            .accessControlAllowMethods: "GET, POST, OPTIONS",
            .accessControlAllowHeaders: "Authorization, Content-Type, X-Api-Key, X-Request-Id",
            .accessControlMaxAge: "600",
        ])

    /// The body was too large to be read.
    static func goWebSocketTooLarge() -> Response {
        var response = goWebSocket(GoWebSocketMessage.envelope(.invalidParameter))
        response.headers[.accessControlAllowOrigin] = "*"
        return response
    }

    private func refuseGoWebSocket(_ fault: Fault, _ trace: String) -> Response {
        report(fault, trace)
        // On the WebSocket there is a login that is missing; here it is a right.
        let code = fault.reason == .notSignedIn ? .notAllowed : GoWebSocketCode(fault)
        var response = Self.goWebSocket(GoWebSocketMessage.envelope(code))
        if let wait = fault.retryAfter { response.headers[.retryAfter] = String(Envelope.seconds(wait)) }
        return response
    }

    private static func goWebSocket(_ body: [UInt8]) -> Response {
        Envelope.content(body, "application/json; charset=utf-8", cache: "no-store")
    }
}
