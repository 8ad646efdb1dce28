import MartletCore
import MartletWire
import Testing

/// Nothing that a peer sends may stop the program, and what is answered is JSON or the one plain text.
@Suite struct GoWebSocketFuzzTests {
    private static let messages = [
        #"{"seq":"0","cmd":"heartbeat","data":{}}"#,
        #"{"seq":"1569080188418-747717","cmd":"ping"}"#,
        #"{"seq":"5","cmd":"login","data":{"serviceToken":"a.b","userId":"黄帝","appId":101}}"#,
        #"{ "SEQ" : "\u0031\"" , "data":{"userID":"\ud83d\ude00","appID":104,"x":[1,-2.5e3,null]}, "cmd":"log\u0069n" }"#,
        #"{"seq":"8","cmd":"nosuch","data":[true,false,{"a":"b"}]}"#,
        "null",
    ]

    /// What a session does with a message: invalid UTF-8 never gets to a dialect.
    private func stands(_ message: [UInt8], isSignedIn: Bool) throws {
        let trial = GoWebSocketTrial(isSignedIn: isSignedIn)
        let answer = try #require(trial.answer(message))
        if answer == "数据不合法" { return }
        let value = try parse(answer)
        #expect(value["response"]?["code"]?.integer != nil)
    }

    @Test func answersValidMessages() throws {
        for message in Self.messages {
            let trial = GoWebSocketTrial()
            #expect(trial.answer(message) != "数据不合法")
            for isSignedIn in [true, false] { try stands(utf8(message), isSignedIn: isSignedIn) }
        }
    }

    @Test func standsEveryCut() throws {
        for message in Self.messages {
            for count in 0..<message.utf8.count {
                let trial = GoWebSocketTrial()
                let answer = trial.answer(Array(message.utf8.prefix(count)))
                #expect(answer == "数据不合法")
            }
        }
    }

    /// Also with bytes that are not UTF-8, which must not stop the dialect either.
    @Test func standsEveryOtherByte() {
        for message in Self.messages {
            for index in 0..<message.utf8.count {
                for byte in UInt8.min ... .max {
                    var bytes = utf8(message)
                    bytes[index] = byte
                    let trial = GoWebSocketTrial()
                    if UTF8Validator.isValid(bytes.span) {
                        #expect(trial.answer(bytes) != nil)
                    } else if let head = try? trial.dialect.head(bytes.span) {
                        _ = try? trial.dialect.command(head, bytes.span)
                        _ = trial.dialect.answer(head.ticket, nil, trial.allocator)
                    }
                }
            }
        }
    }

    @Test func standsMutatedMessages() throws {
        var random = SplitMix64(seed: 2022)
        var tried = 0
        while tried < 20_000 {
            var message = utf8(Self.messages[tried % Self.messages.count])
            for _ in 0...random.below(2) { message = random.mutated(message) }
            guard UTF8Validator.isValid(message.span) else { continue }
            tried += 1
            try stands(message, isSignedIn: tried % 2 == 0)
        }
    }

    @Test func answersMadeUpRequests() throws {
        var random = SplitMix64(seed: 101)
        let commands = ["login", "ping", "heartbeat", "nosuch"]
        for _ in 0..<6_000 {
            let seq = random.chance(4) ? random.json(2) : string(random.text(40))
            let cmd = random.chance(6) ? random.json(1) : string(commands[random.below(commands.count)])
            let user = random.chance(3) ? random.json(1) : string(random.text(12))
            let app = random.chance(3) ? random.json(1) : "\(100 + random.below(6))"
            let data = random.chance(4) ? random.json(3) : "{\"userId\":\(user),\"appId\":\(app)}"
            let message = "{\"seq\":\(seq),\"cmd\":\(cmd),\"data\":\(data)}"
            try stands(utf8(message), isSignedIn: random.chance(2))
        }
    }
}
