import MartletWire
import Testing

@Suite struct AddressRangeTests {
    private let proxies = ["127.0.0.0/8", "10.0.0.0/8", "2001:db8:ff::/48"].compactMap { AddressRange($0) }

    private func client(_ peer: String, _ hops: String?) -> String? {
        IPAddress(peer).map { proxies.client(behind: $0, forwardedFor: hops).rateName }
    }

    @Test func believesNobodyElse() {
        #expect(client("203.0.113.9", "198.51.100.1") == "203.0.113.9")
        #expect(client("127.0.0.1", nil) == "127.0.0.1")
    }

    @Test(arguments: [
        ("203.0.113.5", "203.0.113.5"), ("198.51.100.1, 203.0.113.5", "203.0.113.5"),
        ("203.0.113.5, 10.1.2.3", "203.0.113.5"), ("198.51.100.1,203.0.113.5\t,10.1.2.3, 127.0.0.9", "203.0.113.5"),
        ("203.0.113.5, 2001:db8:ff::7", "203.0.113.5"), ("10.1.2.3", "10.1.2.3"),
    ])
    func readsFromTheRightAsFarAsItBelieves(hops: String, name: String) {
        #expect(client("127.0.0.1", hops) == name)
    }

    @Test(arguments: ["nonsense", "203.0.113.5, nonsense", "203.0.113.5:80", "unknown", "203.0.113.5\0", ""])
    func stopsAtWhatIsNoAddress(hops: String) { #expect(client("127.0.0.1", hops) == "127.0.0.1") }

    @Test func stopsBehindTheLastAddressThatItCouldRead() {
        #expect(client("127.0.0.1", "203.0.113.5, nonsense, 10.1.2.3") == "10.1.2.3")
    }

    // MARK: Addresses

    @Test func takesAnAddressInsideOfAnotherForItself() throws {
        let (mapped, plain) = (try #require(IPAddress("::ffff:10.1.2.3")), try #require(IPAddress("10.1.2.3")))
        #expect(mapped == plain)
        #expect(proxies.trust(mapped))
    }

    @Test func sharesANetworkOfIPv6() throws {
        let one = try #require(IPAddress("2001:db8:1:2::1")), other = try #require(IPAddress("2001:db8:1:2:3::9"))
        let third = try #require(IPAddress("2001:db8:1:3::1"))
        #expect(one.share == other.share)
        #expect(one.share != third.share)
        #expect(one.rateName == "2001:db8:1:2::/64")
    }

    @Test(arguments: [
        ("127.0.0.1", true), ("127.9.9.9", true), ("::1", true), ("::ffff:127.0.0.1", true), ("::2", false),
        ("128.0.0.1", false), ("0.0.0.1", false),
    ])
    func knowsLoopback(text: String, isLoopback: Bool) throws {
        let address = try #require(IPAddress(text))
        #expect(address.isLoopback == isLoopback)
    }

    // MARK: Networks

    @Test(arguments: [
        ("10.0.0.0/8", "10.255.0.1", true), ("10.0.0.0/8", "11.0.0.1", false), ("192.168.1.7", "192.168.1.7", true),
        ("192.168.1.7", "192.168.1.8", false), ("fd00::/8", "fd12::1", true), ("fd00::/8", "fe80::1", false),
        ("0.0.0.0/0", "8.8.8.8", true), ("0.0.0.0/0", "::1", false), ("172.16.0.0/12", "172.31.9.9", true),
        ("172.16.0.0/12", "172.32.0.1", false),
    ])
    func knowsWhatANetworkHolds(range: String, address: String, isInside: Bool) throws {
        let range = try #require(AddressRange(range))
        let address = try #require(IPAddress(address))
        #expect(range.contains(address) == isInside)
    }

    @Test(arguments: ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "10.0.0.0/8/8", "host", "10.0.0.0/-1"])
    func refusesWhatIsNoNetwork(text: String) { #expect(AddressRange(text) == nil) }
}
