import NIOCore

/// Sessions that stop reading for a while.
extension LoadLoop {
    func stopReading() {
        slowOnesRead = false
        for session in sessions where session.isSlow { session.handler?.setReading(false) }
    }

    /// Reads on; those that the server has closed meanwhile come back with their cursors.
    func readOn() {
        slowOnesRead = true
        for session in sessions where session.isSlow {
            if let handler = session.handler {
                handler.setReading(true)
            } else if session.phase == .ended {
                comeBack(session)
            }
        }
    }

    /// A slow session's connection has ended: it comes back, unless it is not to read yet.
    func comeBack(_ session: LoadSession) {
        guard slowOnesRead, failure == nil else { return }
        session.phase = .away
        session.resumes = true
        session.began = now
        connecting += 1
        connect(session)
    }

    /// Begins to measure anew; what was recorded until now belongs to what was measured before.
    func takeLatencies() -> (delivered: LatencyRecorder, last: LatencyRecorder) {
        defer {
            deliveries.reset()
            lastReceivers.reset()
            recordsFrom = now
        }
        return (deliveries, lastReceivers)
    }
}
