import HummingbirdCore
import MartletCore

/// `/openapi.json`, written once at the start. The page that shows it is one of the web client's files.
struct DocumentationRoutes: Sendable {
    let document: [UInt8]

    init(endpoints: [Endpoint]) { document = OpenAPI(endpoints: endpoints).document() }

    var handlers: [(String, APIRouter.Handler)] {
        let document = document
        return [
            (
                "/openapi.json",
                { (_, _) throws(Fault) in Envelope.content(document, "application/json", cache: "no-cache") }
            )
        ]
    }
}
