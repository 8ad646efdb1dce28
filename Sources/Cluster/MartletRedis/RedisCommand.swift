import NIOCore

/// A command as it goes over the wire. It is written where it is made, so that a connection's loop only copies.
package struct RedisCommand: Sendable {
    package var bytes: ByteBuffer

    package init(_ arguments: String...) { self.init(arguments) }

    package init(_ arguments: [String]) {
        bytes = ByteBuffer()
        bytes.writeCommandHead(arguments: arguments.count)
        for argument in arguments { bytes.writeArgument(argument) }
    }

    /// Asks whether the server is there, and has answered all that was sent before. A Redis that can't save refuses PING,
    /// and goes on with everything that writes nothing.
    package static let probe = RedisCommand("ECHO", "martlet")
}

extension ByteBuffer {
    /// Begins a command; that many arguments follow, its name included.
    package mutating func writeCommandHead(arguments: Int) {
        writeInteger(UInt8(ascii: "*"))
        writeLine(arguments)
    }

    package mutating func writeArgument(_ text: String) {
        writeArgumentHead(bytes: text.utf8.count)
        writeString(text)
        writeArgumentEnd()
    }

    /// Begins an argument; that many bytes follow, and then `writeArgumentEnd`.
    package mutating func writeArgumentHead(bytes: Int) {
        writeInteger(UInt8(ascii: "$"))
        writeLine(bytes)
    }

    package mutating func writeArgumentEnd() { writeInteger(0x0D0A as UInt16) }

    private mutating func writeLine(_ number: Int) {
        writeString(String(number))
        writeInteger(0x0D0A as UInt16)
    }
}
