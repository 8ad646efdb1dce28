import Foundation
import Synchronization

/// A real server process in its own temporary data folder. It ends, and its folder goes, with the last reference or
/// with the test run.
package final class ServerProcess: Sendable {
    private struct Run: Sendable {
        var port: Int
        var pid: Int32 = 0
        var log = ""
        /// The exit status, or 128 and the signal's number.
        var status: Int32?
    }

    /// The folder of `--data`.
    package let data: String
    private let ownsData: Bool
    private let arguments: [String]
    private let environment: [String: String]
    private let run: Watched<Run>

    private init(_ data: String, ownsData: Bool, _ arguments: [String], _ environment: [String: String]) {
        self.data = data
        self.ownsData = ownsData
        self.arguments = arguments
        self.environment = environment
        run = Watched(Run(port: 0))
    }

    deinit {
        let last = run.value
        if last.status == nil, last.pid > 0 { Foundation.kill(last.pid, SIGKILL) }
        if ownsData { TemporaryFolder.remove(data) }
    }

    /// Starts a server on a free port of loopback and waits until `/readyz` says 200.
    package static func start(
        data: String? = nil, arguments: [String] = [], environment: [String: String] = [:], rateLimited: Bool = false
    ) async throws -> ServerProcess {
        let server = ServerProcess(
            try data ?? TemporaryFolder.make(), ownsData: data == nil,
            (rateLimited ? [] : ["--no-rate-limits"]) + arguments, environment)
        try await server.launch()
        return server
    }

    package var port: Int { run.value.port }
    package var pid: Int32 { run.value.pid }
    /// What the process printed so far, on both outputs, over all its restarts.
    package var log: String { run.value.log }
    /// Nil while it runs.
    package var status: Int32? { run.value.status }

    package func kill(_ signal: Int32) { Foundation.kill(pid, signal) }

    /// Waits for the end of the process; 128 and its number for a signal.
    @discardableResult
    package func wait() async -> Int32 {
        (try? await run.wait("the server's end", for: .seconds(60)) { $0.status }) ?? -1
    }

    /// SIGTERM, then waits.
    @discardableResult
    package func stop() async -> Int32 {
        kill(SIGTERM)
        return await wait()
    }

    /// Starts the server again after its end, with the same data and on the same port.
    package func restart() async throws {
        // Somebody's outgoing connection may have been given the port meanwhile.
        for _ in 0..<10 {
            do { return try await launch() } catch let error as ServerDidNotStart where error.isPortTaken { continue }
        }
        try await launch()
    }

    /// Waits until the log has `text`.
    package func waitForLog(_ text: String) async throws {
        _ = try await run.wait("`\(text)` in the log") { $0.log.contains(text) ? true : nil }
    }

    private func launch() async throws {
        let port = port
        let begin = log.utf8.count
        run.update { $0.status = nil }
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try Martlet.executable)
        process.arguments = ["serve", "--data", data, "--port", "\(port)"] + arguments
        process.environment = Martlet.environment(environment)
        process.standardInput = FileHandle.nullDevice
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let run = run
        process.terminationHandler = { ended in
            let status = ended.terminationReason == .exit ? ended.terminationStatus : 128 + ended.terminationStatus
            let pid = ended.processIdentifier
            Orphans.remove(pid)
            run.update { if $0.pid == pid || $0.pid == 0 { $0.status = status } }
        }
        run.update { $0.pid = 0 }
        try process.run()
        let pid = process.processIdentifier
        Orphans.add(pid)
        run.update { $0.pid = pid }
        try? pipe.fileHandleForWriting.close()
        Martlet.collect(pipe) { text in run.update { $0.log += text } }
        let taken = try await run.wait("the server to listen") { run -> Int? in
            let printed = String(decoding: Array(run.log.utf8.dropFirst(begin)), as: UTF8.self)
            if let port = Martlet.port(in: printed) { return port }
            if let status = run.status { throw ServerDidNotStart(status: status, log: printed) }
            return nil
        }
        run.update { $0.port = taken }
        try await waitUntilReady()
    }

    private func waitUntilReady() async throws {
        let client = RestClient(port: port)
        let deadline = ContinuousClock.now + patience
        while true {
            if let answer = try? await client.call("GET", "/readyz"), answer.status == 200 { return }
            if let status { throw ServerDidNotStart(status: status, log: log) }
            guard ContinuousClock.now < deadline else { throw WaitedTooLong(description: "waited for /readyz") }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Runs a command of the program to its end.
    package static func run(
        _ arguments: [String], input: String? = nil, environment: [String: String] = [:]
    ) async throws -> (status: Int32, output: String, error: String) {
        try await Martlet.run(arguments, input: input, environment: environment)
    }
}

/// The server ended instead of listening.
package struct ServerDidNotStart: Error, CustomStringConvertible {
    package let status: Int32
    package let log: String
    package var description: String { "the server ended with \(status) instead of listening:\n\(log)" }
    var isPortTaken: Bool { log.localizedCaseInsensitiveContains("in use") && !log.contains("data folder") }
}
