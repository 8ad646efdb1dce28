import Foundation
import Synchronization

/// The program under test, as it was built beside these tests.
enum Martlet {
    static var executable: String {
        get throws {
            var folders = [
                try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
                CommandLine.arguments.first,
            ]
            .compactMap { $0 }.map { URL(fileURLWithPath: $0).deletingLastPathComponent() }
            folders += Bundle.allBundles.filter { $0.bundlePath.hasSuffix(".xctest") }.map {
                $0.bundleURL.deletingLastPathComponent()
            }
            let found = folders.map { $0.appendingPathComponent("martlet").path }
                .first { FileManager.default.isExecutableFile(atPath: $0) }
            guard let found else { throw WaitedTooLong(description: "no martlet was built beside the tests") }
            return found
        }
    }

    /// The environment of a process under test: nothing of Martlet's but what the test says.
    static func environment(_ more: [String: String]) -> [String: String] {
        var environment = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("MARTLET_") }
        environment.merge(more) { $1 }
        return environment
    }

    /// Reads a pipe to its end on a thread of its own.
    static func collect(
        _ pipe: Pipe, _ take: @escaping @Sendable (String) -> Void, end: @escaping @Sendable () -> Void = {}
    ) {
        let handle = pipe.fileHandleForReading
        Thread.detachNewThread {
            while true {
                let bytes = handle.availableData
                if bytes.isEmpty { break }
                take(String(decoding: bytes, as: UTF8.self))
            }
            end()
        }
    }

    /// The port in `listening on http://127.0.0.1:PORT`.
    static func port(in log: String) -> Int? {
        guard let start = log.range(of: "listening on http://127.0.0.1:") else { return nil }
        let rest = log[start.upperBound...]
        let digits = rest.prefix { $0.isNumber }
        guard digits.endIndex < rest.endIndex else { return nil }
        return Int(digits)
    }

    private struct Command: Sendable {
        var output = ""
        var error = ""
        var openPipes = 2
        var status: Int32?
    }

    static func run(
        _ arguments: [String], input: String?, environment more: [String: String]
    ) async throws -> (status: Int32, output: String, error: String) {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try executable)
        process.arguments = arguments
        process.environment = environment(more)
        let (output, error, standardInput) = (Pipe(), Pipe(), Pipe())
        process.standardOutput = output
        process.standardError = error
        process.standardInput = standardInput
        let command = Watched(Command())
        process.terminationHandler = { ended in
            Orphans.remove(ended.processIdentifier)
            let status = ended.terminationReason == .exit ? ended.terminationStatus : 128 + ended.terminationStatus
            command.update { $0.status = status }
        }
        try process.run()
        Orphans.add(process.processIdentifier)
        try? output.fileHandleForWriting.close()
        try? error.fileHandleForWriting.close()
        collect(output) { text in
            command.update { $0.output += text }
        } end: {
            command.update { $0.openPipes -= 1 }
        }
        collect(error) { text in
            command.update { $0.error += text }
        } end: {
            command.update { $0.openPipes -= 1 }
        }
        if let input { try? standardInput.fileHandleForWriting.write(contentsOf: Data(input.utf8)) }
        try? standardInput.fileHandleForWriting.close()
        return try await command.wait("martlet \(arguments.joined(separator: " "))", for: .seconds(120)) { command in
            guard let status = command.status, command.openPipes == 0 else { return nil }
            return (status, command.output, command.error)
        }
    }
}

/// Processes that must not outlive the test run, however it ends.
enum Orphans {
    private static let alive = Mutex<Set<Int32>?>(nil)
    /// Hears of each process, and kills those that are left when the system closes the pipe.
    private static let watchdog = Mutex<Pipe?>(nil)

    private static let script = """
        trap '' HUP INT TERM
        alive=" "
        while read -r sign pid; do
            case $sign in
                +) alive="$alive$pid " ;;
                -) alive="${alive%% "$pid" *} ${alive#* "$pid" }" ;;
            esac
        done
        for pid in $alive; do kill -KILL "$pid" 2>/dev/null; done
        """

    static func add(_ pid: Int32) {
        alive.withLock { alive in
            if alive == nil {
                alive = []
                atexit { Orphans.end() }
            }
            alive?.insert(pid)
        }
        tell("+ \(pid)")
    }

    static func remove(_ pid: Int32) {
        let isKnown = alive.withLock { $0?.remove(pid) != nil }
        if isKnown { tell("- \(pid)") }
    }

    private static func tell(_ line: String) {
        watchdog.withLock { watchdog in
            if watchdog == nil { watchdog = try? makeWatchdog() }
            try? watchdog?.fileHandleForWriting.write(contentsOf: Data("\(line)\n".utf8))
        }
    }

    private static func makeWatchdog() throws -> Pipe {
        let (pipe, process) = (Pipe(), Process())
        _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.standardInput = pipe
        process.standardOutput = FileHandle.nullDevice
        process.standardError = FileHandle.nullDevice
        try process.run()
        return pipe
    }

    private static func end() {
        for pid in alive.withLock({ $0 ?? [] }) { kill(pid, SIGKILL) }
        TemporaryFolder.removeAll()
    }
}

/// Folders that go with the test run.
package enum TemporaryFolder {
    private static let made = Mutex<Set<String>>([])

    /// A new empty folder.
    package static func make() throws -> String {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)").path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        made.withLock { _ = $0.insert(path) }
        return path
    }

    package static func remove(_ path: String) {
        made.withLock { _ = $0.remove(path) }
        try? FileManager.default.removeItem(atPath: path)
    }

    static func removeAll() { for path in made.withLock({ $0 }) { try? FileManager.default.removeItem(atPath: path) } }
}
