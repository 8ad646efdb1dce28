import EndToEndSupport
import Foundation
import Testing

/// The pages in a real browser. The scenarios are in `Tests/Page`; here they get servers of their own.
@Suite struct PageTests {
    @Test(.timeLimit(.minutes(10))) func twoPeopleUseThePage() async throws {
        let server = try await ServerProcess.start(arguments: ["--no-rate-limits"])
        let result = try await Self.runScenarios("run.py", port: server.port)
        #expect(result.status == 0, "\(result.output)\n\(server.log)")
        #expect(await server.stop() == 0)
    }

    @Test(.timeLimit(.minutes(10))) func twoGuestsUseTheRoomsPage() async throws {
        let server = try await ServerProcess.start(arguments: ["--demo"])
        let result = try await Self.runScenarios("home.py", port: server.port)
        #expect(result.status == 0, "\(result.output)\n\(server.log)")
        #expect(await server.stop() == 0)
    }

    @Test(.timeLimit(.minutes(10))) func thePageTalksToClientsOfTheOlderDialects() async throws {
        let server = try await ServerProcess.start(environment: OlderDialects.environment)
        let ports = [
            "--seed", "\(try await server.port(.seed))", "--course", "\(try await server.port(.course))",
        ]
        let result = try await Self.runScenarios("dialects.py", ports, port: server.port)
        #expect(result.status == 0, "\(result.output)\n\(server.log)")
        #expect(await server.stop() == 0)
    }

    private static func runScenarios(
        _ script: String, _ arguments: [String] = [], port: Int
    ) async throws -> (status: Int32, output: String) {
        let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .deletingLastPathComponent()
        let python = root.appending(path: ".venv/bin/python")
        guard FileManager.default.isExecutableFile(atPath: python.path) else {
            throw Missing(what: "\(python.path): run make test")
        }
        let process = Process()
        process.executableURL = python
        process.arguments =
            [
                root.appending(path: "Tests/Page/\(script)").path, "--url", "http://127.0.0.1:\(port)", "--screenshots",
                root.appending(path: "screenshots").path,
            ] + arguments
        process.currentDirectoryURL = root
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        process.standardInput = FileHandle.nullDevice
        return try await withCheckedThrowingContinuation { continuation in
            // A thread of its own: reading to the end blocks.
            Thread {
                do {
                    try process.run()
                    let output = try pipe.fileHandleForReading.readToEnd() ?? Data()
                    process.waitUntilExit()
                    continuation.resume(returning: (process.terminationStatus, String(decoding: output, as: UTF8.self)))
                } catch {
                    continuation.resume(throwing: error)
                }
            }.start()
        }
    }

    private struct Missing: Error {
        let what: String
    }
}
