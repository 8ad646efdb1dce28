import Dispatch
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// The wish of an operator that a long command end in order: the first SIGINT or SIGTERM. A second one ends the process
/// at once. Counts for as long as it lives.
final class StopRequest {
    /// Whether the wish was made. On any thread.
    let isMade: @Sendable () -> Bool
    private let sources: [any DispatchSourceSignal]

    private final class Wish: Sendable {
        let isMade = Atomic(false)
    }

    init() {
        let wish = Wish()
        isMade = { wish.isMade.load(ordering: .relaxed) }
        sources = [SIGINT, SIGTERM].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
            source.setEventHandler {
                wish.isMade.store(true, ordering: .relaxed)
                signal(number, SIG_DFL)
            }
            source.resume()
            return source
        }
    }

    deinit { for source in sources { source.cancel() } }
}
