import HTTPTypes
import HummingbirdCore
import MartletCore
import MartletWire

/// Where a client connects.
package struct GatewayAddress: JSONOutput {
    package let host: String
    package let port: Int
    package let wsUrl: String

    package static let example = GatewayAddress(host: "chat.example.org", port: 443, isSecure: true)

    package init(host: String, port: Int, isSecure: Bool) {
        self.host = host
        self.port = port
        let name = host.contains(":") ? "[\(host)]" : host
        let isUsual = port == (isSecure ? 443 : 80)
        wsUrl = "\(isSecure ? "wss" : "ws")://\(name)\(isUsual ? "" : ":\(port)")/ws"
    }

    package func write(to object: inout JSONObject) {
        object.field("host", host)
        object.field("port", port)
        object.field("wsUrl", wsUrl)
    }
}

/// What operators and load balancers ask: `/healthz`, `/readyz`, `/metrics`; and which gateway a client should use.
struct OperationsRoutes: Sendable {
    let services: APIServices

    var handlers: [(String, APIRouter.Handler)] {
        [("/healthz", healthz), ("/readyz", readyz), ("/metrics", metrics)]
    }

    var route: Endpoint {
        let gateway = services.gateway
        return Endpoint(anyone: .get, "/api/route", tag: "Gateway", "The gateway to connect to") {
            (_: Visitor, _: EmptyInput) async throws(Fault) -> GatewayAddress in
            try await gateway()
        }
    }

    private func healthz(_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Response {
        Envelope.success(JSONWriter.encode(EmptyOutput()), now: services.clock.now)
    }

    private func readyz(_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Response {
        let readiness = await readiness()
        let data = JSONWriter.encode(readiness)
        guard readiness.isReady else {
            var response = Envelope.answer(.serviceUnavailable, "not ready", data, now: services.clock.now)
            response.headers[.retryAfter] = "1"
            return response
        }
        return Envelope.success(data, now: services.clock.now)
    }

    /// A node that leaves says so at once, whatever else it needs.
    private func readiness() async -> Readiness {
        if services.isLeaving() {
            let check = ReadinessCheck(name: "serving", isPassed: false, detail: "the node is leaving")
            return Readiness(checks: [check], reason: .shuttingDown)
        }
        return Readiness(checks: await services.readiness())
    }

    private func metrics(_ request: APIRequest, _ visitor: Visitor) async throws(Fault) -> Response {
        guard request.isLocal || hasToken(request) else {
            throw Fault(.notAllowed, "metrics are for this machine or for the metrics token")
        }
        let text = services.metrics.render()
        return Envelope.content(Array(text.utf8), "text/plain; version=0.0.4; charset=utf-8", cache: "no-store")
    }

    private func hasToken(_ request: APIRequest) -> Bool {
        guard let token = services.metricsToken, let given = try? request.bearerToken() else { return false }
        let (expected, actual) = (Array(token.utf8), Array(given.utf8))
        guard expected.count == actual.count else { return false }
        // Without leaving early, so that the time says nothing about the token.
        return zip(expected, actual).reduce(0) { $0 | ($1.0 ^ $1.1) } == 0
    }
}

/// The answer of `/readyz`.
private struct Readiness: JSONOutput {
    static let example = Readiness(checks: [ReadinessCheck(name: "database", isPassed: true)])
    let checks: [ReadinessCheck]
    var reason = Fault.Reason.unavailable

    var isReady: Bool { checks.allSatisfy(\.isPassed) }

    func write(to object: inout JSONObject) {
        object.field("ready", isReady)
        object.field("checks", checks)
        if !isReady { object.field("reason", reason.rawValue) }
    }
}

extension ReadinessCheck: JSONOutput {
    package static let example = ReadinessCheck(name: "database", isPassed: true, detail: "")

    package func write(to object: inout JSONObject) {
        object.field("name", name)
        object.field("ok", isPassed)
        object.field("detail", detail)
    }
}
