import HTTPTypes
import HummingbirdCore
import Logging
import MartletCore
import MartletWire
import NIOCore

extension APIRouter {
    /// Serves HTTP/1.1 on a connection, from its first byte on, on its loop: the work runs until the connection closes, and ends early when it
    /// is cancelled. What is in front hears `HTTPConnectionEvent`s. `claimed` is whom a trusted proxy's PROXY header names as its other end.
    package func adopt(_ channel: any Channel, claimed: IPAddress? = nil, logger: Logger) -> EventLoopFuture<
        @Sendable () async -> Void
    > {
        let http = httpChannel(claimed: claimed)
        return http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            try HTTPTurns.add(to: channel)
            return { await http.handle(value: value, logger: logger) }
        }
    }

    private func httpChannel(claimed: IPAddress?) -> HTTP1Channel {
        HTTP1Channel(
            responder: { request, writer, channel in try await serve(request, writer, channel, claimed) },
            configuration: HTTP1Channel.Configuration(
                idleTimeout: .seconds(APIConfiguration.idleSeconds),
                httpDecoderConfiguration: .init(
                    maxHeaderFieldSize: APIConfiguration.headBytes, maxHeaderListSize: APIConfiguration.headBytes,
                    maxHeaderFieldCount: APIConfiguration.headFields)))
    }

    /// Thrown to close a connection whose client goes on sending what nobody reads.
    private struct Refused: Error {}

    @concurrent
    private func serve(
        _ request: Request, _ writer: consuming ResponseWriter, _ channel: any Channel, _ claimed: IPAddress?
    ) async throws {
        // A sender that drips its body is not waited for.
        let deadline = channel.eventLoop.scheduleTask(in: .seconds(APIConfiguration.bodySeconds)) {
            channel.close(promise: nil)
        }
        defer { deadline.cancel() }
        var whole = APIRequest(
            method: request.method, target: request.head.path ?? "", headers: request.headers,
            peer: channel.remoteAddress?.ipAddress, claimed: claimed)
        var body = request.body.makeAsyncIterator()
        let length = request.headers[.contentLength].flatMap { Int($0) } ?? 0
        var isWhole = length <= Limits.requestBytes
        if isWhole, request.headers[.expect]?.lowercased() == "100-continue" {
            try await writer.writeInformationalHead(HTTPResponse(status: .continue))
        }
        while isWhole, let part = try await body.next() {
            isWhole = whole.body.count + part.readableBytes <= Limits.requestBytes
            if isWhole { whole.body.append(contentsOf: part.readableBytesView) }
        }
        guard isWhole else { return try await refuse(whole, writer, &body) }
        deadline.cancel()
        var response = await respond(to: whole)
        // Behind such a request NIO's decoder reads nothing more: it waits for the other protocol.
        if request.headers[.upgrade] != nil || request.method == .connect { response.headers[.connection] = "close" }
        let isLast = response.headers[.connection] == "close"
        try await writer.write(response: response.head, body: response.body)
        // No further request is read; the connection ends once the answer has left.
        if isLast { channel.close(mode: .input, promise: nil) }
    }

    /// Says that the body is too large. What is on its way is read and dropped for a while, since closing at once might take the answer
    /// away from the client.
    @concurrent
    private func refuse(
        _ request: APIRequest, _ writer: consuming ResponseWriter, _ body: inout RequestBody.AsyncIterator
    ) async throws {
        var response = tooLarge(request)
        response.headers[.connection] = "close"
        try await writer.write(response: response.head, body: response.body)
        var budget = 16 * Limits.requestBytes
        while budget > 0, let part = try await body.next() { budget -= part.readableBytes }
        throw Refused()
    }
}
