import MartletCore
import MartletWire
import Testing

@testable import MartletAPI

/// How forms of several parts are read, and that nothing else is.
@Suite struct GoWebSocketMultipartTests {
    private func form(_ type: String) throws(Fault) -> MultipartForm {
        try MultipartForm(try HeaderParameters(Array(type.utf8)[...]))
    }

    /// `name=value` of each field, in order.
    private func fields(_ body: String, _ boundary: String = "b") throws(Fault) -> [String] {
        try fields(Array(body.utf8), boundary)
    }

    private func fields(_ body: [UInt8], _ boundary: String = "b") throws(Fault) -> [String] {
        try form("multipart/form-data; boundary=\"\(boundary)\"").fields(body).map { "\($0.name)=\($0.value)" }
    }

    private static func part(_ name: String, _ value: String) -> String {
        "--b\r\nContent-Disposition: form-data; name=\"\(name)\"\r\n\r\n\(value)\r\n"
    }

    // MARK: What clients send

    @Test func readsWhatCurlSends() throws {
        let boundary = "------------------------f9d2c78ed350c33c"
        let body = [
            "--\(boundary)", "Content-Disposition: form-data; name=\"appId\"", "", "101",
            "--\(boundary)", "Content-Disposition: form-data; name=\"userId\"", "", "马远",
            "--\(boundary)", "Content-Disposition: form-data; name=\"message\"", "", "a\nb c",
            "--\(boundary)--", "",
        ]
        let read = try fields(body.joined(separator: "\r\n"), boundary)
        #expect(read == ["appId=101", "userId=马远", "message=a\nb c"])
    }

    @Test(arguments: [
        "Content-Disposition: form-data; name=x", "content-disposition:form-data;name=\"x\"",
        "CONTENT-DISPOSITION: \tFORM-DATA ; NAME=\"x\" ", "Content-Disposition: form-data; name=\"\\x\";",
        "Content-Disposition: form-data; charset=utf-8; ; name=\"x\"",
        "Content-Type: text/plain; charset=UTF-8\r\nContent-Disposition: form-data; name=\"x\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Length: 5\r\nContent-Transfer-Encoding: 8bit",
    ])
    func readsEverySpellingOfAHead(head: String) throws {
        let read = try fields("--b\r\n\(head)\r\n\r\n v=1 \r\n--b--\r\n")
        #expect(read == ["x= v=1 "])
    }

    @Test(arguments: [
        "", "\r\n", "\r\n\r\n", "a\r\n-b", "a--b", "\r--b", "\r\r\n-", "\t\u{1F600}",
    ])
    func keepsAValueAsItIs(value: String) throws {
        let both = try fields(Self.part("x", value) + Self.part("y", "") + "--b--")
        #expect(both == ["x=\(value)", "y="])
    }

    @Test(arguments: [
        "--b--", "\r\n--b--\r\n", "--b-- \r\n\r\n",
    ])
    func readsAFormWithoutFields(body: String) throws {
        let read = try fields(body)
        #expect(read.isEmpty)
    }

    @Test(arguments: ["--b  \r\n", "\r\n--b\t\r\n"])
    func readsBlanksBehindABoundary(first: String) throws {
        let read = try fields("\(first)Content-Disposition: form-data; name=x\r\n\r\n--b \r\n" + Self.rest)
        #expect(read == ["x=", "y=1"])
    }

    private static let rest = "Content-Disposition: form-data; name=y\r\n\r\n1\r\n--b--"

    // MARK: Boundaries

    @Test(arguments: [
        ("boundary=b", "b"), ("boundary=\"b\"", "b"), ("charset=utf-8; BOUNDARY=Bb", "Bb"), ("boundary=\"a b\"", "a b"),
        ("boundary=----=_Part_1.2", "----=_Part_1.2"), ("boundary=\"'()+_,-./:=?\"", "'()+_,-./:=?"),
        ("boundary=" + String(repeating: "x", count: 70), String(repeating: "x", count: 70)),
    ])
    func takesABoundary(parameter: String, boundary: String) throws {
        let fields = try form("multipart/form-data; \(parameter)").fields(
            Array("--\(boundary)\r\nContent-Disposition: form-data; name=x\r\n\r\n1\r\n--\(boundary)--".utf8))
        #expect(fields.map(\.value) == ["1"])
    }

