import HTTPTypes
import HummingbirdCore
import Logging
import MartletBus
import MartletCore
import MartletWire

/// Answers every request that is not a WebSocket: the endpoints, the operations' routes, the documentation and the page's files.
///
/// It has its own table of routes on Hummingbird's HTTP core: the protocol asks for strict decoding, for one path per
/// operation (`//api` is not `/api`), and for 405 with what is allowed.
package struct APIRouter: Sendable {
    typealias Handler = @Sendable (_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Response

    enum Route: Sendable {
        case endpoint(Endpoint)
        /// Outside of the API's rules: no token, no rate limit.
        case open(Handler)
    }

    let services: APIServices
    let configuration: APIConfiguration
    /// The page's files come with this Content-Security-Policy.
    let pagePolicy: String
    private let routes: RouteTable<Route>
    private let goWebSocket: GoWebSocketRoutes?
    private let metrics: RequestMetrics
    private let cors: CORSRules

    /// `assets` are the page's files, `pagePolicy` their Content-Security-Policy. The paths of `goWebSocket` are there only with it.
    package init(
        endpoints: [Endpoint], assets: [StaticAsset] = [], pagePolicy: String = "default-src 'self'",
        goWebSocket: GoWebSocketRoutes? = nil, services: APIServices, configuration: APIConfiguration
    ) {
        self.pagePolicy = pagePolicy
        self.goWebSocket = goWebSocket
        self.services = services
        self.configuration = configuration
        metrics = RequestMetrics(services.metrics)
        cors = CORSRules(origins: configuration.corsOrigins)
        let operations = OperationsRoutes(services: services)
        let endpoints = endpoints + [operations.route]
        var routes = RouteTable<Route>()
        for endpoint in endpoints { routes.add(endpoint.method, endpoint.path, .endpoint(endpoint)) }
        for (path, handler) in operations.handlers { routes.add(.get, path, .open(handler)) }
        for (path, handler) in DocumentationRoutes(endpoints: endpoints).handlers {
            routes.add(.get, path, .open(handler))
        }
        for asset in assets { routes.add(.get, asset.path, .open(Self.handler(asset, policy: pagePolicy))) }
        self.routes = routes
    }

    // MARK: One request

    /// Always an answer: what goes wrong inside is one, too.
    func respond(to request: APIRequest) async -> Response {
        let start = ContinuousClock.now
        let trace = request.trace()
        let client = request.client(trusting: configuration.trustedProxies)?.rateName ?? "unknown"
        var response: Response
        do throws(Fault) {
            response = try await answer(request, Visitor(address: client, trace: trace))
        } catch {
            response = failure(error, trace)
        }
        finish(&response, request, trace)
        let elapsed = start.duration(to: .now)
        metrics.record(response.status.code, elapsed)
        services.logger.debug(
            "request",
            metadata: [
                "method": "\(request.method)", "path": "\(request.target.prefix { $0 != "?" }.prefix(128))",
                "status": "\(response.status.code)", "ms": "\(elapsed.milliseconds)", "trace": "\(trace)",
            ])
        return response
    }

    /// The answer to a request whose body was too large to be read.
    func tooLarge(_ request: APIRequest) -> Response {
        let trace = request.trace()
        let fault = Fault(.tooLarge, "a body has at most \(Limits.requestBytes) bytes")
        let isForeign = goWebSocket?.call(at: request.target) != nil
        var response = isForeign ? Self.goWebSocketTooLarge() : failure(fault, trace)
        finish(&response, request, trace)
        metrics.record(response.status.code, .zero)
        return response
    }

    private func failure(_ fault: Fault, _ trace: String) -> Response {
        report(fault, trace)
        return Envelope.failure(fault, now: services.clock.now)
    }

    /// What is our own doing is told to the operator.
    func report(_ fault: Fault, _ trace: String) {
        guard fault.isOurs else { return }
        let level: Logger.Level = fault.code == .internalError ? .error : .warning
        services.logger.log(
            level: level, "request failed",
            metadata: ["reason": "\(fault.reason.rawValue)", "cause": "\(fault.cause ?? "")", "trace": "\(trace)"])
    }

    private func answer(_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Response {
        if let goWebSocket, let call = goWebSocket.call(at: request.target) {
            return await answer(call, of: goWebSocket, request, visitor)
        }
        let target = try RequestTarget(request.target)
        guard let match = routes.find(target.segments) else {
            try take(.address(visitor.address), configuration.addressRequests)
            throw Fault(.notFound, "there is nothing at this path")
        }
        if request.method == .options, let preflight = cors.preflight(request, match.methods.keys) { return preflight }
        guard let method = Endpoint.Method(request.method), let route = match.methods[method] else {
            return notAllowed(match.methods.keys)
        }
        switch route {
        case .open(let handler): return try await handler(request, visitor)
        case .endpoint(let endpoint):
            let requester = try await admit(request, visitor, endpoint.access)
            let fields = try Self.fields(request, target, match.parameters)
            return Envelope.success(try await endpoint.run(requester, fields), now: services.clock.now)
        }
    }

    private func notAllowed(_ methods: some Sequence<Endpoint.Method>) -> Response {
        let fault = Fault(.methodNotAllowed, "this path takes other methods")
        var response = Envelope.failure(fault, now: services.clock.now)
        response.headers[.allow] = methods.allowed
        return response
    }

    // MARK: Who asks, and how often

    private func admit(
        _ request: APIRequest, _ visitor: Visitor, _ access: Endpoint.Access
    ) async throws(Fault) -> Endpoint.Requester {
        switch access {
        case .anyone: try take(.address(visitor.address), configuration.addressRequests)
        case .user:
            let caller = try await authenticate(request, visitor)
            try take(.request(caller.user), configuration.userRequests)
            return .caller(caller)
        }
        return .visitor(visitor)
    }

    private func authenticate(_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Caller {
        do throws(Fault) {
            return try await services.authenticator.caller(from: try request.bearerToken(), trace: visitor.trace)
        } catch {
            // Trying tokens is what an address without a login may do only so often.
            try take(.address(visitor.address), configuration.addressRequests)
            throw error
        }
    }

    /// Takes one from a bucket; throws `rate_limited` where it is empty.
    func take(_ key: RateKey, _ rule: RateRule) throws(Fault) {
        guard let wait = services.limiter.take(key, rule, now: services.clock.now) else { return }
        throw Fault(.rateLimited, "too many requests", retryAfter: wait)
    }

    // MARK: What is asked

    private static func fields(
        _ request: APIRequest, _ target: RequestTarget, _ parameters: [(name: String, value: String)]
    ) throws(Fault) -> JSONFields {
        if request.method == .get || request.method == .head || request.method == .delete && request.body.isEmpty {
            return JSONFields(.query(target.query), path: parameters)
        }
        guard !request.body.isEmpty else { return JSONFields(.object([], bytes: []), path: parameters) }
        try request.requireJSON()
        return try JSONFields(parsing: request.body, path: parameters)
    }

    private static func handler(_ asset: StaticAsset, policy: String) -> Handler {
        { (request, _) throws(Fault) in
            let form = asset.form(accepting: request.headers[.acceptEncoding])
            var response: Response
            if form.isCurrent(request.headers[.ifNoneMatch]) {
                response = Response(status: .notModified, headers: [.cacheControl: "no-cache"])
            } else {
                response = Envelope.content(form.bytes, asset.contentType, cache: "no-cache")
                response.headers[.contentEncoding] = form.encoding
            }
            response.headers[.eTag] = form.etag
            if asset.varies { response.headers[.vary] = "Accept-Encoding" }
            response.headers[.contentSecurityPolicy] = policy
            return response
        }
    }

    /// What every answer carries.
    private func finish(_ response: inout Response, _ request: APIRequest, _ trace: String) {
        response.headers[.requestId] = trace
        response.headers[.date] = HTTPDate.text(services.clock.now)
        response.headers[.xContentTypeOptions] = "nosniff"
        response.headers[.referrerPolicy] = "no-referrer"
        if services.isLeaving() { response.headers[.connection] = "close" }
        cors.mark(&response, request)
        if request.method == .head { response = response.createHeadResponse() }
    }
}

extension Endpoint.Method {
    init?(_ method: HTTPRequest.Method) {
        switch method {
        case .get, .head: self = .get
        case .post: self = .post
        case .put: self = .put
        case .delete: self = .delete
        default: return nil
        }
    }
}

extension Sequence<Endpoint.Method> {
    /// As the `Allow` field lists them.
    var allowed: String {
        let names = map { $0.rawValue.uppercased() }
        return (names.contains("GET") ? names + ["HEAD"] : names).sorted().joined(separator: ", ")
    }
}
