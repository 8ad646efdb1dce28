/// What the two ends of an HTTP connection's pipeline tell one another, so that an upgrade is taken also behind other
/// requests: proxies keep connections for later.
package enum HTTPConnectionEvent: Sendable {
    /// Goes outward: all requests so far are answered; the next byte begins a new one.
    case isBetweenRequests
    /// Goes inward: HTTP gets no more bytes, and must not close the connection.
    case isTakenOver
}
