import MartletCore
import MartletWire

/// The OpenAPI 3.1 document, written from the endpoints themselves: what is documented is what is read and written.
struct OpenAPI: Sendable {
    let endpoints: [Endpoint]

    /// The document's bytes.
    func document() -> [UInt8] {
        JSONWriter.object { object in
            object.field("openapi", "3.1.0")
            object.field("info", RawJSON(info))
            object.field("servers", [RawJSON(JSONWriter.object { $0.field("url", "/") })])
            object.field("tags", tags.map { tag in RawJSON(JSONWriter.object { $0.field("name", tag) }) })
            object.field("paths", RawJSON(paths))
            object.field("components", RawJSON(components))
        }
    }

    private var info: [UInt8] {
        JSONWriter.object { object in
            object.field("title", "Martlet")
            object.field("version", "1")
            object.field(
                "description",
                """
                Instant messaging that you host yourself. JSON in, JSON out, in one envelope; the status is the envelope's code. \
                Integers stay below 2^53, times are milliseconds since 1970, timestamp is in seconds.
                """)
        }
    }

    /// The sections, in the order of the endpoints.
    private var tags: [String] {
        var seen: Set<String> = []
        return endpoints.map(\.tag).filter { seen.insert($0).inserted }
    }

    // MARK: Paths

    private var paths: [UInt8] {
        var order: [String] = []
        var byPath: [String: [Endpoint]] = [:]
        for endpoint in endpoints {
            if byPath[endpoint.path] == nil { order.append(endpoint.path) }
            byPath[endpoint.path, default: []].append(endpoint)
        }
        return JSONWriter.object { object in
            for path in order {
                let operations = JSONWriter.object { object in
                    for endpoint in byPath[path] ?? [] {
                        object.field(endpoint.method.rawValue, RawJSON(operation(endpoint)))
                    }
                }
                object.field(path, RawJSON(operations))
            }
        }
    }

    private func operation(_ endpoint: Endpoint) -> [UInt8] {
        let inputs = OperationInputs(endpoint)
        return JSONWriter.object { object in
            object.field("operationId", endpoint.operationId)
            object.field("tags", [endpoint.tag])
            object.field("summary", endpoint.summary)
            if case .user = endpoint.access {
                object.field("security", [RawJSON(JSONWriter.object { $0.field("bearer", [String]()) })])
            }
            let parameters =
                inputs.path.map { parameter($0, in: "path") } + inputs.query.map { parameter($0, in: "query") }
            if !parameters.isEmpty { object.field("parameters", parameters) }
            if let body = inputs.body { object.field("requestBody", RawJSON(requestBody(body))) }
            object.field("responses", RawJSON(responses(endpoint)))
        }
    }

    private func parameter(_ property: Schema.Property, in place: String) -> RawJSON {
        RawJSON(
            JSONWriter.object { object in
                object.field("name", property.name)
                object.field("in", place)
                object.field("required", property.isRequired || place == "path")
                object.field("schema", property.schema)
            })
    }

    private func requestBody(_ properties: [Schema.Property]) -> [UInt8] {
        JSONWriter.object { object in
            object.field("required", properties.contains(where: \.isRequired))
            object.field("content", RawJSON(content(JSONWriter.encode(Schema.object(properties)), example: nil)))
        }
    }

    private func responses(_ endpoint: Endpoint) -> [UInt8] {
        JSONWriter.object { object in
            let success = JSONWriter.object { object in
                object.field("description", "success")
                let schema = envelope(code: 200, data: JSONWriter.encode(endpoint.output))
                let example = JSONWriter.object { object in
                    object.field("code", 200)
                    object.field("message", "success")
                    object.field("data", RawJSON(endpoint.example))
                    object.field("timestamp", 1_640_995_200)
                }
                object.field("content", RawJSON(content(schema, example: example)))
            }
            object.field("200", RawJSON(success))
            for code in Fault.Code.allCases where code != .methodNotAllowed {
                let reference = JSONWriter.object { $0.field("$ref", "#/components/responses/\(code.componentName)") }
                object.field(String(code.rawValue), RawJSON(reference))
            }
        }
    }

    private func content(_ schema: [UInt8], example: [UInt8]?) -> [UInt8] {
        JSONWriter.object { object in
            let media = JSONWriter.object { object in
                object.field("schema", RawJSON(schema))
                object.optional("example", example.map { RawJSON($0) })
            }
            object.field("application/json", RawJSON(media))
        }
    }

    private func envelope(code: Int, data: [UInt8]) -> [UInt8] {
        JSONWriter.object { object in
            object.field("type", "object")
            let properties = JSONWriter.object { object in
                object.field("code", RawJSON(JSONWriter.object { $0.field("const", code) }))
                object.field("message", String.schema)
                object.field("data", RawJSON(data))
                object.field("timestamp", Int64.schema)
            }
            object.field("properties", RawJSON(properties))
            object.field("required", ["code", "message", "data", "timestamp"])
        }
    }

    // MARK: Components

    private var components: [UInt8] {
        JSONWriter.object { object in
            let schemes = JSONWriter.object { object in
                let bearer = JSONWriter.object { object in
                    object.field("type", "http")
                    object.field("scheme", "bearer")
                    object.field("bearerFormat", "JWT")
                }
                object.field("bearer", RawJSON(bearer))
            }
            object.field("securitySchemes", RawJSON(schemes))
            let responses = JSONWriter.object { object in
                for code in Fault.Code.allCases { object.field(code.componentName, RawJSON(failure(code))) }
            }
            object.field("responses", RawJSON(responses))
        }
    }

    private func failure(_ code: Fault.Code) -> [UInt8] {
        let reasons = Fault.Reason.allCases.filter { $0.code == code }.map(\.rawValue)
        let data = Schema.object([
            .init(name: "reason", schema: .string(.init(choices: reasons)), isRequired: true),
            .init(name: "field", schema: .string(.init()), isRequired: false),
        ])
        return JSONWriter.object { object in
            object.field("description", code.meaning)
            if code == .tooMany || code == .unavailable {
                let header = JSONWriter.object { object in
                    object.field("description", "seconds to wait")
                    object.field("schema", Int64.schema)
                }
                object.field("headers", RawJSON(JSONWriter.object { $0.field("Retry-After", RawJSON(header)) }))
            }
            let schema = envelope(code: code.rawValue, data: JSONWriter.encode(data))
            object.field("content", RawJSON(content(schema, example: nil)))
        }
    }
}
