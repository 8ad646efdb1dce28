import DequeModule
import NIOCore

/// What one connection to Redis knows: how far its greeting is, and who waits for which reply. Redis answers in the order
/// of the commands. Pure: times come in, actions come out. A ticket stands for whoever waits.
package struct RedisConnectionStateMachine<Ticket: Sendable>: ~Copyable {
    package struct Times: Sendable {
        /// With something unanswered, silence of this length ends the connection; the greeting has as long, too.
        package var patience: TimeAmount = .seconds(2)
        /// After so much silence with nothing unanswered the server is asked whether it is there.
        package var probeAfter: TimeAmount = .seconds(1)

        package init() {}
    }

    package enum ReceiveAction {
        case none
        /// The greeting is over: commands may be sent.
        case ready
        /// The reply to a command.
        case answer(Ticket?, RESPValue)
        case push([RESPValue])
        case close(RedisFailure)
    }

    package struct TickAction {
        package enum Then: Equatable {
            case nothing, probe
            case close(RedisFailure)
        }

        /// Their time is over; the replies are dropped when they come.
        package var expired: [Ticket] = []
        package var then: Then = .nothing
    }

    private enum State {
        case greeting(replies: Int, since: NIODeadline)
        case ready
        case closed
    }

    private struct Waiting {
        var ticket: Ticket?
        /// Nobody ever waited for the reply.
        let isPosted: Bool
        var replies: Int
        let bytes: Int
        let deadline: NIODeadline
        let sent: NIODeadline
    }

    private let times: Times
    private var state: State
    private var waiting: Deque<Waiting> = []
    private var tickets = 0
    /// What was sent and has no reply yet.
    package private(set) var unanswered = (commands: 0, bytes: 0)
    private var heard: NIODeadline

    /// `greeting`: commands sent with the connection's first bytes; the first is HELLO.
    package init(_ times: Times = Times(), greeting: Int, now: NIODeadline) {
        self.times = times
        state = .greeting(replies: greeting, since: now)
        heard = now
    }

    /// Notes commands that are being sent. Each brings a reply; only the last one's matters to the ticket.
    package mutating func sent(
        _ ticket: Ticket?, replies: Int, bytes: Int, deadline: NIODeadline, now: NIODeadline
    ) {
        if ticket != nil { tickets += 1 }
        unanswered.commands += replies
        unanswered.bytes += bytes
        waiting.append(
            Waiting(
                ticket: ticket, isPosted: ticket == nil, replies: replies, bytes: bytes, deadline: deadline, sent: now))
    }

    package mutating func received(_ value: RESPValue, now: NIODeadline) -> ReceiveAction {
        heard = now
        if case .push(let elements) = value { return .push(elements) }
        switch state {
        case .greeting(let replies, let since): return greeted(value, replies, since)
        case .ready: return answered(value)
        case .closed: return .none
        }
    }

    private mutating func greeted(_ value: RESPValue, _ replies: Int, _ since: NIODeadline) -> ReceiveAction {
        if let failure = Self.failure(of: value) {
            state = .closed
            return .close(failure)
        }
        guard replies <= 1 else {
            state = .greeting(replies: replies - 1, since: since)
            return .none
        }
        state = .ready
        return .ready
    }

    private mutating func answered(_ value: RESPValue) -> ReceiveAction {
        guard !waiting.isEmpty else {
            state = .closed
            return .close(.unfit("sent an answer to nothing"))
        }
        waiting[0].replies -= 1
        unanswered.commands -= 1
        if waiting[0].replies > 0 {
            // In the middle of several only a refusal is worth telling.
            guard case .error = value else { return .none }
            return .answer(nil, value)
        }
        let first = waiting.removeFirst()
        if first.ticket != nil { tickets -= 1 }
        unanswered.bytes -= first.bytes
        return .answer(first.ticket, value)
    }

    package mutating func tick(now: NIODeadline) -> TickAction {
        var action = TickAction()
        switch state {
        case .closed: return action
        case .greeting(_, let since):
            if now - since >= times.patience { action.then = .close(.silent) }
        case .ready:
            if tickets > 0 {
                for index in waiting.indices where now >= waiting[index].deadline {
                    guard let ticket = waiting[index].ticket else { continue }
                    waiting[index].ticket = nil
                    tickets -= 1
                    action.expired.append(ticket)
                }
            }
            if let oldest = waiting.first {
                if now - max(heard, oldest.sent) >= times.patience { action.then = .close(.silent) }
            } else if now - heard >= times.probeAfter {
                action.then = .probe
            }
        }
        if case .close = action.then { state = .closed }
        return action
    }

    /// The connection is gone: everybody who still waits, and how many commands that nobody waited for went unanswered.
    package mutating func closed() -> (tickets: [Ticket], commands: Int) {
        state = .closed
        let left = waiting
        let commands = left.reduce(0) { $0 + ($1.isPosted ? $1.replies : 0) }
        waiting = []
        tickets = 0
        unanswered = (0, 0)
        return (left.compactMap(\.ticket), commands)
    }

    package var isReady: Bool {
        if case .ready = state { return true }
        return false
    }

    /// What a reply to the greeting says against the server; nil where all is well.
    private static func failure(of reply: RESPValue) -> RedisFailure? {
        if case .error(let text) = reply {
            if text.hasPrefix("WRONGPASS") || text.hasPrefix("NOAUTH") { return .wrongPassword }
            if text.hasPrefix("NOPERM") { return .forbidden(String(text.prefix(120))) }
            if text.hasPrefix("ERR unknown command") || text.hasPrefix("NOPROTO") { return .tooOld(version: "below 6") }
            return .unfit("refuses the greeting: \(text.prefix(120))")
        }
        guard case .map = reply else { return nil }
        guard let version = reply["version"]?.text, let major = Int(version.prefix { $0 != "." }) else {
            return .unfit("does not tell its version")
        }
        if major < 7 { return .tooOld(version: String(version.prefix(20))) }
        if reply["mode"]?.text == "cluster" {
            return .unfit("is a member of a Redis Cluster; name servers that are on their own")
        }
        if let role = reply["role"]?.text, role != "master" { return .unfit("is a \(role.prefix(20)), not a master") }
        return nil
    }
}
