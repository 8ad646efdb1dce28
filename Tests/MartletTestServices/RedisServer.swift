import Foundation
import Synchronization

/// A real redis-server on a free port of 127.0.0.1, with a password and without files that last. It is gone with the
/// test's process, however that ends. A Redis that is not installed is a failure, in one line.
package final class RedisServer: Sendable {
    package let port: Int
    package let password: String
    private let isSecure: Bool
    private let folder: String
    private let arguments: [String]
    private let process = Mutex<Process?>(nil)
    /// A shell that reads which process to kill once its input ends.
    private let guardian: Pipe

    /// With `isSecure` it speaks TLS only, with a certificate for 127.0.0.1 and localhost that it signed itself
    /// (`certificate`). `arguments`: further ones of redis-server. Returns once it answers.
    package init(isSecure: Bool = false, arguments: [String] = []) async throws {
        port = try LoopbackPort.free()
        password = String(UInt64.random(in: .min ... .max), radix: 36)
        self.isSecure = isSecure
        self.arguments = arguments
        folder =
            FileManager.default.temporaryDirectory
            .appending(path: "martlet-redis-\(UUID().uuidString.prefix(8))").path
        try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
        guardian = Pipe()
        _ = fcntl(guardian.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
        let script = """
            trap '' HUP INT TERM
            while read -r pid; do last=$pid; done
            [ -n "$last" ] && kill -KILL "$last" 2>/dev/null
            rm -rf "$1"
            """
        let shell = Self.process(["/bin/sh", "-c", script, "guard", folder], FileHandle.nullDevice)
        shell.standardInput = guardian
        try shell.run()
        if isSecure { try await makeCertificate() }
        try await start()
    }

    deinit {
        process.withLock { $0 }?.terminate()
        try? guardian.fileHandleForWriting.close()
    }

    /// For `RedisURL`.
    package var url: String {
        let query = isSecure ? "?cafile=\(certificate)" : ""
        return "\(isSecure ? "rediss" : "redis")://:\(password)@127.0.0.1:\(port)\(query)"
    }

    /// The path of its certificate.
    package var certificate: String { folder + "/certificate.pem" }
    private var key: String { folder + "/key.pem" }

    /// Starts it again after `kill`: on the same port, and empty. Returns once it answers.
    package func start() async throws {
        var command = ["redis-server", "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command += ["--requirepass", password, "--dir", folder, "--logfile", folder + "/log", "--daemonize", "no"]
        command += isSecure ? ["--port", "0", "--tls-port", "\(port)"] : ["--port", "\(port)"]
        if isSecure {
            command += ["--tls-cert-file", certificate, "--tls-key-file", key, "--tls-ca-cert-file", certificate]
            command += ["--tls-auth-clients", "no"]
        }
        let server = Self.process(command + arguments, FileHandle.nullDevice)
        try server.run()
        process.withLock { $0 = server }
        try guardian.fileHandleForWriting.write(contentsOf: Data("\(server.processIdentifier)\n".utf8))
        let end = ContinuousClock.now + .seconds(20)
        while !LoopbackPort.isTaken(port) {
            guard server.isRunning, ContinuousClock.now < end else {
                let log = (try? String(contentsOfFile: folder + "/log", encoding: .utf8)) ?? ""
                throw ServiceFailure("redis-server does not start (is it installed?): \(log.suffix(500))")
            }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Kills it at once, with all that it knows. Returns once it is gone.
    package func kill() async {
        guard let server = process.withLock({ $0 }), server.isRunning else { return }
        Foundation.kill(server.processIdentifier, SIGKILL)
        while server.isRunning { try? await Task.sleep(for: .milliseconds(5)) }
    }

    /// Stops it in its tracks: its connections stay, and nothing answers.
    package func freeze() { signal(SIGSTOP) }
    package func thaw() { signal(SIGCONT) }

    private func signal(_ number: Int32) {
        guard let server = process.withLock({ $0 }), server.isRunning else { return }
        Foundation.kill(server.processIdentifier, number)
    }

    private func makeCertificate() async throws {
        let openssl = Self.process(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                "2",
                "-subj", "/CN=martlet-test", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout", key,
                "-out",
                certificate,
            ], FileHandle.nullDevice)
        try openssl.run()
        while openssl.isRunning { try await Task.sleep(for: .milliseconds(5)) }
        guard openssl.terminationStatus == 0 else { throw ServiceFailure("openssl makes no certificate") }
    }

    private static func process(_ command: [String], _ output: FileHandle) -> Process {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = command
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = output
        return process
    }
}
