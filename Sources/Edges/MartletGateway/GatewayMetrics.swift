import MartletCore
import MartletWire

/// What the gateway counts.
package struct GatewayMetrics: Sendable {
    let connections, sessions: Gauge
    let upgrades, sends, deliveries, dropped, slowReaders, gapsFilled: Counter
    let rests, unsavedCursors: Counter
    let deliveryLatency: Histogram
    let commandsAtWork: Gauge
    let comparing: Gauge
    /// Topics of which the bus has lost events, and the log was not asked yet.
    package let behind: Gauge
    let comparisons: Counter
    private let rejections: [Fault.Reason: Counter]
    private let closes: [UInt16: Counter]
    private let proxyRefusals: [ProxyViolation: Counter]

    package init(_ registry: MetricRegistry) {
        connections = registry.gauge("martlet_connections", "Open connections of any kind")
        sessions = registry.gauge("martlet_sessions", "Signed-in sessions")
        upgrades = registry.counter("martlet_upgrades_total", "Connections that became WebSocket")
        sends = registry.counter("martlet_sends_total", "Sends taken from sessions")
        deliveries = registry.counter("martlet_deliveries_total", "Events written to sessions")
        dropped = registry.counter(
            "martlet_dropped_total", "Typing, presence and cursor pushes dropped for slow readers")
        slowReaders = registry.counter(
            "martlet_slow_readers_total", "Times that a session read too slowly for live delivery")
        rests = registry.counter(
            "martlet_rests_total", "Times that a client was not read for a while, since it did too much")
        unsavedCursors = registry.counter(
            "martlet_cursor_save_failures_total", "Times that what clients have received could not be written down")
        gapsFilled = registry.counter("martlet_gaps_filled_total", "Gaps in delivery that were filled from the log")
        deliveryLatency = registry.latency(
            "martlet_delivery_seconds", "From a commit to the last write of its events on a loop")
        commandsAtWork = registry.gauge("martlet_commands_at_work", "Commands that left their loop")
        behind = registry.gauge(
            "martlet_topics_behind", "Topics that lost events on the bus, and wait to be read from the log")
        comparing = registry.gauge("martlet_topics_comparing", "Topics that are being compared with the log")
        comparisons = registry.counter(
            "martlet_topic_comparisons_total", "Times that topics were compared with the log")
        rejections = Dictionary(
            uniqueKeysWithValues: Fault.Reason.allCases.map {
                (
                    $0,
                    registry.counter("martlet_rejections_total", "Commands refused, by reason", ("reason", $0.rawValue))
                )
            })
        let codes: [WebSocketCloseCode] = [
            .goingAway, .protocolError, .unacceptableData, .notUTF8, .tooBig, .internalError, .signInTimeout,
            .heartbeatTimeout,
            .slowReader, .overloaded, .signedOut, .banned, .replaced, .passwordChanged, .refused,
        ]
        closes = Dictionary(
            uniqueKeysWithValues: codes.map {
                (
                    $0.rawValue,
                    registry.counter(
                        "martlet_closes_total", "Sessions closed by the server", ("code", "\($0.rawValue)"))
                )
            })
        proxyRefusals = Dictionary(
            uniqueKeysWithValues: ProxyViolation.allCases.map {
                (
                    $0,
                    registry.counter(
                        "martlet_proxy_refusals_total", "Connections closed for their PROXY header",
                        ("reason", $0.rawValue))
                )
            })
    }

    func rejected(_ reason: Fault.Reason) { rejections[reason]?.add() }

    func refused(_ violation: ProxyViolation) { proxyRefusals[violation]?.add() }

    func closed(_ code: WebSocketCloseCode) { closes[code.rawValue]?.add() }
}
