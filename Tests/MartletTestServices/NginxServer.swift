import Foundation
import Synchronization

/// nginx on a free port of 127.0.0.1 in front of nodes there, with a site that is shipped (`deploy/nginx/martlet.conf` or
/// `martlet-stream.conf`) but for TLS. An nginx that is not installed is a failure, in one line.
package final class NginxServer: Sendable {
    package let port: Int
    private let folder: String
    private let guardian: FolderGuard
    private let process = Mutex<Int32>(0)

    /// Starts it. `site` is the path of the shipped file. `source`: the address of loopback from which it connects to nodes,
    /// where these are to tell it from others.
    package init(site: String, nodes: [Int], source: String? = nil) async throws {
        port = try LoopbackPort.free()
        folder =
            FileManager.default.temporaryDirectory.appending(path: "martlet-nginx-\(UUID().uuidString.prefix(8))").path
        for name in ["", "/martlet", "/tmp"] {
            try FileManager.default.createDirectory(atPath: folder + name, withIntermediateDirectories: false)
        }
        guardian = try FolderGuard(folder)
        let upstreams = nodes.map { "server 127.0.0.1:\($0) max_fails=2 fail_timeout=5s;\n" }.joined()
        let shipped = try String(contentsOfFile: site, encoding: .utf8)
        for (name, text) in [
            ("nginx.conf", Self.main(isStream: shipped.contains("\nstream {"))), ("martlet/nodes.conf", upstreams),
            ("martlet.conf", Self.plain(shipped, port: port, folder: folder, source: source)),
        ] { try Data(text.utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)")) }
        try await start()
    }

    deinit {
        stop()
        guardian.release()
    }

    /// What it logged, requests and errors.
    package var log: String {
        ["error", "access"].compactMap { try? String(contentsOfFile: "\(folder)/\($0).log", encoding: .utf8) }.joined()
    }

    /// Ends it at once.
    package func stop() {
        let process = process.withLock { process in
            defer { process = 0 }
            return process
        }
        if process > 0 { kill(process, SIGKILL) }
    }

    private func start() async throws {
        let folders = ["/usr/sbin", "/usr/local/sbin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin"]
        let program = folders.map { $0 + "/nginx" }.first { FileManager.default.isExecutableFile(atPath: $0) }
        guard let program else { throw ServiceFailure("nginx is not installed: install nginx") }
        let started = try ChildProcess.start(
            [program, "-p", folder, "-c", folder + "/nginx.conf", "-e", folder + "/error.log"], input: nil,
            output: FileHandle.nullDevice)
        process.withLock { $0 = started.processIdentifier }
        for _ in 0..<500 {
            if LoopbackPort.isTaken(port) { return }
            guard started.isRunning else { break }
            try await Task.sleep(for: .milliseconds(20))
        }
        throw ServiceFailure("nginx did not start: \(log.suffix(2000))")
    }

    // MARK: Configuration

    private static func main(isStream: Bool) -> String {
        guard isStream else { return process + http }
        // Debian's is a module of its own.
        let module = "/usr/lib/nginx/modules/ngx_stream_module.so"
        let isModule = FileManager.default.fileExists(atPath: module)
        return (isModule ? "load_module \(module);\n" : "") + process + "include martlet.conf;\n"
    }

    private static let process = """
        daemon off;
        master_process off;
        pid martlet/nginx.pid;
        events { worker_connections 4096; }

        """

    private static let http = """
        http {
            access_log off;
            client_body_temp_path tmp/body;
            proxy_temp_path tmp/proxy;
            fastcgi_temp_path tmp/fastcgi;
            uwsgi_temp_path tmp/uwsgi;
            scgi_temp_path tmp/scgi;
            include martlet.conf;
        }

        """

    /// The shipped site on one plain port.
    private static func plain(_ shipped: String, port: Int, folder: String, source: String?) -> String {
        let suffix = shipped.contains("\nstream {") ? "" : " default_server"
        let lines = shipped.split(separator: "\n", omittingEmptySubsequences: false).map { line -> String in
            let words = line.split(whereSeparator: { $0 == " " || $0 == ";" })
            guard let first = words.first else { return "" }
            switch first {
            case "listen":
                guard !line.contains("[::]") else { return "" }
                return words.contains("443")
                    ? "listen 127.0.0.1:\(port)\(suffix);" : "listen unix:\(folder)/redirect.sock;"
            case "access_log" where !words.contains("off"): return "access_log \(folder)/access.log martlet;"
            case _ where first.hasPrefix("ssl_"): return ""
            case "proxy_pass": return line + (source.map { " proxy_bind \($0);" } ?? "")
            default: return String(line)
            }
        }
        return lines.joined(separator: "\n")
    }
}
