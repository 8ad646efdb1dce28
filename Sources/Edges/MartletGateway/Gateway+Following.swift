import MartletBus
import MartletCore
import MartletLog
import NIOCore
import Synchronization

// Which topics the node follows on the bus, and what keeps it from missing anything of them: where a conversation stands is looked up when somebody
// becomes interested, and compared with the log from time to time, since the bus may lose the last event of a conversation and nobody would notice.
extension Gateway {
    /// How much the clocks of nodes may differ, and how long a conversation is remembered without an event, at least half of it.
    private static let leeway = Duration.seconds(600)

    /// Called on a loop that becomes interested. True where the topic has to be started before anything of it is delivered.
    func follow(_ topic: ConversationID, _ loop: Int) -> Bool {
        guard isLossy else {
            interest.set(topic, loop: loop, true)
            return false
        }
        services.broker.follow(topic)
        return topics.withLock { topics in
            let isFirst = interest.set(topic, loop: loop, true)
            if isFirst { topics.starting.insert(topic) }
            // Who comes while it is being started waits for that as well.
            return topics.starting.contains(topic)
        }
    }

    /// True where a topic that is followed has not been started yet.
    func isStarting(_ topic: ConversationID) -> Bool {
        isLossy && topics.withLock { $0.starting.contains(topic) }
    }

    func unfollow(_ topic: ConversationID, _ loop: Int) {
        interest.set(topic, loop: loop, false)
        guard isLossy else { return }
        services.broker.unfollow(topic)
        topics.withLock { topics in
            if interest.interest(in: topic).loops == 0 { topics.starting.remove(topic) }
        }
    }

    // MARK: Starting

    /// Topics that cannot be started are delivered from about now on.
    func abandonStart(_ fresh: [ConversationID]) {
        if !fresh.isEmpty { topics.withLock { $0.starting.subtract(fresh) } }
    }

    /// Looks up where the conversations of topics stand that nobody here followed before: what is stored from here on is delivered.
    func start(_ fresh: [ConversationID]) async throws(Fault) {
        guard !fresh.isEmpty else { return }
        defer { abandonStart(fresh) }
        await services.broker.settled(fresh)
        let conversations = try await conversations(of: fresh)
        for bounds in try await bounds(conversations) {
            let now = InterestTable.now
            topics.withLock { topics in
                for (conversation, bounds) in bounds {
                    if let missing = place(conversation, bounds, &topics, now) { fill(conversation, missing) }
                }
            }
        }
    }

    /// Notes where a conversation stands. To others here who follow it already nothing is lost by that: what they have not got is returned.
    private func place(
        _ conversation: ConversationID, _ bounds: LogBounds, _ topics: inout Topics, _ now: UInt64
    ) -> TopicSequencer.Missing? {
        let since = interest.interest(in: conversation).since
        let floor = newsSince(conversation)
        let starting = topics.starting
        let isShared = conversation.topics.contains {
            !starting.contains($0) && interest.interest(in: $0).loops != 0
        }
        if isShared {
            return topics.sequencer.compare(
                conversation, bounds.last, isRecent: bounds.lastTime >= floor, since: since, now: now)
        }
        // A little earlier than what is news, so that nothing lies between.
        if case .direct = conversation, bounds.lastTime < floor - .seconds(60) { return nil }
        return topics.sequencer.start(conversation, at: bounds.last, since: since, now: now)
    }

    /// A session came into a group or room that nobody here followed: what is stored from `seq` on is delivered, also what was stored before the bus
    /// brings it.
    func start(_ topic: ConversationID, from seq: Int64) {
        let now = InterestTable.now
        let since = interest.interest(in: topic).since
        topics.withLock { topics in
            topics.starting.remove(topic)
            if let missing = topics.sequencer.start(topic, at: max(0, seq - 1), since: since, now: now) {
                fill(topic, missing)
            }
        }
        _ = pool.submit { [self] in
            await services.broker.settled([topic])
            missed([topic])
        }
    }

    /// The conversations whose events are published to these topics.
    private func conversations(of topics: [ConversationID]) async throws(Fault) -> [ConversationID] {
        let users = topics.compactMap { if case .inbox(let user) = $0 { user } else { nil } }
        return topics + (users.isEmpty ? [] : try await services.conversations.directs(of: users))
    }

