import MartletWire

/// Many clients that send all the time, a server that is stopped under them again and again, and an oracle that
/// watches. How it goes is decided by the plan's seed and by what is acknowledged, never by time.
package final class Fleet: Sendable {
    package struct Plan: Sendable {
        package var seed: UInt64
        /// How often the server is stopped.
        package var stops: Int
        /// SIGKILL or SIGTERM.
        package var signal: Int32
        /// Acknowledgements between two stops.
        package var acknowledgements: ClosedRange<Int>
        /// Sends of one client that may be unanswered.
        package var inFlight = 16

        package init(seed: UInt64, stops: Int, signal: Int32, acknowledgements: ClosedRange<Int>) {
            self.seed = seed
            self.stops = stops
            self.signal = signal
            self.acknowledgements = acknowledgements
        }
    }

    struct State: Sendable {
        var isUp = true
        /// Grows with each start of the server.
        var generation = 0
        var acknowledged = 0
        /// Answers to sends that were acknowledged before.
        var repeats = 0
        var isStopping = false
        /// Clients that stay away for a while.
        var away = 0
        /// Clients whose sends are all answered, at the end.
        var quiet = 0
        /// The newest events, once everybody is quiet.
        var ends: [String: Int64]?
        var failures: [String] = []
        var closures: [Closure] = []
    }

    /// How a session ended that the server's stop ended.
    package struct Closure: Sendable {
        package let code: UInt16?
        package let hadGoAway: Bool
    }

    package struct Report: Sendable, CustomStringConvertible {
        package let breaches: [Oracle.Breach]
        /// What went wrong on the way, apart from breaches of the contract.
        package let failures: [String]
        package let closures: [Closure]
        /// How the server ended each time.
        package let statuses: [Int32]
        package let sent, acknowledged, retried, repeats, sessions, seen, stored: Int

        package var description: String {
            "sent \(sent), acknowledged \(acknowledged), stored \(stored), retried \(retried), repeats answered "
                + "\(repeats), stops \(statuses.count), sessions \(sessions), events seen \(seen), breaches "
                + "\(breaches.count)"
        }
    }

    let server: ServerProcess
    let plan: Plan
    let state = Watched(State())
    let oracle = Watched(Oracle())

    package init(_ server: ServerProcess, _ plan: Plan) {
        self.server = server
        self.plan = plan
    }

    func fail(_ what: String) { state.update { $0.failures.append(what) } }

    // MARK: The run

    /// Runs everything to its end. Throws what has nothing to do with the contract, as a server that does not start.
    package func run() async throws -> Report {
        let rest = RestClient(port: server.port)
        let clients = try await FleetClient.crew(for: self, rest)
        let statuses = try await withThrowingTaskGroup(of: [Int32].self) { group in
            for client in clients {
                group.addTask {
                    do { try await client.run() } catch {
                        self.fail("\(client.device): \(error)")
                        throw error
                    }
                    return []
                }
            }
            group.addTask { try await self.drive(rest, clients) }
            var statuses: [Int32] = []
            for try await part in group { statuses += part }
            return statuses
        }
        let final = state.value
        return oracle.update { oracle in
            Report(
                breaches: oracle.judge(), failures: final.failures, closures: final.closures, statuses: statuses,
                sent: oracle.sent, acknowledged: oracle.acknowledgedCount, retried: oracle.retried,
                repeats: final.repeats, sessions: oracle.sessionCount, seen: oracle.seen, stored: oracle.storedCount)
        }
    }

    /// Stops the server again and again, then ends the run.
    private func drive(_ rest: RestClient, _ clients: [FleetClient]) async throws -> [Int32] {
        var random = SeededRandom(seed: plan.seed)
        var statuses: [Int32] = []
        for _ in 0..<plan.stops {
            try await waitForAcknowledgements(Int.random(in: plan.acknowledgements, using: &random))
            state.update { $0.isUp = false }
            server.kill(plan.signal)
            statuses.append(await server.wait())
            try await server.restart()
            state.update { state in
                state.generation += 1
                state.isUp = true
            }
        }
        try await waitForAcknowledgements(plan.acknowledgements.upperBound)
        state.update { $0.isStopping = true }
        try await state.wait("all sends to be answered", for: .seconds(60)) { state -> Bool? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.quiet == clients.count ? true : nil
        }
        try await readBack(rest, clients)
        return statuses
    }

    private func waitForAcknowledgements(_ count: Int) async throws {
        let target = state.value.acknowledged + count
        try await state.wait("\(count) acknowledgements", for: .seconds(60)) { state -> Bool? in
            if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
            return state.acknowledged >= target ? true : nil
        }
    }

    private func readBack(_ rest: RestClient, _ clients: [FleetClient]) async throws {
        var ends: [String: Int64] = [:]
        for client in clients {
            for conversation in client.conversations where ends[conversation] == nil {
                let events = try await rest.everything(in: conversation, by: client.user)
                ends[conversation] = events.last?.seq ?? 0
                oracle.update { $0.stored(conversation, events) }
            }
        }
        state.update { $0.ends = ends }
    }
}

package struct FleetFailed: Error { package let failures: [String] }

extension Oracle {
    package var storedCount: Int { log.values.reduce(0) { $0 + $1.count } }
}

extension RestClient {
    /// All that a conversation holds, page by page.
    package func everything(in conversation: String, by user: TestUser) async throws -> [SeenEvent] {
        var events: [SeenEvent] = []
        var after: Int64 = 0
        while true {
            let page = try await succeed(
                "GET", "/api/chat/messages?conversationId=\(conversation)&after=\(after)&limit=100", by: user)
            let items = page["items"]?.array ?? []
            events += items.compactMap { SeenEvent($0) }
            guard let next = page["nextCursor"]?.integer ?? page["nextCursor"]?.string.flatMap({ Int64($0) }),
                !items.isEmpty
            else { return events }
            after = next
        }
    }
}
