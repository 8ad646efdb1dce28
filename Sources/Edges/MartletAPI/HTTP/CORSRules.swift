import HTTPTypes
import HummingbirdCore

/// Which pages of other origins may use the API. Tokens travel in a field of their own, so that there are no cookies to protect and no
/// credentials to allow.
struct CORSRules: Sendable {
    let origins: [String]

    private func allowed(_ request: APIRequest) -> String? {
        guard !origins.isEmpty, let origin = request.headers[.origin] else { return nil }
        if origins.contains("*") { return "*" }
        return origins.contains(origin) ? origin : nil
    }

    /// The answer to a browser that asks beforehand; nil where this is no such question.
    func preflight(_ request: APIRequest, _ methods: some Sequence<Endpoint.Method>) -> Response? {
        guard allowed(request) != nil, request.headers[.accessControlRequestMethod] != nil else { return nil }
        return Response(
            status: .noContent,
            headers: [
                .accessControlAllowMethods: methods.allowed,
                .accessControlAllowHeaders: "Authorization, Content-Type, X-Request-Id",
                .accessControlMaxAge: "600",
            ])
    }

    /// Says that the page may read the answer, unless the answer says so itself.
    func mark(_ response: inout Response, _ request: APIRequest) {
        guard !origins.isEmpty, response.headers[.accessControlAllowOrigin] == nil else { return }
        response.headers[.vary] = [response.headers[.vary], "Origin"].compactMap { $0 }.joined(separator: ", ")
        guard let origin = allowed(request) else { return }
        response.headers[.accessControlAllowOrigin] = origin
        response.headers[.accessControlExposeHeaders] = "Retry-After, X-Request-Id"
    }
}
