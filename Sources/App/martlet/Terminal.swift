import Foundation
import MartletServer
import MartletWire

#if canImport(Glibc)
    import Glibc
#elseif canImport(Darwin)
    import Darwin
#endif

/// Standard input, output and error.
enum Terminal {
    static func print(_ line: String) { write(line + "\n", to: STDOUT_FILENO) }

    /// An answer that a program may read: one object, one line.
    static func print(json fill: (inout JSONObject) -> Void) {
        print(String(decoding: JSONWriter.object(fill), as: UTF8.self))
    }

    /// One line on standard error.
    static func complain(_ message: String) {
        let line = message.split(separator: "\n").first.map(String.init) ?? message
        write("martlet: \(line)\n", to: STDERR_FILENO)
    }

    static func write(_ text: String, to descriptor: Int32) {
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { send(descriptor, $0) }
            // Whoever read this has gone; there is nobody to tell.
            guard count > 0 else { return }
            rest = rest.dropFirst(count)
        }
    }

    /// A file of text, or standard input where it is `-`.
    static func text(of file: String) throws(OperatorFailure) -> String {
        let content =
            file == "-"
            ? try? FileHandle.standardInput.readToEnd() ?? Data() : FileManager.default.contents(atPath: file)
        guard let content else { throw OperatorFailure(.noInput, "\(file) can't be read") }
        guard let text = String(validating: content, as: UTF8.self) else {
            throw OperatorFailure(.badData, "\(file) is not UTF-8")
        }
        return text
    }

    /// A new password: from standard input where asked for, else typed twice without being shown. Never from the command line, which others
    /// can see.
    static func newPassword(fromInput: Bool) throws(OperatorFailure) -> String {
        if fromInput {
            guard let line = readLine(strippingNewline: true) else {
                throw OperatorFailure(.usage, "a password is expected on standard input")
            }
            return line
        }
        guard isatty(STDIN_FILENO) == 1 else {
            throw OperatorFailure(.usage, "there is no terminal to ask for a password; use --password-stdin")
        }
        let password = hidden("Password: ")
        guard password == hidden("Once more: ") else { throw OperatorFailure(.failed, "the two passwords differ") }
        return password
    }

    private static func hidden(_ prompt: String) -> String {
        write(prompt, to: STDERR_FILENO)
        var shown = termios()
        tcgetattr(STDIN_FILENO, &shown)
        var quiet = shown
        quiet.c_lflag &= ~tcflag_t(ECHO)
        tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet)
        defer {
            tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown)
            write("\n", to: STDERR_FILENO)
        }
        return readLine(strippingNewline: true) ?? ""
    }
}

private func send(_ descriptor: Int32, _ bytes: UnsafeRawBufferPointer) -> Int {
    write(descriptor, bytes.baseAddress, bytes.count)
}

/// How far a long command is, in one line of standard error; silent where that is no terminal.
struct ProgressBar {
    private static let width = 40

    let total: Int
    private let isShown = isatty(STDERR_FILENO) == 1

    init(total: Int) { self.total = total }

    /// Leaves the line of a bar that will not be full.
    static func leave() { if isatty(STDERR_FILENO) == 1 { Terminal.write("\n", to: STDERR_FILENO) } }

    func show(_ done: Int) {
        guard isShown, total > 0 else { return }
        let filled = Self.width * done / total
        let bar = String(repeating: "#", count: filled) + String(repeating: ".", count: Self.width - filled)
        Terminal.write("\r[\(bar)] \(done)/\(total)" + (done == total ? "\n" : ""), to: STDERR_FILENO)
    }
}
