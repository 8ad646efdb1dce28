import MartletCore

/// What the adapters count.
final class RedisMetrics: Sendable {
    let framesOut, framesIn, bytesOut, bytesIn, dropped, damaged, reconnects, missed: Counter
    let presenceAlone, limitsAlone: Counter
    let topics: Gauge

    init(_ registry: MetricRegistry) {
        framesOut = registry.counter("martlet_bus_frames_sent_total", "Frames published to the bus")
        framesIn = registry.counter("martlet_bus_frames_received_total", "Frames of other nodes from the bus")
        bytesOut = registry.counter("martlet_bus_sent_bytes_total", "Bytes of frames published to the bus")
        bytesIn = registry.counter("martlet_bus_received_bytes_total", "Bytes of other nodes' frames from the bus")
        dropped = registry.counter(
            "martlet_bus_dropped_total", "Frames that were not published, or may not have been")
        damaged = registry.counter("martlet_bus_damaged_total", "Frames and entries that could not be read")
        reconnects = registry.counter("martlet_bus_reconnects_total", "Connections to the bus after the first")
        missed = registry.counter("martlet_bus_missed_total", "Topics whose events may have been lost on the bus")
        presenceAlone = registry.counter(
            "martlet_presence_alone_total", "Questions about presence that this node answered by what it knows itself")
        limitsAlone = registry.counter(
            "martlet_limits_alone_total", "Shared rate limits that this node decided by its own bucket")
        topics = registry.gauge("martlet_bus_topics", "Topics that this node is subscribed to")
    }
}
