import HTTPTypes
import HummingbirdCore
import MartletCore
import MartletWire
import NIOCore

/// The one shape of every answer of the API, and the one table from faults to HTTP.
enum Envelope {
    static func success(_ data: [UInt8], now: Instant) -> Response {
        answer(.ok, "success", data, now: now)
    }

    static func failure(_ fault: Fault, now: Instant) -> Response {
        let data = JSONWriter.object { object in
            object.field("reason", fault.reason.rawValue)
            object.optional("field", fault.field)
        }
        var response = answer(status(of: fault.code), fault.message, data, now: now)
        switch fault.code {
        case .tooMany, .unavailable: response.headers[.retryAfter] = String(seconds(fault.retryAfter ?? .seconds(1)))
        case .unauthenticated: response.headers[.wwwAuthenticate] = "Bearer"
        default: break
        }
        return response
    }

    private static func status(of code: Fault.Code) -> HTTPResponse.Status {
        switch code {
        case .badRequest: .badRequest
        case .unauthenticated: .unauthorized
        case .forbidden: .forbidden
        case .notFound: .notFound
        case .methodNotAllowed: .methodNotAllowed
        case .conflict: .conflict
        case .tooLarge: .contentTooLarge
        case .tooMany: .tooManyRequests
        case .internalError: .internalServerError
        case .unavailable: .serviceUnavailable
        }
    }

    static func answer(_ status: HTTPResponse.Status, _ message: String, _ data: [UInt8], now: Instant) -> Response {
        let body = JSONWriter.object { object in
            object.field("code", status.code)
            object.field("message", message)
            object.field("data", RawJSON(data))
            object.field("timestamp", now.seconds)
        }
        return content(body, "application/json", status: status, cache: "no-store")
    }

    /// An answer outside of the envelope: a document or a file.
    static func content(
        _ bytes: [UInt8], _ type: String, status: HTTPResponse.Status = .ok, cache: String
    ) -> Response {
        Response(
            status: status, headers: [.contentType: type, .cacheControl: cache],
            body: ResponseBody(byteBuffer: ByteBuffer(bytes: bytes)))
    }

    /// Whole seconds, rounded up, at least one.
    static func seconds(_ duration: Duration) -> Int64 { max(1, (duration.milliseconds + 999) / 1000) }
}
