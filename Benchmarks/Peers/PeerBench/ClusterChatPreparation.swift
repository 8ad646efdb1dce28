import MartletBench

/// What has to be there before clients come in: users, and for a room a new group with all of them in it. Everything
/// goes through the protocol itself, which tells a group's number in a sign-in's answer of 1,023 bytes: users who are in
/// many groups already may not see it.
struct ClusterChatPreparation {
    /// Passwords are hashed with much work: more at once would not be faster.
    private static let atOnce = 4

    private let plan: PeerPlan
    private let requests: ClusterChatRequests
    /// Between a request without an answer and what relies on it.
    private let pause: Duration

    init(_ plan: PeerPlan, pause: Duration = .milliseconds(250)) {
        self.plan = plan
        self.pause = pause
        requests = ClusterChatRequests(numbering: plan.numbering)
    }

    /// The plan with users of its own where it had none, and with its group.
    func prepared() async throws -> PeerPlan {
        var plan = plan
        if plan.users.isEmpty { plan.users = try await register() }
        guard plan.users.count >= plan.connections else {
            throw BenchFailure("\(plan.connections) connections need as many users")
        }
        guard plan.load == .room else { return plan }
        let group = try await createGroup(by: plan.users[0])
        _ = try await forEach(plan.users[1..<plan.connections]) { try await join(group, $0) }
        plan.group = group
        return plan
    }

    private var runName: String { "b" + String(plan.run, radix: 16) }

    private func register() async throws -> [ClusterChatUser] {
        try await forEach(0..<plan.connections) { number in
            let name = "\(runName).\(number)"
            let password = "bench-\(runName)"
            let answer = try await ClusterChatClient.connected(port: plan.port) { client in
                try await client.ask(
                    requests.register(name: name, password: password), plan.numbering.registerAnswer)
            }
            guard answer.errno == 0, let id = answer.id else {
                throw BenchFailure("\(name) was not registered: \(answer.refusal)")
            }
            return ClusterChatUser(id: id, password: password)
        }
    }

    /// A group's number is told at the next sign-in only. A server may still be at work on the request then, or on the
    /// sign-out: it is asked a few times.
    private func createGroup(by owner: ClusterChatUser) async throws -> Int64 {
        try await ClusterChatClient.connected(port: plan.port) { client in
            let first = try await client.ask(requests.login(owner), ClusterChatNumbers.loginAnswer)
            guard first.errno == 0 else { throw BenchFailure("\(owner.id) can't sign in: \(first.refusal)") }
            try await client.say(requests.createGroup(by: owner.id, name: runName))
            var said = "no group of that name"
            for _ in 0..<8 {
                try await Task.sleep(for: pause)
                try await client.say(requests.logout(owner.id))
                try await Task.sleep(for: pause)
                let answer = try await client.ask(requests.login(owner), ClusterChatNumbers.loginAnswer)
                guard answer.errno == 0 else {
                    said = answer.refusal
                    continue
                }
                guard let group = answer.group(runName) else { continue }
                try await client.say(requests.logout(owner.id))
                try await Task.sleep(for: pause)
                return group
            }
            throw BenchFailure("the group was not made: \(said)")
        }
    }

    private func join(_ group: Int64, _ user: ClusterChatUser) async throws {
        try await ClusterChatClient.connected(port: plan.port) { client in
            let answer = try await client.ask(requests.login(user), ClusterChatNumbers.loginAnswer)
            guard answer.errno == 0 else { throw BenchFailure("\(user.id) can't sign in: \(answer.refusal)") }
            try await client.say(requests.join(group, by: user.id))
            try await Task.sleep(for: pause)
            try await client.say(requests.logout(user.id))
            try await Task.sleep(for: pause)
        }
    }

    /// Does `work` for all, a few at a time; returns what came of it, in order.
    private func forEach<Items: RandomAccessCollection & Sendable, Value: Sendable>(
        _ items: Items, _ work: @escaping @Sendable (Items.Element) async throws -> Value
    ) async throws -> [Value] where Items.Element: Sendable, Items.Index: Sendable {
        try await withThrowingTaskGroup(of: (Int, Value).self) { group in
            var waiting = items.enumerated().makeIterator()
            var values: [Int: Value] = [:]
            func begin() {
                guard let (number, item) = waiting.next() else { return }
                group.addTask { (number, try await work(item)) }
            }
            for _ in 0..<Self.atOnce { begin() }
            while let (number, value) = try await group.next() {
                values[number] = value
                begin()
            }
            return (0..<items.count).compactMap { values[$0] }
        }
    }
}
