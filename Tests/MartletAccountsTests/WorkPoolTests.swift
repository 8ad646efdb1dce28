import Foundation
import MartletCore
import Testing

@testable import MartletAccounts

@Suite struct WorkPoolTests {
    @Test func workDoesNotKeepTasksFromRunning() async throws {
        let cores = ProcessInfo.processInfo.activeProcessorCount
        let pool = WorkPool(label: "test", threads: cores, queue: 2 * cores)
        let othersRan = DispatchSemaphore(value: 0)
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for _ in 0..<(3 * cores) {
                group.addTask {
                    // Gives its thread to nobody until somebody else has had a turn. The limit only ends a test that has failed.
                    try await pool.run { othersRan.wait(timeout: .now() + 60) == .success }
                }
            }
            group.addTask {
                for _ in 0..<100 { await Task.yield() }
                for _ in 0..<(3 * cores) { othersRan.signal() }
                return true
            }
            for try await isInTime in group { #expect(isInTime) }
        }
    }

    @Test func whatFindsNoPlaceIsRefused() async throws {
        let pool = WorkPool(label: "test", threads: 1, queue: 0)
        let (started, goOn) = (DispatchSemaphore(value: 0), DispatchSemaphore(value: 0))
        async let first: Int = pool.run {
            started.signal()
            goOn.wait()
            return 1
        }
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            Thread.detachNewThread {
                started.wait()
                continuation.resume()
            }
        }
        let refused = await #expect(throws: Fault.self) { try await pool.run { 2 } }
        #expect(refused?.reason == .overloaded)
        goOn.signal()
        #expect(try await first == 1)
    }
}
