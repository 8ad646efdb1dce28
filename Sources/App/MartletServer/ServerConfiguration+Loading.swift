import Foundation
import Logging
import MartletAPI
import MartletAccounts
import MartletBus
import MartletCore
import MartletGateway
import MartletMessaging
import MartletSQL
import MartletWire

extension ServerConfiguration {
    private enum Registration: String, CaseIterable { case open, closed }

    /// Reads flags, environment (`MARTLET_…`) and file, and refuses what does not fit together.
    package static func load(
        _ flags: ConfigurationFlags, environment: [String: String] = ProcessInfo.processInfo.environment
    ) async throws(OperatorFailure) -> ServerConfiguration {
        var reader = ConfigurationReader(try await ConfigurationSources(flags, environment: environment))
        var configuration = ServerConfiguration()
        try await configuration.readServer(&reader)
        try await configuration.readCluster(&reader)
        try await configuration.readAccounts(&reader)
        try await configuration.readMessages(&reader)
        try await configuration.readGateway(&reader)
        try await configuration.readAPI(&reader)
        try await configuration.readDialects(&reader)
        try await configuration.readSecrets(&reader)
        try reader.refuseUnknownKeys()
        configuration.entries = reader.entries
        configuration.warnings += reader.unknownVariables.map { "\($0) sets nothing" }
        try configuration.settleTrials()
        try configuration.settleCluster()
        return configuration
    }

    // MARK: The parts

    private mutating func readServer(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        gateway.host = try await reader.text("host", default: gateway.host)
        guard !gateway.host.isEmpty, !gateway.host.contains("/") else {
            throw ConfigurationReader.wrong("host", "an address or a host's name is expected")
        }
        gateway.port = try await reader.integer("port", 0...65_535, default: gateway.port)
        dataFolder = try await reader.text("data", default: dataFolder)
        guard !dataFolder.isEmpty else { throw ConfigurationReader.wrong("data", "a folder is expected") }
        let database = try await reader.optionalText("database") { !$0.hasPrefix("sqlite:") }
        store = try Self.store(database, in: dataFolder)
        node = try await reader.text("node", default: Self.hostName)
        let isPlain = node.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
        guard (1...64).contains(node.utf8.count), isPlain else {
            throw ConfigurationReader.wrong("node", "1 to 64 letters, digits, dots or dashes are expected")
        }
        isDemo = try await reader.flag("demo", default: false)
        isRateLimited = !(try await reader.flag("no-rate-limits", default: false))
        publicAddress = try Self.publicAddress(try await reader.optionalText("public-url"))
        logLevel = try await reader.choice("log.level", Logger.Level.allCases, default: .info)
        retention.days = try await reader.integer("log.retention-days", 0...36_500, default: retention.days)
    }

    private mutating func readAccounts(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        let standard: Registration = accounts.isOpen ? .open : .closed
        accounts.isOpen =
            try await reader.choice("accounts.registration", Registration.allCases, default: standard) == .open
        accounts.allowsGuests = try await reader.flag("accounts.guests", default: accounts.allowsGuests)
        accessTokenLifetime = try await reader.seconds(
            "accounts.access-token-lifetime", 60...86_400, default: accessTokenLifetime)
        accounts.refreshTokenLifetime = try await reader.seconds(
            "accounts.refresh-token-lifetime", 3600...31_536_000, default: accounts.refreshTokenLifetime)
        accounts.maximumFamilies = try await reader.integer(
            "accounts.max-families-per-user", 1...1000, default: accounts.maximumFamilies)
        accounts.apps = try await reader.list(
            "accounts.apps", default: accounts.apps.map { String($0.value) }, "an app's number"
        ) { Int64($0).flatMap { AppID($0) } }
        guard !accounts.apps.isEmpty else {
            throw ConfigurationReader.wrong("accounts.apps", "at least one app is expected")
        }
        accounts.addressRate = RateRule(
            perSecond: try await reader.number(
                "accounts.sign-in-rate", 0.01...1_000_000, default: accounts.addressRate.perSecond),
            burst: try await reader.number("accounts.sign-in-burst", 1...1_000_000, default: accounts.addressRate.burst)
        )
    }

    private mutating func readMessages(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        messaging.editLimit = try await reader.seconds(
            "messages.edit-limit", 0...315_360_000, default: messaging.editLimit)
        messaging.recallLimit = try await reader.seconds(
            "messages.recall-limit", 0...315_360_000, default: messaging.recallLimit)
        messaging.namedRooms = try await reader.flag("rooms.named", default: messaging.namedRooms)
    }

