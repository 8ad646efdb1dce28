import HTTPTypes
import HummingbirdCore
import MartletCore

/// `/openapi.json` and the page that shows it, both made once at the start.
struct DocumentationRoutes: Sendable {
    /// The page has no scripts, loads nothing and is shown in no frame.
    private static let policy =
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

    let document: [UInt8]
    let page: [UInt8]

    init(endpoints: [Endpoint]) {
        let openAPI = OpenAPI(endpoints: endpoints)
        document = openAPI.document()
        page = Array(DocumentationPage(openAPI: openAPI).html.utf8)
    }

    var handlers: [(String, APIRouter.Handler)] {
        let (document, page) = (document, page)
        return [
            (
                "/openapi.json",
                { (_, _) throws(Fault) in Envelope.content(document, "application/json", cache: "no-cache") }
            ),
            (
                "/docs",
                { (_, _) throws(Fault) in
                    var response = Envelope.content(page, "text/html; charset=utf-8", cache: "no-cache")
                    response.headers[.contentSecurityPolicy] = Self.policy
                    return response
                }
            ),
        ]
    }
}
