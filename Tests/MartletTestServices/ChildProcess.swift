import Foundation

/// What a service could not do, in words for the one who reads the test's log.
package struct ServiceFailure: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// Other programs that services need.
enum ChildProcess {
    /// Runs a program to its end, away from Swift's own threads, and returns what it printed. Throws what it said where it
    /// fails.
    @discardableResult
    static func run(_ command: [String], environment: [String: String] = [:]) async throws -> String {
        try await detached {
            let output = Pipe()
            let process = try start(command, environment: environment, input: nil, output: output)
            let printed = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            guard process.terminationStatus == 0 else {
                throw ServiceFailure("\(command.joined(separator: " ")) failed: \(printed.suffix(2000))")
            }
            return printed
        }
    }

    /// Starts a program; both of its outputs go to `output`, a `Pipe` or a `FileHandle`.
    @discardableResult
    static func start(
        _ command: [String], environment: [String: String] = [:], input: Pipe?, output: Any
    ) throws -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
        process.standardInput = input ?? FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        try process.run()
        return process
    }

    /// Runs blocking work on a thread of Dispatch's.
    static func detached<Value: Sendable>(_ work: @escaping @Sendable () throws -> Value) async throws -> Value {
        try await withCheckedThrowingContinuation { continuation in
            DispatchQueue.global().async { continuation.resume(with: Result { try work() }) }
        }
    }
}

/// Clears up behind a service whatever becomes of the test's process: a shell that waits for the end of a pipe, which the
/// system closes with the process, kills the services in a folder, and removes it.
final class FolderGuard: Sendable {
    private let pipe: Pipe

    /// `folder/*/*.pid` name the processes to kill.
    init(_ folder: String) throws {
        let pipe = Pipe()
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        let script = """
            trap '' HUP INT TERM
            cat >/dev/null
            for file in "$1"/*/*.pid; do
                [ -f "$file" ] || continue
                pid=$(head -n 1 "$file")
                kill -KILL "$pid" $(ps -o pid= --ppid "$pid") 2>/dev/null
            done
            sleep 0.2
            rm -rf "$1"
            """
        try ChildProcess.start(["/bin/sh", "-c", script, "guard", folder], input: pipe, output: FileHandle.nullDevice)
        self.pipe = pipe
    }

    /// Does so now.
    func release() { try? pipe.fileHandleForWriting.close() }
}
