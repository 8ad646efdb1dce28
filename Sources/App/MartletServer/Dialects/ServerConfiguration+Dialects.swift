import MartletAPI
import MartletAccounts
import MartletCore
import MartletGateway
import MartletWire

/// The older protocols that the server speaks besides its own. All of them are off until they are asked for.
///
/// | key | type | default |
/// | --- | --- | --- |
/// | `gowebsocket.enabled` | flag: `/acc`, the calls of that family and its page | false; `demo` true |
/// | `gowebsocket.rooms` | list of apps whose world rooms may be entered, which are apps of this server then | 101, 102, 103, 104 |
/// | `gowebsocket.open` | flag: its calls need neither a key nor a token, and speak for guests | false; `demo` true |
/// | `clusterchat.port` | list of ports, one for each numbering; 0 takes a free one | none; `demo` 6000 and 6002 |
/// | `clusterchat.numbering` | list of `seed` and `course`, in the order of the ports | `seed` for all |
/// | `clusterchat.app` | the app of its users | the first of `accounts.apps` |
/// | `clusterchat.pace` | milliseconds between two messages to one client, 0 to 1000 | 5 |
/// | `clusterchat.sign-in-timeout` | seconds without a login | 600 |
/// | `clusterchat.proxy-protocol` | flag: as `gateway.proxy-protocol`, for these ports | false |
package struct DialectsConfiguration: Sendable {
    package struct GoWebSocket: Sendable {
        package var isEnabled = false
        package var rooms: [AppID] = (101...104).map { AppID(unchecked: $0) }
        package var isOpen = false
    }

    package struct ClusterChat: Sendable {
        /// Where each numbering is spoken.
        package var ports: [(port: Int, numbering: ClusterChatNumbering)] = []
        /// Nobody asked for these ports: a demo has them where they are free.
        package var takesAnyPort = false
        package var app = AppID(unchecked: 1)
        package var pace = Duration.milliseconds(5)
        package var signInTimeout = Duration.seconds(600)
    }

    package var goWebSocket = GoWebSocket()
    package var clusterChat = ClusterChat()

    package init() {}
}

extension ServerConfiguration {
    mutating func readDialects(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        var goWebSocket = dialects.goWebSocket
        goWebSocket.isEnabled = try await reader.flag("gowebsocket.enabled", default: isDemo)
        goWebSocket.rooms = try await reader.list(
            "gowebsocket.rooms", default: goWebSocket.rooms.map { String($0.value) }, "an app's number"
        ) { Int64($0).flatMap { AppID($0) } }
        goWebSocket.isOpen = try await reader.flag("gowebsocket.open", default: isDemo)
        if goWebSocket.isEnabled {
            guard !goWebSocket.rooms.isEmpty else {
                throw ConfigurationReader.wrong("gowebsocket.rooms", "at least one app is expected")
            }
            accounts.apps += goWebSocket.rooms.filter { !accounts.apps.contains($0) }
        }
        dialects.goWebSocket = goWebSocket
        if goWebSocket.isEnabled, goWebSocket.isOpen, !Self.isLoopback(gateway.host) {
            warnings.append("gowebsocket.open: whoever reaches \(gateway.host) may speak for any guest")
        }
        try await readClusterChat(&reader)
    }

    private static let clusterChatPorts = 16

    private mutating func readClusterChat(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        var clusterChat = dialects.clusterChat
        // A server on a free port is one of several on a machine.
        let demoPorts = gateway.port == 0 ? [0, 0] : [6000, 6002]
        let ports = try await reader.list(
            "clusterchat.port", default: isDemo ? demoPorts.map { String($0) } : [], "a port"
        ) { text in
            Int(text).flatMap { (0...65_535).contains($0) ? $0 : nil }
        }
        guard ports.count <= Self.clusterChatPorts else {
            throw ConfigurationReader.wrong(
                "clusterchat.port", "at most \(Self.clusterChatPorts) ports are expected")
        }
        clusterChat.takesAnyPort = isDemo && ports == demoPorts
        let both = ClusterChatNumbering.allCases
        let numberings = try await reader.list(
            "clusterchat.numbering", default: isDemo && ports.count == both.count ? both.map(\.rawValue) : [],
            "one of \(both.map(\.rawValue).joined(separator: ", "))"
        ) { ClusterChatNumbering(rawValue: $0) }
        guard numberings.isEmpty || numberings.count == ports.count else {
            throw ConfigurationReader.wrong(
                "clusterchat.numbering", "one for each port is expected: \(ports.count), not \(numberings.count)")
        }
        clusterChat.ports = ports.enumerated().map { ($1, numberings.isEmpty ? .seed : numberings[$0]) }
        let app = try await reader.integer(
            "clusterchat.app", 1...Int(Int32.max), default: Int(firstApp.value))
        clusterChat.app = AppID(unchecked: Int64(app))
        guard ports.isEmpty || accounts.apps.contains(clusterChat.app) else {
            throw ConfigurationReader.wrong("clusterchat.app", "it is none of accounts.apps")
        }
        let pace = try await reader.integer(
            "clusterchat.pace", 0...1000, default: Int(clusterChat.pace.milliseconds))
        clusterChat.pace = .milliseconds(pace)
        clusterChat.signInTimeout = try await reader.seconds(
            "clusterchat.sign-in-timeout", 1...86_400, default: clusterChat.signInTimeout)
        gateway.streamProxyProtocol = try await reader.flag("clusterchat.proxy-protocol", default: false)
        guard !gateway.streamProxyProtocol || !api.trustedProxies.isEmpty else {
            throw ConfigurationReader.wrong(
                "clusterchat.proxy-protocol", "api.trusted-proxies has to say who the proxies are")
        }
        dialects.clusterChat = clusterChat
        if !ports.isEmpty, !Self.isLoopback(gateway.host) {
            warnings.append(
                "clusterchat.port: passwords and messages go in plain text over TCP; keep \(gateway.host) behind a proxy that ends TLS"
            )
        }
    }
}
