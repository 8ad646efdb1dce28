import MartletBench
import NIOCore

/// clusterchat: JSON and a NUL over TCP, without answers to messages.
struct ClusterChatPeer: PeerDialect {
    static let answers = false

    private let requests: ClusterChatRequests
    private let user: ClusterChatUser
    private let partner: Int64
    private let group: Int64?
    private let text: [UInt8]
    /// Known once signed in, since it says the name.
    private var message: MarkedBytes?
    private var finder = MarkFinder()

    init(_ number: Int, _ plan: PeerPlan) {
        requests = ClusterChatRequests(numbering: plan.numbering)
        user = plan.users[number]
        partner = plan.load == .pairs ? plan.users[number ^ 1].id : 0
        group = plan.load == .room ? plan.group : nil
        text = plan.text(of: number)
    }

    mutating func begin(_ out: inout ByteBuffer) { out.writeBytes(requests.login(user)) }

    mutating func publish(_ counter: UInt32, due: UInt64, into out: inout ByteBuffer) {
        message?.fill(counter, due: due)
        if let message { out.writeBytes(message.bytes) }
    }

    mutating func next(_ bytes: inout ByteBuffer, _ out: inout ByteBuffer) throws -> PeerEvent? {
        guard let item = try bytes.readClusterChatMessage() else { return nil }
        if message != nil { return finder.find(item.readableBytesUInt8Span).map(PeerEvent.message) ?? .other }
        let answer = try ClusterChatAnswer(item)
        guard answer.msgid == ClusterChatNumbers.loginAnswer else { return .other }
        guard answer.errno == 0 else { throw BenchFailure("signing in was refused with \(answer.refusal)") }
        // An answer has room for some groups only: which they are says nothing.
        if group != nil, (answer.groups ?? []).isEmpty { throw BenchFailure("\(user.id) is in no group") }
        let name = answer.name ?? ""
        message =
            group.map { requests.chat(in: $0, by: user.id, name: name, text: text) }
            ?? requests.chat(to: partner, by: user.id, name: name, text: text)
        return .ready
    }
}
