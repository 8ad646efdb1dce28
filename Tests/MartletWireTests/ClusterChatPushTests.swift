import MartletCore
import MartletWire
import Testing

@Suite struct ClusterChatPushTests {
    private let seed = ClusterChat(.seed)

    /// The pieces of a push, which each end with a zero byte and fit a client's buffer.
    private func pieces(_ push: String?) throws -> [JSONValue] {
        let bytes = utf8(try #require(push))
        #expect(bytes.last == 0)
        return try bytes.dropLast().split(separator: 0, omittingEmptySubsequences: false).map {
            #expect($0.count < 1023)
            return try JSONValue(parsing: Array($0))
        }
    }

    private func message(_ kind: EventKind, _ body: String) -> String? {
        (try? pieces(seed.push(.chat(1, "alice", to: 2, kind: kind, body))))?.first?["msg"]?.string
    }

    @Test func givesItsOwnTimeWhereTheSenderGaveNone() throws {
        for time in ["", #","time":7"#, #","time":null"#, #","time":"\#(String(repeating: "x", count: 65))""#] {
            let piece = try pieces(seed.push(.chat(1, "alice", to: 2, #"{"text":"m"\#(time)}"#)))[0]
            #expect(piece["time"]?.string == ClusterChat.now)
        }
    }

    /// The rules of a content allow it of what its type does not know.
    @Test func losesNoMessageWhoseFieldsStandTwice() throws {
        let text = #"{"text":"m","time":"first","time":"second","x":1,"x":2}"#
        #expect(try pieces(seed.push(.chat(1, "alice", to: 2, text)))[0]["time"]?.string == "first")
        let image = message(.image, #"{"x":1,"url":"/a","x":2,"text":1,"text":2}"#)
        #expect(image == "[image] /a")
    }

    @Test func escapesAsTheServersOfTheFamilyDo() {
        let body = #"{"text":"\u0008\f\n\r\t\"\\\/\u0000\u001f\u007f\u00e9 \ud83d\udc4d","time":"\u0041\u0022"}"#
        let expected =
            #"{"id":1,"msg":"\b\f\n\r\t\"\\/\u0000\u001f"# + "\u{7F}é 👍"
            + #"","msgid":5,"name":"a\"b","time":"A\"","to":2}"# + "\0"
        #expect(seed.push(.chat(1, #"a"b"#, to: 2, body)) == expected)
    }

    @Test func namesThePeerOfTheSender() throws {
        for (sender, peer) in [(1, 2), (2, 1)] as [(Int64, Int64)] {
            let piece = try pieces(seed.push(.chat(sender, "x", to: peer, #"{"text":"m"}"#)))[0]
            #expect(piece["id"]?.integer == sender)
            #expect(piece["to"]?.integer == peer)
        }
    }

    @Test func hasNoWordForAnythingElse() {
        let body = #"{"text":"m"}"#
        for kind in EventKind.allCases where !kind.isMessage {
            #expect(seed.push(.chat(1, "a", group: 1, kind: kind, body)) == nil)
        }
        #expect(seed.push(.chat(1, "a", to: 2, nil)) == nil)
        #expect(seed.push(.chat(1, "a", body, in: .room(AppID(unchecked: 1), nil))) == nil)
        #expect(seed.push(.chat(1, "a", body, in: .inbox(UserID(unchecked: 1)))) == nil)
        #expect(seed.push(.chat(0, "", body, in: .direct(UserID(unchecked: 1), UserID(unchecked: 2)))) == nil)
        for unreadable in ["", "{", "{}", "[]", #"{"text":5}"#] {
            #expect(seed.push(.chat(1, "a", to: 2, unreadable)) == nil)
        }
    }

    @Test(arguments: [
        (EventKind.image, #"{"fileId":"f","url":"/files/f","name":"n"}"#, "[image] /files/f"),
        (.voice, #"{"fileId":"f","":"g","url":"/files/f"}"#, "[voice] /files/f"),
        (.video, #"{"fileId":"f","url":"/files/f"}"#, "[video] /files/f"),
        (.file, #"{"fileId":"f","url":"/files/f","name":"a \"b\".txt"}"#, #"[file] a "b".txt /files/f"#),
        (.file, #"{"fileId":"f","url":"/files/f"}"#, "[file] /files/f"),
        (.location, #"{"lat":48.10,"lon":-11,"name":"Café"}"#, "[location] Café 48.10,-11"),
        (.location, #"{"lat":1,"lon":2}"#, "[location] 1,2"), (.card, #"{"userId":7}"#, "[card] 7"),
        (.sticker, #"{"packId":1,"stickerId":2}"#, "[sticker]"),
        (.redpacket, #"{"packetId":"p","greeting":"good luck"}"#, "[redpacket] good luck"),
        (.forward, #"{"items":[],"title":"talk"}"#, "[forward] talk"), (.forward, #"{"items":[]}"#, "[forward]"),
        (.custom, #"{"text":{"deep":1}}"#, "[custom]"),
    ])
    func putsOtherKindsIntoWords(_ kind: EventKind, _ body: String, _ expected: String) {
        let message = message(kind, body)
        #expect(message == expected)
    }

    // MARK: Long texts

    @Test(arguments: ClusterChatNumbering.allCases)
    func splitsLongTexts(_ numbering: ClusterChatNumbering) throws {
        let chat = ClusterChat(numbering)
        var generator = SplitMix64(seed: 7)
        for length in [900, 930, 940, 950, 1000, 2000, 4096] {
            let texts = [
                String(repeating: "x", count: length), String(repeating: "語", count: length),
                String(repeating: "👍", count: length), String(repeating: "\"", count: length),
                String(repeating: "\u{1}", count: length), String(generator.text(length * 2).prefix(length)),
            ]
            for text in texts {
                for event in [
                    Event.chat(1, "alice", to: 2, #"{"text":\#(string(text))}"#),
                    .chat(1, "alice", group: 9, #"{"text":\#(string(text)),"time":"t"}"#),
                ] {
                    let pieces = try pieces(chat.push(event))
                    let joined = pieces.map { $0["msg"]?.string ?? "?" }.joined()
                    #expect(joined == text)
                    #expect(Array(joined.utf8) == Array(text.utf8))
                }
            }
        }
    }

    /// The last byte that fits, and one more.
    @Test func splitsNoEarlierThanItMust() throws {
        let frame = try #require(seed.push(.chat(1, "alice", to: 2, #"{"text":""}"#))).utf8.count
        for (extra, count) in [(0, 1), (1, 2)] {
            let text = String(repeating: "x", count: 1023 - frame + extra)
            let push = try #require(seed.push(.chat(1, "alice", to: 2, #"{"text":"\#(text)"}"#)))
            let pieces = try pieces(push)
            #expect(pieces.count == count)
            if count == 1 { #expect(push.utf8.count == 1023) }
        }
    }

    @Test func cutsANameThatLeavesNoRoom() throws {
        for name in [String(repeating: "語", count: 500), String(repeating: "\u{1}", count: 500)] {
            let event = Event.chat(
                maximumIdentifier, name, to: maximumIdentifier - 1,
                #"{"text":"\#(String(repeating: "y", count: 3000))","time":"\#(String(repeating: "t", count: 64))"}"#)
            let pieces = try pieces(seed.push(event))
            #expect(pieces.count > 3)
            let shown = try #require(pieces[0]["name"]?.string)
            #expect(name.hasPrefix(shown))
            #expect(!shown.isEmpty)
        }
    }

    // MARK: Time

    @Test func writesTheLocalTime() {
        let text = ClusterChatTime.local(Instant(milliseconds: 1_700_000_000_000))
        let shape = text.utf8.map { (0x30...0x39).contains($0) ? UInt8(ascii: "0") : $0 }
        #expect(String(decoding: shape, as: UTF8.self) == "0000-00-00 00:00:00")
        // No time zone is more than a day away.
        #expect(text.hasPrefix("2023-11-1"))
    }

    @Test(arguments: [Int64.min, -1, 0, maximumIdentifier, .max])
    func hasATimeForEveryInstant(_ milliseconds: Int64) {
        let text = ClusterChatTime.local(Instant(milliseconds: milliseconds))
        #expect((19...64).contains(text.utf8.count))
    }
}
