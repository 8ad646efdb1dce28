import MartletCore
import MartletWire

/// The endpoints as one page to read, without scripts.
struct DocumentationPage {
    let openAPI: OpenAPI

    var html: String {
        let sections = openAPI.tags.map { tag in
            let endpoints = openAPI.endpoints.filter { $0.tag == tag }
            return
                "<section id=\"\(Self.anchor(tag))\"><h2>\(Self.escape(tag))</h2>\(endpoints.map(article).joined())</section>"
        }
        let links = openAPI.tags.map { "<a href=\"#\(Self.anchor($0))\">\(Self.escape($0))</a>" }
        return """
            <!doctype html>
            <html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
            <title>Martlet API</title><style>\(Self.style)</style></head>
            <body><header><h1>Martlet API</h1><nav>\(links.joined(separator: " ")) <a href="/openapi.json">openapi.json</a>
            </nav></header><main>\(sections.joined(separator: "\n"))</main></body></html>
            """
    }

    private func article(_ endpoint: Endpoint) -> String {
        let inputs = OperationInputs(endpoint)
        let fields =
            inputs.path.map { ($0, "path") } + inputs.query.map { ($0, "query") }
            + (inputs.body ?? []).map { ($0, "body") }
        let rows = fields.map { property, place in
            let schema = String(decoding: JSONWriter.encode(property.schema), as: UTF8.self)
            return """
                <tr><td><code>\(Self.escape(property.name))</code>\(property.isRequired ? "" : "?")</td><td>\(place)</td>\
                <td><code>\(Self.escape(schema))</code></td></tr>
                """
        }
        let table = rows.isEmpty ? "" : "<table>\(rows.joined())</table>"
        let example = Self.escape(String(decoding: endpoint.example, as: UTF8.self))
        let login = if case .user = endpoint.access { "<small>Bearer token</small>" } else { "" }
        return """
            <article id="\(endpoint.operationId)"><h3><b>\(endpoint.method.rawValue.uppercased())</b> \
            <code>\(Self.escape(endpoint.path))</code> \(login)</h3><p>\(Self.escape(endpoint.summary))</p>\(table)\
            <pre>\(example)</pre></article>
            """
    }

    private static func anchor(_ tag: String) -> String {
        String(tag.lowercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "-" })
    }

    private static func escape(_ text: String) -> String {
        var result = ""
        for character in text {
            switch character {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            default: result.append(character)
            }
        }
        return result
    }

    private static let style = """
        :root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
        body { max-width: 60rem; margin: 0 auto; padding: 1rem }
        nav a { margin-right: 1rem } article { margin: 1.5rem 0; padding-top: .5rem; border-top: 1px solid #8884 }
        h3 { margin: 0; font-size: 1rem } p { margin: .25rem 0 } table { border-collapse: collapse; width: 100% }
        td { padding: .15rem .75rem .15rem 0; vertical-align: top; overflow-wrap: anywhere } code, pre { font-size: .85rem }
        pre { overflow-x: auto; padding: .5rem; background: #8881; border-radius: 4px }
        """
}
