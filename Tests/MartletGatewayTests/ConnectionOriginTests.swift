import MartletWire
import Testing

@testable import MartletGateway

@Suite struct ConnectionOriginTests {
    private static let request = "GET /ws HTTP/1.1\r\n"
    private static let header = "PROXY TCP4 203.0.113.5 10.0.0.1 1 2\r\n"

    private let off: GatewayConfiguration
    private let on: GatewayConfiguration

    init() {
        var configuration = GatewayConfiguration()
        configuration.trustedProxies = ["10.0.0.0/8"].compactMap { AddressRange($0) }
        off = configuration
        configuration.proxyProtocol = true
        on = configuration
    }

    private func origin(_ peer: String, _ configuration: GatewayConfiguration) -> ConnectionOrigin {
        ConnectionOrigin(peer: IPAddress(peer), configuration, proxyProtocol: configuration.proxyProtocol)
    }

    private func step(_ origin: inout ConnectionOrigin, _ text: String) -> ConnectionOrigin.Step {
        let bytes = Array(text.utf8)
        return origin.read(bytes.span)
    }

    @Test func looksForNoHeaderWhereItIsOff() {
        var proxy = origin("10.0.0.1", off)
        let step = step(&proxy, Self.header)
        #expect(step == .proceed(headerBytes: 0))
        #expect(proxy.client == IPAddress("10.0.0.1"))
    }

    @Test func takesATrustedProxysHeader() {
        var proxy = origin("10.0.0.1", on)
        let early = step(&proxy, "PROXY TCP4 203"), whole = step(&proxy, Self.header + Self.request)
        #expect(early == .wait)
        #expect(whole == .proceed(headerBytes: Self.header.utf8.count))
        #expect(proxy.client == IPAddress("203.0.113.5"))
        #expect(proxy.isClaimed)
    }

    @Test func takesOneHeaderOnly() {
        var proxy = origin("10.0.0.1", on)
        _ = step(&proxy, Self.header)
        let second = step(&proxy, "PROXY TCP4 198.51.100.1 10.0.0.1 1 2\r\n")
        #expect(second == .proceed(headerBytes: 0))
        #expect(proxy.client == IPAddress("203.0.113.5"))
    }

    @Test func doesNotGuessWhetherATrustedProxySendsAHeader() {
        var proxy = origin("10.0.0.1", on)
        let step = step(&proxy, Self.request)
        #expect(step == .refuse(.missing))
    }

    @Test func keepsTheProxyWhereItSpeaksForItself() {
        var proxy = origin("10.0.0.1", on)
        let step = step(&proxy, "PROXY UNKNOWN\r\n")
        #expect(step == .proceed(headerBytes: 15))
        #expect(proxy.client == IPAddress("10.0.0.1"))
        #expect(!proxy.isClaimed)
    }

    @Test func closesAStrangerWithAHeader() {
        var stranger = origin("203.0.113.9", on)
        let early = step(&stranger, "P"), whole = step(&stranger, Self.header)
        #expect(early == .wait)
        #expect(whole == .refuse(.unexpected))
        #expect(stranger.client == IPAddress("203.0.113.9"))
    }

    @Test func servesAStrangerWithoutAHeader() {
        var stranger = origin("203.0.113.9", on)
        let step = step(&stranger, Self.request)
        #expect(step == .proceed(headerBytes: 0))
    }

    @Test func readsForwardingBehindAHeader() {
        var chain = origin("10.0.0.1", on)
        _ = step(&chain, "PROXY TCP4 10.7.7.7 10.0.0.1 1 2\r\n")
        chain.upgraded(forwardedFor: "198.51.100.1, 203.0.113.5", on)
        #expect(chain.client == IPAddress("203.0.113.5"))
    }

    @Test func doesNotBelieveAStrangersForwarding() {
        var chain = origin("10.0.0.1", on)
        _ = step(&chain, Self.header)
        chain.upgraded(forwardedFor: "198.51.100.1", on)
        #expect(chain.client == IPAddress("203.0.113.5"))
    }
}

@Suite struct ConnectionCountsTests {
    private let counts = ConnectionCounts(limit: 2, proxies: ["10.0.0.0/8"].compactMap { AddressRange($0) })

    private func admitted(_ address: String, _ tries: Int = 4) -> Int {
        (0..<tries).count { _ in counts.admit(IPAddress(address)) }
    }

    @Test func boundsEachAddress() {
        #expect(admitted("203.0.113.5") == 2)
        #expect(admitted("203.0.113.6") == 2)
    }

    @Test func countsOut() {
        _ = admitted("203.0.113.5")
        counts.release(IPAddress("203.0.113.5"))
        #expect(admitted("203.0.113.5") == 1)
    }

    @Test func countsANetworkOfIPv6AsOne() {
        #expect(admitted("2001:db8:1:2::1", 1) + admitted("2001:db8:1:2::2", 1) + admitted("2001:db8:1:2::3", 1) == 2)
        #expect(admitted("2001:db8:1:3::1") == 2)
    }

    @Test func isFreeForLoopbackAndProxies() {
        #expect(admitted("127.0.0.1") == 4)
        #expect(admitted("::1") == 4)
        #expect(admitted("10.3.2.1") == 4)
        let withoutAddress = counts.admit(nil)
        #expect(withoutAddress)
    }

    @Test func isOffWithoutALimit() {
        let off = ConnectionCounts(limit: nil, proxies: [])
        let all = (0..<9).count { _ in off.admit(IPAddress("203.0.113.5")) }
        #expect(all == 9)
    }
}
