import MartletRedis
import Testing

@Suite struct RendezvousTests {
    private let servers = ["a:6379/0", "b:6379/0", "c:6379/0"]
    private let keys = (1...3000).map { "u:\($0)" }

    @Test func `Keys are spread evenly`() {
        let rendezvous = Rendezvous(servers)
        var counts = [0, 0, 0]
        for key in keys { counts[rendezvous.owner(of: key, present: [true, true, true])] += 1 }
        #expect(counts.allSatisfy { $0 > 800 && $0 < 1200 })
    }

    @Test func `Only the keys of a server that goes move, and they come back`() {
        let rendezvous = Rendezvous(servers)
        for key in keys {
            let before = rendezvous.owner(of: key, present: [true, true, true])
            let without = rendezvous.owner(of: key, present: [true, false, true])
            #expect(before == 1 ? without != 1 : without == before)
        }
    }

    @Test func `The order of the configuration does not matter, nor does the process`() {
        let other = Rendezvous(servers.reversed())
        let rendezvous = Rendezvous(servers)
        for key in keys.prefix(200) {
            let one = rendezvous.owner(of: key, present: [true, true, true])
            #expect(other.owner(of: key, present: [true, true, true]) == 2 - one)
        }
        let fixed = keys.prefix(8).map { rendezvous.owner(of: $0, present: [true, true, true]) }
        #expect(fixed == [1, 2, 2, 1, 0, 2, 0, 0])
    }

    @Test func `Without any server each key keeps its own`() {
        let rendezvous = Rendezvous(servers)
        for key in keys.prefix(100) {
            let all = rendezvous.owner(of: key, present: [true, true, true])
            #expect(rendezvous.owner(of: key, present: [false, false, false]) == all)
        }
    }
}
