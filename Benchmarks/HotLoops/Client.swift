import Foundation
import MartletCore
import MartletWire
import NIOCore

/// A signed-in client: a blocking socket, with next to nothing done for each frame, since it is counted with the server.
final class Client {
    private let socket: CInt
    private let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 64 * 1024, alignment: 8)
    private var unread = 0..<0
    private var last = 0..<0

    init(port: Int, _ user: UserID) throws {
        socket = Foundation.socket(AF_INET, CInt(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(port).bigEndian
        address.sin_addr.s_addr = in_addr_t(0x7F00_0001).bigEndian
        let code = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard code == 0 else { throw BrokenLoop("connecting: \(String(cString: strerror(errno)))") }
        // What does not come within a minute does not come.
        var patience = timeval(tv_sec: 60, tv_usec: 0)
        setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
        var now: CInt = 1
        setsockopt(socket, CInt(IPPROTO_TCP), TCP_NODELAY, &now, socklen_t(MemoryLayout<CInt>.size))
        try upgrade()
        try signIn(user)
    }

    deinit {
        close(socket)
        buffer.deallocate()
    }

    private func upgrade() throws {
        try send(UpgradeRequest.client(host: "127.0.0.1", key: UpgradeRequest.randomKey()))
        while true {
            try receive()
            let answer = Array(buffer[unread])
            switch UpgradeAnswer.read(answer.span) {
            case .incomplete: continue
            case .accepted(let headBytes): return unread = (unread.lowerBound + headBytes)..<unread.upperBound
            case .refused(let status): throw BrokenLoop("the upgrade was refused with \(status)")
            }
        }
    }

    private func signIn(_ user: UserID) throws {
        try send(Array(Samples.masked(NativeRequest.login(seq: "1", token: "\(user.value)")).readableBytesView))
        try receive(frames: 1)
        try expectLast(toContain: "\"code\":200")
    }

    func send(_ bytes: [UInt8]) throws {
        let sent = bytes.withUnsafeBytes {
            Foundation.send(socket, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL))
        }
        try expect(sent, is: bytes.count, "bytes sent")
    }

    /// Reads so many frames, all of them `size` bytes long.
    func receive(frames count: Int, size: Int) throws {
        let got = recv(socket, buffer.baseAddress, count * size, CInt(MSG_WAITALL))
        try expect(got, is: count * size, "bytes received")
        last = (got - size)..<got
    }

    /// Reads so many frames.
    func receive(frames count: Int) throws {
        var left = count
        while true {
            while left > 0, let size = frameSize(), size <= unread.count {
                last = unread.lowerBound..<(unread.lowerBound + size)
                unread = last.upperBound..<unread.upperBound
                left -= 1
            }
            if left == 0 { return }
            try receive()
        }
    }

    /// Checks the frame that came last.
    func expectLast(toContain text: String) throws {
        let frame = String(decoding: buffer[last], as: UTF8.self)
        guard frame.contains(text) else { throw BrokenLoop("\(text) is not in \(frame)") }
    }

    private func frameSize() -> Int? {
        guard unread.count >= 4 else { return nil }
        let length = Int(buffer[unread.lowerBound + 1])
        return length < 126
            ? 2 + length : 4 + Int(buffer[unread.lowerBound + 2]) << 8 + Int(buffer[unread.lowerBound + 3])
    }

    private func receive() throws {
        if unread.isEmpty { unread = 0..<0 }
        guard unread.upperBound < buffer.count, let base = buffer.baseAddress else { throw BrokenLoop("too much came") }
        let got = recv(socket, base + unread.upperBound, buffer.count - unread.upperBound, 0)
        guard got > 0 else { throw BrokenLoop("nothing came: \(String(cString: strerror(errno)))") }
        unread = unread.lowerBound..<(unread.upperBound + got)
    }
}
