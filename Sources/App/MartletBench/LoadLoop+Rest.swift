import MartletCore
import NIOCore
import NIOPosix

/// What a sender needs to send through the API: one request after another on one connection.
final class RestSender {
    var handler: RestHandler?
    var isConnected = false
    /// Messages whose time has come while an earlier one was under way.
    var waiting = CircularBuffer<(counter: UInt32, due: UInt64)>()
    var underWay: (counter: UInt32, due: UInt64)?
}

/// Sending through the API.
extension LoadLoop {
    func connect(_ session: LoadSession, _ rest: RestSender) {
        let handler = RestHandler { [unowned session] handler, event in self.happened(event, handler, session, rest) }
        rest.handler = handler
        let bound = NIOLoopBound(handler, eventLoop: eventLoop)
        let address = plan.options.address(of: session.number)
        ClientBootstrap(group: eventLoop)
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(30))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(host: address.host, port: address.port)
            .assumeIsolated()
            .whenFailure { _ in self.retry(session) }
    }

    private func happened(
        _ event: RestHandler.Event, _ handler: RestHandler, _ session: LoadSession, _ rest: RestSender
    ) {
        guard rest.handler === handler else { return }
        switch event {
        case .connected:
            rest.isConnected = true
            becameReady(session, now)
            sendNext(session, rest)
        case .answered(let answer): answered(answer, session, rest)
        case .failed(let reason): fail(reason)
        case .closed:
            rest.handler = nil
            rest.isConnected = false
            guard session.phase == .ready else { return }
            ready -= 1
            // A server may end a connection on which nothing is under way; a request that it drops is never answered.
            if rest.underWay.take() != nil { counts.disconnects += 1 }
            session.phase = .away
            connecting += 1
            connect(session, rest)
        }
    }

    func send(_ session: LoadSession, _ rest: RestSender, due: UInt64) {
        rest.waiting.append((session.sends.send(), due))
        counts.sent += 1
        sendNext(session, rest)
    }

    private func sendNext(_ session: LoadSession, _ rest: RestSender) {
        guard rest.isConnected, rest.underWay == nil, let next = rest.waiting.popFirst() else { return }
        rest.underWay = next
        session.template?.fill(counter: next.counter, time: next.due, milliseconds: plan.epoch + next.due / 1_000_000)
        if let bytes = session.template?.bytes { rest.handler?.write(bytes) }
    }

    private func answered(_ answer: RestAnswer, _ session: LoadSession, _ rest: RestSender) {
        guard let (counter, due) = rest.underWay.take() else { return counts.strayAnswers += 1 }
        let now = now
        if answer.status == 200 {
            guard session.sends.acknowledge(counter) else { return counts.strayAnswers += 1 }
            counts.acknowledged += 1
            if let recordsFrom, due >= recordsFrom, now > due { acknowledgements.record(nanoseconds: now - due) }
        } else {
            refused(counter, of: session, answer.status)
        }
        sendNext(session, rest)
        pump(session)
    }
}