    private mutating func readGateway(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        gateway.loops = try await reader.integer(
            "gateway.loops", 1...256, default: max(1, ProcessInfo.processInfo.activeProcessorCount))
        gateway.heartbeat = try await reader.seconds("gateway.heartbeat", 1...3600, default: gateway.heartbeat)
        gateway.signInTimeout = try await reader.seconds(
            "gateway.sign-in-timeout", 1...600, default: gateway.signInTimeout)
        gateway.slowReaderBytes = try await reader.integer(
            "gateway.slow-reader-bytes", 65_536...67_108_864, default: gateway.slowReaderBytes)
        gateway.slowReaderTimeout = try await reader.seconds(
            "gateway.slow-reader-timeout", 1...3600, default: gateway.slowReaderTimeout)
        gateway.sameDevice = try await reader.choice(
            "gateway.same-device", SameDevice.allCases, default: gateway.sameDevice)
        gateway.sessionsPerUser = try await reader.integer(
            "gateway.sessions-per-user", 1...10_000, default: gateway.sessionsPerUser)
        gateway.connectionsPerAddress = try await reader.integer(
            "gateway.connections-per-address", 1...1_000_000, default: gateway.connectionsPerAddress)
        gateway.commands = try await rate("gateway.commands-per-second", gateway.commands, &reader)
        gateway.sends = try await rate("gateway.sends-per-second", gateway.sends, &reader)
        messaging.sends = gateway.sends
        gateway.proxyProtocol = try await reader.flag("gateway.proxy-protocol", default: gateway.proxyProtocol)
        gateway.drainNotice = try await reader.seconds(
            "gateway.drain-notice", 0...300, default: gateway.drainNotice)
        gateway.drain = try await reader.seconds("gateway.drain", 0...300, default: gateway.drain)
    }

    private mutating func readAPI(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        api.trustedProxies = try await reader.list(
            "api.trusted-proxies", default: [], "an address or a network"
        ) { AddressRange($0) }
        gateway.trustedProxies = api.trustedProxies
        guard !gateway.proxyProtocol || !api.trustedProxies.isEmpty else {
            throw ConfigurationReader.wrong(
                "gateway.proxy-protocol", "api.trusted-proxies has to say who the proxies are")
        }
        api.corsOrigins = try await reader.list("api.cors-origins", default: [], "an origin") { Self.origin($0) }
        api.userRequests = try await rate("api.user-requests", api.userRequests, &reader)
        api.addressRequests = try await rate("api.address-requests", api.addressRequests, &reader)
    }

    private mutating func readSecrets(_ reader: inout ConfigurationReader) async throws(OperatorFailure) {
        givenSecrets.tokenKey = try await reader.optionalText("secrets.token-key", isSecret: true)
        givenSecrets.previousTokenKey = try await reader.optionalText("secrets.previous-token-key", isSecret: true)
        givenSecrets.metricsToken = try await reader.optionalText("secrets.metrics-token", isSecret: true)
    }

    /// A rate that keeps the relation of its burst to its speed.
    private func rate(
        _ key: String, _ standard: RateRule, _ reader: inout ConfigurationReader
    ) async throws(OperatorFailure) -> RateRule {
        let perSecond = try await reader.number(key, 0.01...1_000_000, default: standard.perSecond)
        return RateRule(perSecond: perSecond, burst: max(1, perSecond * standard.burst / standard.perSecond))
    }

    // MARK: What fits together

    /// What makes a server open is for the machine that it runs on.
    private mutating func settleTrials() throws(OperatorFailure) {
        gateway.isRateLimited = isRateLimited
        if !Self.isLoopback(gateway.host) {
            for (key, isOn) in [("demo", isDemo), ("no-rate-limits", !isRateLimited)] where isOn {
                throw OperatorFailure(.configuration, "\(key) is for loopback only, and host is \(gateway.host)")
            }
        }
        if isDemo { accounts.allowsGuests = true }
    }

    static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127" && parts.allSatisfy { UInt8($0) != nil }
    }

    static func store(_ text: String?, in folder: String) throws(OperatorFailure) -> StoreLocation {
        let standard = DataFolder.databasePath(in: folder)
        guard let text, !text.isEmpty else { return .sqlite(standard) }
        if text.hasPrefix("postgres://") || text.hasPrefix("postgresql://") {
            do throws(Fault) { _ = try PostgresURL(text) } catch {
                throw ConfigurationReader.wrong("database", error.message)
            }
            return .postgres(text)
        }
        guard text.hasPrefix("sqlite:") else {
            let scheme = text.prefix { $0 != ":" }.prefix(16)
            throw ConfigurationReader.wrong(
                "database", "sqlite:, sqlite:PATH or postgres://… is expected; \(scheme): is no store")
        }
        let path = text.dropFirst("sqlite:".count)
        guard !path.hasPrefix("//") || path.hasPrefix("///") else {
            throw ConfigurationReader.wrong("database", "sqlite:PATH has no host")
        }
        return .sqlite(path.isEmpty ? standard : String(path.hasPrefix("///") ? path.dropFirst(2) : path))
    }

    private static func publicAddress(_ text: String?) throws(OperatorFailure) -> NodeAddress? {
        guard let text else { return nil }
        guard let url = URLComponents(string: text), let host = url.host, !host.isEmpty,
            url.path.isEmpty || url.path == "/",
            url.query == nil, let scheme = url.scheme, ["http", "https"].contains(scheme)
        else { throw ConfigurationReader.wrong("public-url", "a URL such as https://chat.example.org is expected") }
        let isSecure = scheme == "https"
        let plain = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        return NodeAddress(host: plain, port: url.port ?? (isSecure ? 443 : 80), isSecure: isSecure)
    }

    private static func origin(_ text: String) -> String? {
        if text == "*" { return text }
        guard let url = URLComponents(string: text), url.scheme != nil, url.host?.isEmpty == false, url.path.isEmpty,
            url.query == nil, url.fragment == nil
        else { return nil }
        return text
    }

    private static var hostName: String {
        let name = ProcessInfo.processInfo.hostName
        return name.isEmpty ? "martlet" : String(name.prefix(64))
    }
}
