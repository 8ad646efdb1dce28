import CZlib

/// Compresses what is made once and served often.
enum Gzip {
    /// As `Content-Encoding: gzip` has it; nil where that saves less than a tenth. The same bytes give the same result.
    static func compress(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        let window = 15 + 16  // The largest, in the format of gzip.
        guard
            deflateInit2_(
                &stream, Z_BEST_COMPRESSION, Z_DEFLATED, Int32(window), 9, Z_DEFAULT_STRATEGY, ZLIB_VERSION,
                Int32(MemoryLayout<z_stream>.size)) == Z_OK
        else { return nil }
        defer { deflateEnd(&stream) }
        // Where the room is not enough, it is not worth it.
        var (input, output) = (bytes, [UInt8](repeating: 0, count: bytes.count * 9 / 10))
        let count: Int? = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return deflate(&stream, Z_FINISH) == Z_STREAM_END ? target.count - Int(stream.avail_out) : nil
            }
        }
        return count.map { Array(output[..<$0]) }
    }

    /// Whether an `Accept-Encoding` takes gzip (RFC 9110, section 12.5.3); without the field the plain form goes out.
    static func isAccepted(by field: String?) -> Bool {
        var byDefault = false
        for part in (field ?? "").lowercased().split(separator: ",") {
            let words = part.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" } }
            guard let coding = words.first else { continue }
            let weight = words.dropFirst().first { $0.hasPrefix("q=") }.map { Double($0.dropFirst(2)) ?? 0 } ?? 1
            if coding == "gzip" || coding == "x-gzip" { return weight > 0 }
            if coding == "*" { byDefault = weight > 0 }
        }
        return byDefault
    }
}