    @Test(arguments: [
        "", ";", "; boundary", "; boundary=", "; boundary=\"\"", "; boundary=\"b", "; boundary=\"b\\",
        "; boundary=\"b \"",
        "; boundary=b; boundary=b", "; boundary=a b", "; boundary=a\"b\"", "; boundary=\"b\"c", "; boundary=\"a*b\"",
        "; boundary=é", "; boundary=\"a\u{1}b\"", "; boundary =b", "; boundary= b",
        "; boundary=" + String(repeating: "x", count: 71),
    ])
    func refusesAnotherBoundary(parameters: String) {
        #expect(throws: Fault.self) { try form("multipart/form-data\(parameters)") }
    }

    // MARK: What is refused

    @Test(arguments: [
        "", "\r\n", "x", "--", "--c--", "x\r\n--b--", "\r\n\r\n--b--", "--b--x", "--b-", "--b", "--b\r", "--b\r\n",
        "--bb--", "--b\n--b--", "--bx\r\n" + rest, "--bxx" + rest, "--b\n" + rest,
        part("x", "1") + "--b", part("x", "1") + "--bc\r\n" + rest, part("x", "1") + "--b--\r\nmore",
        part("x", "a\r\n--bc") + "--b--", part("x", "1").replacing("\r\n", with: "\n") + "--b--",
        part("x", "\0") + "--b--", part("x", "\u{7F}") + "--b--",
    ])
    func refusesWhatIsNoForm(body: String) {
        #expect(throws: Fault.self) { try fields(body) }
    }

    @Test(arguments: [
        "", "X: y", "Content-Disposition", "Content-Disposition:", "Content-Disposition: form-data",
        "Content-Disposition: attachment; name=\"x\"", "Content-Disposition: form-data; name=",
        "Content-Disposition: form-data; name=\"x", "Content-Disposition: form-data; name=\"x\"y",
        "Content-Disposition: form-data; name=\"x\"; name=\"y\"", "Content-Disposition: form-data, name=\"x\"",
        "Content-Disposition: form-data; name=\"x\"\r\nContent-Disposition: form-data; name=\"x\"",
        "Content-Disposition: form-data;\r\n name=\"x\"", "Content-Disposition : form-data; name=\"x\"",
        "Content-Disposition: form-data; name=\"x\u{1}\"", "Content-Disposition: form-data; name=\"x\"\nX: y",
        "Content-Disposition: form-data; name=\"x\"\r\n: y", "Content-Disposition: form-data; name=\"x\"\r\nX: \u{0}",
    ])
    func refusesAPartWithAnotherHead(head: String) {
        #expect(throws: Fault.self) { try fields("--b\r\n\(head)\r\n\r\n1\r\n--b--") }
    }

