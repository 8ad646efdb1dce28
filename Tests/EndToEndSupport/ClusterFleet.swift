import Foundation
import MartletWire

/// Many clients on a cluster whose parts are killed, frozen, cut off and slowed one after the other, with a bus that loses,
/// repeats and reorders all the time; and an oracle that watches.
package final class ClusterFleet: Sendable {
    package struct Plan: Sendable {
        package var seed: UInt64
        /// How long faults go on, at least; the round that has begun is finished, and the first always is.
        package var lasts: Duration
        /// Users; half of them have two devices.
        package var people = 18
        package init(seed: UInt64, lasts: Duration) {
            self.seed = seed
            self.lasts = lasts
        }
    }

    struct State: Sendable {
        var acknowledged = 0
        /// Answers to sends that were acknowledged before.
        var repeats = 0
        var isStopping = false
        /// Devices whose sends are all answered, at the end.
        var quiet = 0
        /// The newest events, once everybody is quiet.
        var ends: [String: Int64]?
        var failures: [String] = []
        var recovery = RecoveryTimes()
        /// When the sends began of devices that are always on one node, by clientId.
        var begun: [String: ContinuousClock.Instant] = [:]
    }

    /// Where a device comes to: always to one node, or through the front.
    struct Place: Sendable {
        let user: TestUser
        let kind: String
        var node: Int?
        var isSilent = false
    }

    package struct Report: Sendable, CustomStringConvertible {
        package let breaches: [Oracle.Breach]
        /// What went wrong on the way, apart from breaches of the contract.
        package let failures: [String]
        package let faults: [ClusterFault]
        package let recovery: RecoveryTimes
        package let sent, acknowledged, retried, repeats, sessions, seen, stored: Int

        package var description: String {
            "faults \(faults.count), sent \(sent), acknowledged \(acknowledged), stored \(stored), retried "
                + "\(retried), repeats answered \(repeats), sessions \(sessions), events seen \(seen), breaches "
                + "\(breaches.count)"
        }
    }

    let cluster: ClusterHarness
    let plan: Plan
    let state = Watched(State())
    let oracle = Watched(Oracle())

    package init(_ cluster: ClusterHarness, _ plan: Plan) {
        self.cluster = cluster
        self.plan = plan
    }

    func fail(_ what: String) { state.update { $0.failures.append(what) } }

    func noteAttempt(_ clientId: String, at begun: ContinuousClock.Instant) {
        state.update { state in
            if state.begun[clientId] == nil { state.begun[clientId] = begun }
        }
    }

    func noteAcknowledgement(on node: Int, begun: ContinuousClock.Instant) {
        let now = ContinuousClock.now
        state.update { $0.recovery.acknowledged(on: node, begun: begun, at: now) }
    }

    func notePush(_ clientId: String, on node: Int) {
        let now = ContinuousClock.now
        state.update { state in
            guard let sent = state.begun[clientId] else { return }
            state.recovery.heard(on: node, begun: sent, at: now)
        }
    }

    /// Runs everything to its end. Throws what has nothing to do with the contract, as a node that does not start.
    package func run() async throws -> Report {
        let devices = try await crew()
        let faults = try await withThrowingTaskGroup(of: [ClusterFault].self) { group in
            for device in devices {
                group.addTask {
                    do { try await device.run() } catch let error where !(error is FleetFailed) {
                        self.fail("\(device.traveller.device): \(error)")
                        throw error
                    }
                    return []
                }
            }
            group.addTask { try await self.drive(devices) }
            do {
                return try await group.reduce([]) { $0 + $1 }
            } catch {
                if let failed = error as? FleetFailed {
                    for failure in failed.failures where !self.state.value.failures.contains(failure) {
                        self.fail(failure)
                    }
                }
                let failures = self.state.value.failures
                throw FleetFailed(failures: failures.isEmpty ? ["\(error)"] : failures)
            }
        }
        let final = state.value
        return oracle.update { oracle in
            Report(
                breaches: oracle.judge(), failures: final.failures, faults: faults, recovery: final.recovery,
                sent: oracle.sent, acknowledged: oracle.acknowledgedCount, retried: oracle.retried,
                repeats: final.repeats, sessions: oracle.sessionCount, seen: oracle.seen, stored: oracle.storedCount)
        }
    }

    // MARK: The end

    /// Everything is well again: lets what was begun end, and reads back what is stored.
    func finish(_ devices: [ClusterDevice]) async throws {
        state.update { $0.isStopping = true }
        try await state.wait("all sends to be answered", for: .seconds(120)) { state -> Bool? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.quiet == devices.count ? true : nil
        }
        var ends: [String: Int64] = [:]
        for device in devices {
            for conversation in device.conversations where ends[conversation] == nil {
                let events = try await cluster.rest().everything(in: conversation, by: device.traveller.user)
                ends[conversation] = events.last?.seq ?? 0
                oracle.update { $0.stored(conversation, events) }
            }
        }
        state.update { [ends] in $0.ends = ends }
    }

    func waitForAcknowledgements(_ count: Int) async throws {
        let target = state.value.acknowledged + count
        try await state.wait("\(count) acknowledgements") { state -> Bool? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.acknowledged >= target ? true : nil
        }
    }

    // MARK: The crew

    /// Groups of six, and direct conversations between neighbours. For each node a device that is always there and sends,
    /// and one that only hears what is sent to it on the other nodes.
    private func crew() async throws -> [ClusterDevice] {
        let users = try await accounts(plan.people, "user")
        let probes = try await accounts(cluster.nodes.count, "probe")
        let listeners = try await accounts(cluster.nodes.count, "listener")
        var members: [String: [TestUser]] = [:]
        for first in stride(from: 0, to: users.count, by: 6) {
            let some = Array(users[first..<min(first + 6, users.count)])
            members["g:\(try await cluster.rest().group("group \(first)", of: some))"] = some
        }
        members["g:\(try await cluster.rest().group("probes", of: probes))"] = probes
        var pairs = Array(zip(users, users.dropFirst()))
        for (node, probe) in probes.enumerated() {
            for (other, listener) in listeners.enumerated() where other != node { pairs.append((probe, listener)) }
        }
        for (one, other) in pairs {
            let conversation = one.direct(other)
            members[conversation] = [one, other]
            try await cluster.rest().succeed(
                "POST", "/api/chat/send", by: one, textMessage("hello", in: conversation))
        }
        var ends: [String: Int64] = [:]
        for (conversation, people) in members {
            ends[conversation] =
                try await cluster.rest().everything(in: conversation, by: people[0]).last?.seq ?? 0
        }
        var places = users.map { Place(user: $0, kind: "web") }
        places += users.prefix(users.count / 2).map { Place(user: $0, kind: "ios") }
        places += probes.enumerated().map { Place(user: $0.element, kind: "desktop", node: $0.offset) }
        places += listeners.enumerated().map {
            Place(user: $0.element, kind: "desktop", node: $0.offset, isSilent: true)
        }
        let devices = places.enumerated().map { index, place in
            let own = ends.filter { members[$0.key]?.contains { $0.id == place.user.id } == true }
            return ClusterDevice(self, place, cursors: own, seed: plan.seed &+ UInt64(index + 1))
        }
        for (conversation, end) in ends {
            let followers = devices.filter { $0.conversations.contains(conversation) }.map { $0.traveller.device }
            oracle.update { $0.watch(conversation, after: end, by: followers) }
        }
        return devices
    }

    private func accounts(_ count: Int, _ name: String) async throws -> [TestUser] {
        try await withThrowingTaskGroup(of: TestUser.self) { tasks in
            for number in 0..<count {
                let rest = cluster.rest(number % cluster.nodes.count)
                tasks.addTask { try await register(rest, "\(name)\(number)") }
            }
            return try await tasks.reduce(into: []) { $0.append($1) }.sorted { $0.id < $1.id }
        }
    }
}