    private func bounds(
        _ conversations: [ConversationID]
    ) async throws(Fault) -> [[ConversationID: LogBounds]] {
        var found: [[ConversationID: LogBounds]] = []
        for start in stride(from: 0, to: conversations.count, by: GatewayConfiguration.comparedAtOnce) {
            let end = min(start + GatewayConfiguration.comparedAtOnce, conversations.count)
            found.append(try await services.log.bounds(Array(conversations[start..<end])))
        }
        return found
    }

    /// The time from which on events of a conversation are for the sessions that are here now, less the leeway.
    func newsSince(_ conversation: ConversationID) -> Instant {
        let (now, wall) = (InterestTable.now, services.clock.now)
        let since = max(interest.interest(in: conversation).since, forgotten.load(ordering: .relaxed))
        guard since < now else { return wall - Self.leeway }
        return wall - .milliseconds(Int64(now - since)) - Self.leeway
    }

    // MARK: Comparing with the log

    /// Called by the bus: events of these topics may have been lost.
    package func missed(_ topics: [ConversationID]) {
        guard isLossy, !topics.isEmpty else { return }
        change { $0.add(topics) }
        sweepSignal.yield()
    }

    @discardableResult
    private func change<Value>(_ change: (inout Suspects) -> Value) -> Value {
        suspects.withLock { suspects in
            defer {
                metrics.behind.set(suspects.behind)
                metrics.comparing.set(suspects.count)
            }
            return change(&suspects)
        }
    }

    /// Compares the suspected topics with the log, at once when told and all of them every `period`: these with a quarter of one connection's time at
    /// most, however many there are, so that the database has its time for messages. Runs until it is cancelled. A log that can't be read is asked
    /// again.
    package func watchTopics(every period: Duration) async {
        guard isLossy else { return }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [self] in
                while !Task.isCancelled {
                    do { try await Task.sleep(for: period) } catch { return }
                    change { $0.beginRound(interest.topics()) }
                    sweepSignal.yield()
                }
            }
            for await _ in sweepSignals {
                await compareSuspects()
                if Task.isCancelled { break }
            }
            tasks.cancelAll()
        }
    }

    private func compareSuspects() async {
        while !Task.isCancelled, let part = change({ $0.take(GatewayConfiguration.topicsAtOnce) }) {
            let start = ContinuousClock.now
            do throws(Fault) {
                for bounds in try await bounds(try await conversations(of: part.topics)) { compare(bounds) }
            } catch {
                // The database is back sooner or later.
                change { $0.failed(part) }
                try? await Task.sleep(for: .seconds(1))
                continue
            }
            if change({ $0.done(part) }) {
                metrics.comparisons.add()
                // Not by the clock alone: without the log places could not be kept up, and what was missed meanwhile counts from them.
                forgetQuiet()
            }
            if !part.isUrgent { await rest((ContinuousClock.now - start) * 3) }
        }
    }

    /// Unless somebody tells of what was lost.
    private func rest(_ duration: Duration) async {
        let end = ContinuousClock.now + duration
        while !Task.isCancelled, suspects.withLock({ $0.behind == 0 }) {
            let left = end - ContinuousClock.now
            guard left > .zero else { return }
            try? await Task.sleep(for: min(left, .milliseconds(100)))
        }
    }

    private func compare(_ bounds: [ConversationID: LogBounds]) {
        let now = InterestTable.now
        for (conversation, bounds) in bounds {
            let isRecent = bounds.lastTime >= newsSince(conversation)
            topics.withLock { topics in
                let interest = interest.interest(in: conversation)
                guard interest.loops != 0, !topics.isStarting(conversation) else { return }
                let missing = topics.sequencer.compare(
                    conversation, bounds.last, isRecent: isRecent, since: interest.since, now: now)
                if let missing { fill(conversation, missing) }
            }
        }
    }

    /// Conversations without an event for long take no memory.
    private func forgetQuiet() {
        let (now, quiet) = (InterestTable.now, 2 * UInt64(Self.leeway.milliseconds))
        let last = max(forgotten.load(ordering: .relaxed), quiet)
        guard now > last + quiet / 4 else { return }
        forgotten.store(now, ordering: .relaxed)
        topics.withLock { $0.sequencer.forget(before: now - quiet) }
    }
}
