import MartletBus
import MartletCore
import MartletWire

/// What an operator may set about connections.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `gateway.heartbeat` | seconds | 25 |
/// | `gateway.sign-in-timeout` | seconds | 10 |
/// | `gateway.slow-reader-bytes` | bytes | 262144 |
/// | `gateway.slow-reader-timeout` | seconds | 30 |
/// | `gateway.same-device` | `allow`, `replace`, `refuse` | `allow` |
/// | `gateway.sessions-per-user` | count | 16 |
/// | `gateway.connections-per-address` | count, loopback is free | 512 |
/// | `gateway.commands-per-second` | per session | 50 |
/// | `gateway.sends-per-second` | per user | 20 |
/// | `gateway.proxy-protocol` | flag: trusted proxies begin with a PROXY header; needs `api.trusted-proxies` | false |
/// | `gateway.drain-notice` | seconds | 0 |
/// | `gateway.drain` | seconds | 2 |
package struct GatewayConfiguration: Sendable {
    package var host = "127.0.0.1"
    /// 0 takes a free port.
    package var port = 8080
    package var loops = 2
    package var heartbeat = Duration.seconds(25)
    package var signInTimeout = Duration.seconds(10)
    /// Bytes that may wait for one session's socket before live delivery to it stops.
    package var slowReaderBytes = 256 * 1024
    package var slowReaderTimeout = Duration.seconds(30)
    package var sameDevice = SameDevice.allow
    package var sessionsPerUser = 16
    package var connectionsPerAddress = 512
    package var commands = RateRule(perSecond: 50, burst: 200)
    package var sends = RateRule(perSecond: 20, burst: 60)
    package var isRateLimited = true
    /// Who may say whom a connection comes from: those of `api.trusted-proxies`.
    package var trustedProxies: [AddressRange] = []
    /// Connections of trusted proxies must begin with a header of the PROXY protocol, and no others may.
    package var proxyProtocol = false
    /// False on a node that has other roles: there `/ws` is a path like any other, and dialects have no ports.
    package var takesSessions = true
    /// As `proxyProtocol`, for the ports of dialects on bare TCP (`clusterchat.proxy-protocol`).
    package var streamProxyProtocol = false
    /// How long, at a stop, the port stays open for balancers to notice that the node is not ready any more; sessions are not told to go before.
    package var drainNotice = Duration.zero
    /// How long sessions have, at a stop, to go elsewhere before they are closed.
    package var drain = Duration.seconds(2)

    package init() {}

    // Bounds that are the program's own.
    /// Dialects that a server may speak.
    static let dialects = 64
    /// Messages that may wait for their turn in a paced session; past it live delivery stops until they are written.
    static let pacedMessages = 64
    /// Sends of one session that wait for the log; past it the socket is not read.
    static let sendsInFlight = 256
    /// Other commands of one session at work; past it the socket is not read.
    static let commandsInFlight = 8
    /// Commands of all sessions at work; past it they are refused. All that a node's sessions ask for when they come back at once should fit.
    static let commandsInAll = 32_768
    /// Refused sign-ins before the connection is closed.
    static let signInTries = 5
    /// Rooms that one session may be in.
    static let roomsPerSession = 32
    /// Conversations that may be held for one session that reads too slowly or does not sync.
    static let heldConversations = 4096
    /// Own sends in one conversation that may be noted for a session that does not sync.
    static let heldSends = 4096
    /// Events read at once to catch up.
    static let catchUpPage = 200
    /// Events read at once to fill a gap; the rest follows.
    static let fillEvents = 2000
    /// Events read at once where it is not known how many are missing: mostly none.
    static let recentPage = 16
    /// Topics, and conversations, compared with the log at once.
    static let topicsAtOnce = 200
    static let comparedAtOnce = 1000
    /// Answered sends that a session remembers where a bus may bring its own events back.
    static let ownAnswers = 32
}
