/// What the two ends of an HTTP connection's pipeline tell one another, so that an upgrade is taken also behind other
/// requests: proxies keep connections for later.
package enum HTTPConnectionEvent: Sendable {
    /// Goes outward: all requests so far are answered, and the connection stays: the next byte begins a new one, unless the client
    /// has sent the beginning of one ahead.
    case isBetweenRequests
    /// Goes inward: HTTP gets no more bytes, and must not close the connection.
    case isTakenOver
}
