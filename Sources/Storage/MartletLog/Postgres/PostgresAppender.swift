import Foundation
import Logging
import MartletCore
import MartletSQL

/// One thread that stores sends, on a connection of its own. It takes all that waits, up to a bound, and stores it in one
/// round trip; meanwhile the next batch gathers.
///
/// While the database is away, sends are refused at once, and the thread looks now and then whether it is back. Where it
/// is slow, sends that waited too long are refused, since their senders have given up.
final class PostgresAppender: @unchecked Sendable {
    /// Sends that may wait; what comes past that is refused.
    private static let capacity = 20_000
    /// Sends in one transaction, so that the first one does not wait for too many others.
    private static let batchSize = 512
    /// What a send may wait before its transaction begins.
    private static let patience = Duration.seconds(10)

    private struct Waiting {
        let request: AppendRequest
        let since: ContinuousClock.Instant
    }

    private struct Away {
        let fault: Fault
        var retryAt: Date
        var delay: Double
    }

    private enum Work {
        case store([Waiting])
        case reconnect
        case end
    }

    private let answers: LogAnswers
    private let logger: Logger
    private let writer: PostgresAppendWriter
    private let now: @Sendable () -> ContinuousClock.Instant
    /// Guards the variables; the thread sleeps on it.
    private let condition = NSCondition()
    private var waiting: [Waiting] = []
    private var isClosing = false
    private var away: Away?
    private let ended = DispatchSemaphore(value: 0)

    /// - Parameters:
    ///   - writer: belongs to this appender's thread from now on.
    ///   - now: what sends' patience is measured by.
    init(
        _ writer: PostgresAppendWriter, _ answers: LogAnswers, _ logger: Logger, number: Int,
        now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.writer = writer
        self.now = now
        self.answers = answers
        self.logger = logger
        let thread = Thread { [self] in
            work()
            ended.signal()
        }
        thread.name = "martlet-log-\(number)"
        thread.start()
    }

    var depth: Int { condition.withLock { waiting.count } }

    func submit(_ requests: [AppendRequest]) {
        let since = now()
        let refusal: Fault? = condition.withLock {
            if isClosing { return Self.stopping }
            if let away { return away.fault }
            guard waiting.count + requests.count <= Self.capacity else { return Self.overloaded }
            waiting.append(contentsOf: requests.lazy.map { Waiting(request: $0, since: since) })
            condition.signal()
            return nil
        }
        if let refusal { answers.refuse(requests, refusal) }
    }

    /// Stops after the sends that wait now, or after the first of their batches that fails: the rest is refused. Blocks.
    func close() {
        let isFirst = condition.withLock {
            defer {
                isClosing = true
                condition.signal()
            }
            return !isClosing
        }
        if isFirst { ended.wait() }
    }

    // MARK: The thread

    private func work() {
        while true {
            switch next() {
            case .store(let requests): store(requests)
            case .reconnect: reconnect()
            case .end:
                writer.close()
                return
            }
        }
    }

    private func next() -> Work {
        condition.withLock {
            while waiting.isEmpty {
                if isClosing { return .end }
                if let away {
                    guard away.retryAt > Date() else { return .reconnect }
                    _ = condition.wait(until: away.retryAt)
                } else {
                    condition.wait()
                }
            }
            defer { waiting.removeFirst(min(Self.batchSize, waiting.count)) }
            return .store(Array(waiting.prefix(Self.batchSize)))
        }
    }

    private func store(_ taken: [Waiting]) {
        var rest = refuseLate(taken[...])
        while !rest.isEmpty {
            let run = Self.run(rest)
            rest = rest.dropFirst(run.count)
            let started = ContinuousClock.now
            do throws(PostgresFailure) {
                let announcedAgain = try writer.store(run)
                answers.finish(run, took: .now - started) { announcedAgain.contains($0) }
            } catch {
                guard writer.isConnected else { return leave(error, with: run + rest.map(\.request)) }
                logger.error("sends not stored", metadata: ["cause": "\(error)"])
                answers.refuse(run, error.fault)
                if giveUp(rest) { return }
            }
            rest = refuseLate(rest)
        }
        writer.keepPartitions()
    }

    /// The longest beginning that one transaction stores: plain sends, or amendments.
    private static func run(_ waiting: ArraySlice<Waiting>) -> [AppendRequest] {
        guard let first = waiting.first?.request.draft.kind.isAmendment else { return [] }
        return waiting.prefix { $0.request.draft.kind.isAmendment == first }.map(\.request)
    }

    /// Refuses those that waited too long, which are the first ones, and returns the others.
    private func refuseLate(_ waiting: ArraySlice<Waiting>) -> ArraySlice<Waiting> {
        let oldest = now() - Self.patience
        let rest = waiting.drop { $0.since < oldest }
        let late = waiting.prefix(waiting.count - rest.count)
        if !late.isEmpty {
            logger.warning("sends waited too long for the database", metadata: ["count": "\(late.count)"])
            answers.refuse(late.map(\.request), Self.overloaded)
        }
        return rest
    }

    /// Behind a failure: while closing, refuses `rest` and all that waits, so that a database in trouble does not hold up
    /// the end. False while open.
    private func giveUp(_ rest: ArraySlice<Waiting>) -> Bool {
        let waited: [Waiting]? = condition.withLock {
            guard isClosing else { return nil }
            defer { waiting = [] }
            return waiting
        }
        guard let waited else { return false }
        answers.refuse((rest + waited).map(\.request), Self.stopping)
        return true
    }

    private static let overloaded = Fault(
        .overloaded, "too many messages wait to be stored", retryAfter: .seconds(1))
    private static let stopping = Fault(.shuttingDown, "the server is stopping", retryAfter: .seconds(2))

    // MARK: Without a database

    /// Refuses `taken` and all that waits. Who is answered, and sends at once again, finds that known.
    private func leave(_ failure: PostgresFailure, with taken: [AppendRequest]) {
        logger.warning("the log has lost its database", metadata: ["cause": "\(failure)"])
        let fault = failure.fault
        let waited = condition.withLock {
            away = Away(fault: fault, retryAt: Date() + 0.05, delay: 0.05)
            defer { waiting = [] }
            return waiting
        }
        answers.refuse(taken + waited.map(\.request), fault)
    }

    private func reconnect() {
        do throws(PostgresFailure) {
            try writer.connect()
            condition.withLock { away = nil }
            logger.info("the log has its database again")
        } catch {
            condition.withLock {
                let delay = min(2, (away?.delay ?? 0.05) * 2)
                // By chance a little later, so that not all nodes come at once.
                away = Away(
                    fault: error.fault, retryAt: Date() + delay * Double.random(in: 0.75...1.25), delay: delay)
            }
        }
    }
}
