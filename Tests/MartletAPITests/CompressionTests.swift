import CZlib
import Testing

@testable import MartletAPI

/// The page's files go out compressed to whoever takes that.
@Suite struct CompressionTests {
    @Test(arguments: ["gzip", "br, gzip;q=0.5", "GZIP", "*", "deflate, x-gzip", "identity;q=0, *;q=0.1", "gzip; q=1.0"])
    func compressesForWhoTakesIt(accepted: String) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/web/main.js", ["Accept-Encoding: \(accepted)"])
            #expect(answer.status == 200)
            #expect(answer["content-encoding"] == "gzip")
            #expect(answer["etag"] == "\"v2-gzip\"")
            #expect(answer["vary"] == "Accept-Encoding")
            #expect(answer["content-type"] == "text/javascript; charset=utf-8")
            #expect(answer["content-length"] == "\(answer.body.count)")
            #expect(answer.body.count < APIHouse.script.count / 10)
            #expect(gunzip(answer.body) == APIHouse.script)
        }
    }

    @Test(arguments: [nil, "", "identity", "gzip;q=0", "gzip;q=0.000, *", "*;q=0", "br", "gzipped", "gzip;q=x"])
    func leavesItForOthers(accepted: String?) async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/web/main.js", accepted.map { ["Accept-Encoding: \($0)"] } ?? [])
            #expect(answer["content-encoding"] == nil)
            #expect(answer["etag"] == "\"v2\"")
            #expect(answer["vary"] == "Accept-Encoding")
            #expect(answer.body == APIHouse.script)
        }
    }

    @Test func everyFormHasAVersionOfItsOwn() async throws {
        try await APIHouse().open { visitor in
            for (tag, accepted, status) in [
                ("\"v2-gzip\"", "gzip", 304), ("\"v2\"", "identity", 304), ("\"v2\"", "gzip", 200),
                ("\"v2-gzip\"", "identity", 200),
            ] {
                let answer = try await visitor.get(
                    "/web/main.js", ["If-None-Match: \(tag)", "Accept-Encoding: \(accepted)"])
                #expect(answer.status == status, "\(tag) \(accepted)")
                #expect(answer["etag"] == (accepted == "gzip" ? "\"v2-gzip\"" : "\"v2\""))
                #expect(answer["vary"] == "Accept-Encoding")
            }
        }
    }

    @Test func leavesWhatWouldNotBeSmaller() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.get("/", ["Accept-Encoding: gzip"])
            #expect(answer["content-encoding"] == nil)
            #expect(answer["vary"] == nil)
            #expect(answer.text == "<p>hi")
        }
        let noise = (0..<4000).map { _ in UInt8.random(in: 0...255) }
        #expect(Gzip.compress(noise) == nil)
        #expect(Gzip.compress([]) == nil)
    }

    @Test func aHeadSaysTheSame() async throws {
        try await APIHouse().open { visitor in
            let answer = try await visitor.send("HEAD", "/web/main.js", ["Accept-Encoding: gzip"])
            #expect(answer["content-encoding"] == "gzip")
            #expect(answer["content-length"].flatMap { Int($0) } ?? 0 > 0)
            #expect(answer.body.isEmpty)
        }
    }

    @Test func otherOriginsAreNamedBesides() async throws {
        var house = APIHouse()
        house.configuration.corsOrigins = ["https://chat.example.org"]
        try await house.open { visitor in
            let answer = try await visitor.get("/web/main.js", ["Accept-Encoding: gzip"])
            #expect(answer["vary"] == "Accept-Encoding, Origin")
        }
    }

    private func gunzip(_ bytes: [UInt8]) -> [UInt8]? {
        var stream = z_stream()
        guard inflateInit2_(&stream, 15 + 16, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size)) == Z_OK else {
            return nil
        }
        defer { inflateEnd(&stream) }
        var (input, output) = (bytes, [UInt8](repeating: 0, count: 1 << 20))
        let count: Int? = input.withUnsafeMutableBufferPointer { source in
            output.withUnsafeMutableBufferPointer { target in
                stream.next_in = source.baseAddress
                stream.avail_in = UInt32(source.count)
                stream.next_out = target.baseAddress
                stream.avail_out = UInt32(target.count)
                return inflate(&stream, Z_FINISH) == Z_STREAM_END ? target.count - Int(stream.avail_out) : nil
            }
        }
        return count.map { Array(output[..<$0]) }
    }
}