    @Test(arguments: [
        "; filename=\"a.txt\"", "; filename=\"\"", "; FileName=a", "; filename*=UTF-8''a",
        "\r\nContent-Type: multipart/mixed; boundary=c", "\r\nContent-Transfer-Encoding: base64",
        "\r\nContent-Transfer-Encoding: quoted-printable",
    ])
    func refusesFilesAndWhatIsEncoded(more: String) {
        #expect(throws: Fault.self) {
            try fields("--b\r\nContent-Disposition: form-data; name=\"x\"\(more)\r\n\r\nMQ==\r\n--b--")
        }
    }

    @Test func refusesWhatIsNotUTF8() {
        let (before, behind) = (Array(Self.part("x", "").utf8.dropLast(2)), Array("\r\n--b--".utf8))
        #expect(throws: Fault.self) { try fields(before + [0xC3, 0x28] + behind) }
        #expect(throws: Fault.self) {
            try fields(
                Array("--b\r\nContent-Disposition: form-data; name=\"".utf8) + [0xFF] + Array("\"\r\n\r\n".utf8)
                    + behind)
        }
    }

    @Test func bounds() throws {
        let parts = String(repeating: Self.part("x", "1"), count: MultipartForm.maximumParts)
        let most = try fields(parts + "--b--")
        #expect(most.count == MultipartForm.maximumParts)
        #expect(throws: Fault.self) { try fields(parts + Self.part("x", "1") + "--b--") }

        let head = "Content-Disposition: form-data; name=x\r\nX: "
        func body(_ count: Int) -> String {
            let pad = String(repeating: "x", count: count - head.utf8.count - 4)
            return "--b\r\n\(head)\(pad)\r\n\r\n1\r\n--b--"
        }
        let longest = try fields(body(MultipartForm.maximumHead))
        #expect(longest == ["x=1"])
        #expect(throws: Fault.self) { try fields(body(MultipartForm.maximumHead + 1)) }
    }

    // MARK: Cut off, damaged, made up

    private static let sample = part("appId", "101") + part("userID", "马远") + part("message", "a\r\nb--\r\n") + "--b--"

    @Test func refusesEveryCut() {
        for count in 0..<Self.sample.utf8.count {
            #expect(throws: Fault.self) { try fields(Array(Self.sample.utf8.prefix(count))) }
        }
    }

    /// A damaged form is refused, or read as what then stands there: never more parts than were sent.
    @Test func standsEveryDamage() {
        let others: [UInt8] = [0, 9, 10, 13, 32, 34, 45, 58, 59, 61, 92, 98, 0x7F, 0x80, 0xFF]
        for index in 0..<Self.sample.utf8.count {
            for other in others {
                var bytes = Array(Self.sample.utf8)
                bytes[index] = other
                guard let read = try? fields(bytes) else { continue }
                #expect((1...3).contains(read.count))
            }
        }
    }

    /// Whatever is written as the standard has it is read as it was meant.
    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func readsWhatItWrote(seed: UInt64) throws {
        var dice = Dice(seed: seed)
        let pieces = [
            "", "\r\n", "\r", "\n", "-", "--", "\r\n-", "\r\n--", "b", "x", "马", "\r\n\r\n", "Content-", ":", "\"",
        ]
        for _ in 0..<200 {
            let sent = (0..<dice.below(6)).map { _ in
                let value = (0..<dice.below(9)).map { _ in pieces[dice.below(pieces.count)] }.joined()
                return (["appId", "x", "a b", "é"][dice.below(4)], value)
            }
            // No composer would take this boundary for such a value.
            guard sent.allSatisfy({ !Self.holdsBoundary($0.1) }) else { continue }
            let read = try fields(sent.map { Self.part($0.0, $0.1) }.joined() + "--b--\r\n")
            #expect(read == sent.map { "\($0.0)=\($0.1)" })
        }
    }

    private static func holdsBoundary(_ value: String) -> Bool {
        let (bytes, boundary) = (Array("\r\n\(value)".utf8), Array("\r\n--b".utf8))
        return bytes.indices.contains { bytes[$0...].starts(with: boundary) }
    }

    @Test(arguments: 1...20 as ClosedRange<UInt64>)
    func standsEverything(seed: UInt64) {
        var dice = Dice(seed: seed)
        let words = ["\r\n", "--b", "--b--", "\r\n\r\n", "\"", "; name=x", "Content-Disposition:", "\0", "filename=a"]
        for _ in 0..<200 {
            var bytes = Array(Self.sample.utf8)
            for _ in 0...dice.below(4) {
                let place = dice.below(bytes.count + 1)
                let end = min(bytes.count, place + dice.below(12))
                switch dice.below(4) {
                case 0: bytes.insert(contentsOf: words[dice.below(words.count)].utf8, at: place)
                case 1: bytes.replaceSubrange(place..<end, with: words[dice.below(words.count)].utf8)
                case 2: bytes.removeSubrange(place..<end)
                default: bytes.insert(contentsOf: bytes[place..<end], at: dice.below(bytes.count + 1))
                }
            }
            guard let read = try? fields(bytes) else { continue }
            let total = read.reduce(0) { $0 + $1.utf8.count }
            #expect(read.count <= MultipartForm.maximumParts && total <= bytes.count)
            let isClean = read.allSatisfy { $0.utf8.allSatisfy { !FormText.isControl($0, lines: true) } }
            #expect(isClean)
        }
    }
}

/// The same numbers for the same seed (SplitMix64).
private struct Dice {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func below(_ bound: Int) -> Int {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return Int((mixed ^ (mixed >> 31)) % UInt64(bound))
    }
}
