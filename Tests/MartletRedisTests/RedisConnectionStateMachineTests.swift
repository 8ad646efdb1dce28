import MartletRedis
import NIOCore
import Testing

@Suite struct RedisConnectionStateMachineTests {
    private typealias Machine = RedisConnectionStateMachine<Int>
    private static let hello: RESPValue = .map([
        .text("version"), .text("7.0.15"), .text("mode"), .text("standalone"), .text("role"), .text("master"),
    ])

    private func at(_ milliseconds: Int64) -> NIODeadline {
        .uptimeNanoseconds(UInt64(1_000_000_000 + milliseconds * 1_000_000))
    }

    private func failure(_ reply: RESPValue) -> RedisFailure? {
        var machine = Machine(greeting: 1, now: at(0))
        if case .close(let failure) = machine.received(reply, now: at(1)) { return failure }
        return nil
    }

    @Test func `It is ready once the whole greeting is answered`() {
        var machine = Machine(greeting: 2, now: at(0))
        _ = machine.received(Self.hello, now: at(1))
        let before = machine.isReady
        _ = machine.received(.text("OK"), now: at(2))
        let after = machine.isReady
        #expect(!before)
        #expect(after)
    }

    @Test func `A server that can't be used is told by its kind`() {
        #expect(failure(.error("WRONGPASS no")) == .wrongPassword)
        #expect(failure(.error("NOAUTH HELLO must be called")) == .wrongPassword)
        #expect(failure(.error("NOPERM no spublish")) == .forbidden("NOPERM no spublish"))
        #expect(failure(.error("ERR unknown command 'HELLO'")) == .tooOld(version: "below 6"))
        #expect(failure(.map([.text("version"), .text("6.2.1")])) == .tooOld(version: "6.2.1"))
        #expect(failure(.map([.text("version"), .text("10.0.0")])) == nil)
        let cluster = failure(.map([.text("version"), .text("7.0.0"), .text("mode"), .text("cluster")]))
        let replica = failure(.map([.text("version"), .text("7.0.0"), .text("role"), .text("replica")]))
        #expect(cluster?.isLasting == true)
        #expect(replica?.isLasting == true)
    }

    private func ready() -> Machine {
        var machine = Machine(greeting: 1, now: at(0))
        _ = machine.received(Self.hello, now: at(0))
        return machine
    }

    @Test func `Replies go to the tickets in their order, pushes to nobody`() {
        var machine = ready()
        machine.sent(1, replies: 1, bytes: 10, deadline: .distantFuture, now: at(0))
        machine.sent(2, replies: 3, bytes: 20, deadline: .distantFuture, now: at(0))
        var answered: [Int] = []
        var pushes = 0
        for value: RESPValue in [.push([.text("x")]), .integer(1), .integer(1), .push([]), .integer(1), .integer(1)] {
            switch machine.received(value, now: at(1)) {
            case .answer(let ticket?, _): answered.append(ticket)
            case .push: pushes += 1
            default: break
            }
        }
        let left = machine.unanswered
        #expect(answered == [1, 2])
        #expect(pushes == 2)
        #expect(left.commands == 0 && left.bytes == 0)
    }

    @Test func `An answer to nothing ends the connection`() {
        var machine = ready()
        var isClosed = false
        if case .close = machine.received(.integer(1), now: at(1)) { isClosed = true }
        #expect(isClosed)
    }

    @Test func `A deadline passes for its ticket alone, and its late reply is dropped`() {
        var machine = ready()
        machine.sent(1, replies: 1, bytes: 1, deadline: at(250), now: at(0))
        machine.sent(2, replies: 1, bytes: 1, deadline: at(900), now: at(0))
        let early = machine.tick(now: at(200)).expired
        let expired = machine.tick(now: at(250)).expired
        var answered: [Int?] = []
        for _ in 0..<2 {
            if case .answer(let ticket, _) = machine.received(.null, now: at(300)) { answered.append(ticket) }
        }
        #expect(early.isEmpty)
        #expect(expired == [1])
        #expect(answered == [nil, 2])
    }

    @Test func `Silence with something unanswered ends the connection, silence without is asked`() {
        var machine = ready()
        let idle = machine.tick(now: at(1000)).then
        machine.sent(nil, replies: 1, bytes: 1, deadline: .distantFuture, now: at(1000))
        let patient = machine.tick(now: at(2900)).then
        let over = machine.tick(now: at(3000)).then
        #expect(idle == .probe)
        #expect(patient == .nothing)
        #expect(over == .close(.silent))
    }

    @Test func `The end tells everybody who waits`() {
        var machine = ready()
        machine.sent(1, replies: 1, bytes: 1, deadline: .distantFuture, now: at(0))
        machine.sent(nil, replies: 5, bytes: 1, deadline: .distantFuture, now: at(0))
        let (tickets, commands) = machine.closed()
        #expect(tickets == [1])
        #expect(commands == 5)
    }

    @Test func `What somebody waited for in vain is not among what was lost`() {
        var machine = ready()
        machine.sent(1, replies: 2, bytes: 1, deadline: at(100), now: at(0))
        machine.sent(nil, replies: 3, bytes: 1, deadline: .distantFuture, now: at(0))
        machine.sent(2, replies: 1, bytes: 1, deadline: .distantFuture, now: at(0))
        let expired = machine.tick(now: at(100)).expired
        for _ in 0..<3 { _ = machine.received(.integer(1), now: at(200)) }
        let (tickets, commands) = machine.closed()
        #expect(expired == [1])
        #expect(tickets == [2])
        #expect(commands == 2)
    }
}
