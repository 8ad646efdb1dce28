import Foundation
import MartletWire
import Synchronization

/// A console client as those of the clusterchat family were measured: a login's answer is what one `recv` of 1024 bytes
/// gives, and from then on whatever a `recv` gives is one message. What such a client would crash at, or lose, is a
/// breach, and every wait ends with it.
package final class ClusterChatConsole: Sendable {
    struct Screen: Sendable {
        let family: ClusterChatFamily
        var answer: ClusterChatLogin?
        var lines: [ClusterChatLine] = []
        var breach: String?
        var isClosed = false
    }

    /// Of what one `recv` takes, in bytes; the client puts a zero byte behind it.
    static let buffer = 1024

    package let family: ClusterChatFamily
    private let socket: ConsoleSocket
    private let screen: Watched<Screen>

    private init(port: Int, _ family: ClusterChatFamily) throws {
        self.family = family
        socket = try ConsoleSocket(port: port)
        screen = Watched(Screen(family: family))
    }

    deinit { socket.shutDown() }

    /// Connects and signs in.
    package static func signedIn(
        port: Int, _ family: ClusterChatFamily, _ id: Int64, _ password: String = testPassword
    ) async throws -> (console: ClusterChatConsole, login: ClusterChatLogin) {
        let console = try ClusterChatConsole(port: port, family)
        console.send(family.login(id, password))
        let (socket, screen) = (console.socket, console.screen)
        // A thread of its own, as these clients have one: on a loop that others keep busy it would read late.
        Thread.detachNewThread {
            while let bytes = socket.receive(atMost: buffer) { screen.update { $0.take(bytes) } }
            screen.update { $0.isClosed = true }
        }
        let login = try await console.wait("a login") { $0.answer }
        return (console, login)
    }

    /// Sends an object with the zero byte behind it.
    package func send(_ object: String) { socket.send(Array(object.utf8) + [0]) }

    package var lines: [ClusterChatLine] { screen.value.lines }

    /// Waits until `condition` holds for all chat messages so far; returns them.
    @discardableResult
    package func waitLines(
        _ what: String, _ condition: @escaping @Sendable ([ClusterChatLine]) -> Bool
    ) async throws -> [ClusterChatLine] {
        try await wait(what) { condition($0.lines) ? $0.lines : nil }
    }

    /// Quits, as these clients do: the system ends the connection, and what comes then is refused. Returns all that was
    /// shown.
    package func leave() async throws -> [ClusterChatLine] {
        socket.shutDown()
        return try await screen.wait("a console's end") { screen in
            if let breach = screen.breach { throw ClusterChatBreach(description: breach) }
            return screen.isClosed ? screen.lines : nil
        }
    }

    private func wait<Value: Sendable>(
        _ what: String, _ condition: @escaping @Sendable (Screen) -> Value?
    ) async throws -> Value {
        try await screen.wait("\(what) at a console") { screen in
            if let breach = screen.breach { throw ClusterChatBreach(description: breach) }
            if let value = condition(screen) { return value }
            if screen.isClosed { throw ConnectionLost("\(what) at a console") }
            return nil
        }
    }
}

extension ClusterChatConsole.Screen {
    /// What one `recv` gave.
    fileprivate mutating func take(_ read: [UInt8]) {
        let message = Array(read.prefix { $0 != 0 })
        if read.count >= ClusterChatConsole.buffer {
            breach = breach ?? "a read is full: \(read.count) bytes"
        } else if read.count > message.count + 1 {
            breach = breach ?? "a read holds more than one message: \(String(decoding: read, as: UTF8.self))"
        }
        guard let value = try? JSONValue(parsing: message, depth: 64), case .object = value else {
            breach = breach ?? "a read is no object: \(String(decoding: read, as: UTF8.self))"
            return
        }
        guard answer != nil else {
            answer = ClusterChatLogin(json: value, family: family, bytes: read.count)
            return
        }
        // Numbers that it does not know are passed over; a chat message without all of its fields ends the client.
        let number = value["msgid"]?.integer.map { Int($0) }
        guard number == family.chat || number == family.groupChat else { return }
        guard let line = ClusterChatLine(value, family) else {
            breach = breach ?? "a message lacks a field: \(String(decoding: message, as: UTF8.self))"
            return
        }
        lines.append(line)
    }
}

/// A blocking socket. The thread that reads closes it.
private final class ConsoleSocket: Sendable {
    private let descriptor: Mutex<Int32?>
    private let number: Int32

    init(port: Int) throws {
        #if canImport(Glibc)
            let kind = Int32(SOCK_STREAM.rawValue)
        #else
            let kind = SOCK_STREAM
        #endif
        let number = socket(AF_INET, kind, 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(number, $0, size) }
        }
        guard result == 0 else {
            close(number)
            throw ConnectionLost("a console's connection")
        }
        self.number = number
        descriptor = Mutex(number)
    }

    /// One that does not go out whole ends in a wait for what it asked for.
    func send(_ bytes: [UInt8]) {
        descriptor.withLock { descriptor in
            guard let descriptor else { return }
            var rest = bytes[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
                guard count > 0 else { return }
                rest = rest.dropFirst(count)
            }
        }
    }

    /// What one `recv` gives; nil at the end, when the socket is closed.
    func receive(atMost count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var taken = -1
        repeat {
            taken = bytes.withUnsafeMutableBytes { recv(number, $0.baseAddress, count, 0) }
        } while taken < 0 && errno == EINTR
        if taken > 0 { return Array(bytes.prefix(taken)) }
        descriptor.withLock { descriptor in
            if let number = descriptor { close(number) }
            descriptor = nil
        }
        return nil
    }

    func shutDown() {
        descriptor.withLock { descriptor in
            if let descriptor { _ = shutdown(descriptor, Int32(SHUT_RDWR)) }
        }
    }
}
