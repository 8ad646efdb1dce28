import MartletBus
import MartletWire

/// What an operator may set about the API.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `api.trusted-proxies` | addresses or networks, such as `10.0.0.0/8` | none |
/// | `api.cors-origins` | origins, such as `https://app.example.org`, or `*` | none |
/// | `api.user-requests` | per second and user; four times as many at once | 50 |
/// | `api.address-requests` | per second and address, without a login; four times as many at once | 50 |
package struct APIConfiguration: Sendable {
    /// Who may say, in `X-Forwarded-For` or a PROXY header, for whom a request is made.
    package var trustedProxies: [AddressRange] = []
    /// Pages of these origins may use the API.
    package var corsOrigins: [String] = []
    package var userRequests = RateRule(perSecond: 50, burst: 200)
    package var addressRequests = RateRule(perSecond: 50, burst: 200)

    package init() {}

    // Bounds that are the program's own.
    /// A request's head: all its fields together, and their number.
    static let headBytes = 16 * 1024
    static let headFields = 100
    /// A connection without a request in this time is closed.
    static let idleSeconds: Int64 = 60
    /// A body has to be here in this time.
    static let bodySeconds: Int64 = 30
}
