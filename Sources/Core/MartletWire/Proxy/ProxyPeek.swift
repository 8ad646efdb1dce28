/// What the first bytes of a connection say about who is behind it: HAProxy's PROXY protocol, versions 1 and 2
/// (proxy-protocol.txt, sections 2.1 and 2.2).
///
/// The receiver must be told whether a header comes, and must not guess (section 2): whoever reads it with `read` has decided that one must come.
package enum ProxyPeek: Sendable, Equatable {
    /// More bytes are needed to tell.
    case incomplete
    /// A whole header of so many bytes. `source` is the client that the proxy speaks for; nil where the proxy speaks for itself (LOCAL), or does not
    /// say for whom (UNKNOWN, UNSPEC, and what is no internet stream): then the connection's own other end holds.
    case header(source: IPAddress?, bytes: Int)
    /// Not a header that may be believed. The connection is to be closed.
    case refused(ProxyViolation)

    /// A line of version 1, its end included: the longest that the specification knows.
    package static let maximumLine = 107
    /// What follows the first 16 bytes of version 2, its extensions included; the specification asks for 536 in all.
    package static let maximumBlock = 536

    private static let line: StaticString = "PROXY "
    private static let signature: StaticString = "\r\n\r\n\0\r\nQUIT\n"

    /// Reads a header that must be there, deciding as early as the bytes allow. Extensions are skipped.
    package static func read(_ bytes: Span<UInt8>) -> ProxyPeek {
        switch (begins(bytes, line), begins(bytes, signature)) {
        case (true, _): readLine(bytes)
        case (_, true): readBlock(bytes)
        case (false, false): .refused(.missing)
        default: .incomplete
        }
    }

    /// Whether a header begins here, where none may be; nil while the bytes are too few to tell.
    package static func isHeader(_ bytes: Span<UInt8>) -> Bool? {
        switch (begins(bytes, line), begins(bytes, signature)) {
        case (true, _), (_, true): true
        case (false, false): false
        default: nil
        }
    }

    private static func begins(_ bytes: Span<UInt8>, _ text: StaticString) -> Bool? {
        let count = min(bytes.count, text.utf8CodeUnitCount)
        for index in 0..<count where bytes[index] != text.utf8Start[index] { return false }
        return count == text.utf8CodeUnitCount ? true : nil
    }
}

/// Why a connection's PROXY header is not accepted.
package enum ProxyViolation: String, Sendable, CaseIterable {
    /// A trusted proxy did not begin with a header.
    case missing
    /// It does not keep to its grammar.
    case malformed
    case tooLong = "too_long"
    /// A version or a command that is not known.
    case unsupported
    /// It came from an address that is not trusted.
    case unexpected
}

// MARK: Version 1

extension ProxyPeek {
    private static func readLine(_ bytes: Span<UInt8>) -> ProxyPeek {
        let end = min(bytes.count, maximumLine)
        var index = line.utf8CodeUnitCount
        while index + 1 < end, bytes[index] != 0x0D || bytes[index + 1] != 0x0A { index += 1 }
        guard index + 1 < end else { return bytes.count < maximumLine ? .incomplete : .refused(.tooLong) }
        let text = String(decoding: (line.utf8CodeUnitCount..<index).map { bytes[$0] }, as: UTF8.self)
        let fields = text.split(separator: " ", omittingEmptySubsequences: false)
        // What else the line says is to be ignored.
        if fields.first == "UNKNOWN" { return .header(source: nil, bytes: index + 2) }
        guard fields.count == 5, isPort(fields[3]), isPort(fields[4]), let source = address(fields[0], fields[1]),
            address(fields[0], fields[2]) != nil
        else { return .refused(.malformed) }
        return .header(source: source, bytes: index + 2)
    }

    private static func address(_ family: Substring, _ text: Substring) -> IPAddress? {
        switch family {
        case "TCP4": IPAddress(v4: String(text))
        case "TCP6": IPAddress(v6: String(text))
        default: nil
        }
    }

    /// 0 to 65535, without leading zeros.
    private static func isPort(_ text: Substring) -> Bool {
        guard let port = UInt16(text) else { return false }
        return String(port) == text
    }
}

// MARK: Version 2

extension ProxyPeek {
    /// The signature, version and command, family and protocol, and the block's length in two bytes.
    private static let fixedBytes = 16

    private static func readBlock(_ bytes: Span<UInt8>) -> ProxyPeek {
        guard bytes.count > 12 else { return .incomplete }
        let (version, command) = (bytes[12] >> 4, bytes[12] & 0x0F)
        guard version == 2, command <= 1 else { return .refused(.unsupported) }
        guard bytes.count >= fixedBytes else { return .incomplete }
        let block = Int(bytes[14]) << 8 | Int(bytes[15])
        guard block <= maximumBlock else { return .refused(.tooLong) }
        // LOCAL: the proxy's own connection, as for its health checks. The family is ignored.
        let isLocal = command == 0
        guard isLocal || minimumBlock(bytes[13]).map({ block >= $0 }) == true else { return .refused(.malformed) }
        guard bytes.count >= fixedBytes + block else { return .incomplete }
        return .header(source: isLocal ? nil : source(bytes), bytes: fixedBytes + block)
    }

    /// How long a block of this family and protocol is at least; nil for those that must be refused.
    private static func minimumBlock(_ kind: UInt8) -> Int? {
        guard kind & 0x0F <= 2 else { return nil }
        return switch kind >> 4 {
        case 0: 0
        case 1: 12
        case 2: 36
        case 3: 216
        default: nil
        }
    }

    private static func source(_ bytes: Span<UInt8>) -> IPAddress? {
        func number(_ count: Int) -> UInt128 {
            (fixedBytes..<(fixedBytes + count)).reduce(0) { $0 << 8 | UInt128(bytes[$1]) }
        }
        return switch bytes[13] {
        case 0x11: IPAddress(v4: UInt32(truncatingIfNeeded: number(4)))
        case 0x21: IPAddress(v6: number(16))
        // Without an internet stream behind it, the receiver falls back to the connection's own ends.
        default: nil
        }
    }
}
