import MartletCore
import MartletWire
import Testing

@Suite struct ClusterChatWelcomeTests {
    private let seed = ClusterChat(.seed)

    /// What an answer says, with the strings in it read as the JSON that they are.
    private struct Answer {
        var friends: [JSONValue]
        var groups: [JSONValue]
        var users: [[JSONValue]]
        var messages: [JSONValue]
        let size: Int

        init(_ text: String) throws {
            let bytes = utf8(text)
            size = bytes.count
            #expect(bytes.last == 0)
            #expect(size <= 1023)
            let answer = try JSONValue(parsing: bytes.dropLast())
            #expect(answer["errno"]?.integer == 0)
            #expect(answer["name"]?.string?.isEmpty == false)
            friends = try Self.strings(answer, "friends")
            groups = try Self.strings(answer, "groups")
            messages = try Self.strings(answer, "offlinemsg")
            users = try groups.map { group in try (group["users"]?.array ?? []).map { try Self.inner($0) } }
        }

        private static func inner(_ value: JSONValue) throws -> JSONValue { try parse(try #require(value.string)) }

        private static func strings(_ answer: JSONValue, _ key: String) throws -> [JSONValue] {
            guard let value = answer[key] else { return [] }
            let items = try #require(value.array)
            #expect(!items.isEmpty)
            return try items.map { try inner($0) }
        }
    }

    private func people(_ count: Int) -> [Roster.Person] {
        (1...max(count, 1)).prefix(count).map { Roster.person(Int64($0), "user\($0)") }
    }

    private func groups(_ count: Int, members: Int, description: String = "about") -> [Roster.Group] {
        (1...max(count, 1)).prefix(count).map {
            Roster.Group(
                id: GroupID(unchecked: Int64($0)), name: "group\($0)", description: description,
                members: people(members).map { Roster.Member($0, .member) })
        }
    }

    private func messages(_ count: Int, _ text: String = "hello") -> [Event] {
        (1...max(count, 1)).prefix(count).map { .chat(2, "bob", to: 1, #"{"text":"\#(text) \#($0)"}"#) }
    }

    @Test func givesEachOfThreeThatAreTooLongSomething() throws {
        let welcome = seed.welcome(
            1, "alice", .of(friends: people(5000), groups: groups(20, members: 20_000), missed: messages(1000)))
        let answer = try Answer(welcome.text)
        #expect(answer.friends.count >= 4)
        #expect(answer.groups.count >= 2)
        #expect(answer.messages.count >= 2)
        #expect(welcome.missed == answer.messages.count)
        #expect(answer.size > 900)
    }

    @Test func givesOneAloneAllTheRoom() throws {
        let friends = try Answer(seed.welcome(1, "alice", .of(friends: people(5000))).text)
        #expect(friends.friends.count > 15)
        let groups = try Answer(seed.welcome(1, "alice", .of(groups: groups(1, members: 500))).text)
        #expect(groups.users[0].count >= 8)
        #expect(groups.size > 1023 - 120)
        let missed = try Answer(seed.welcome(1, "alice", .of(missed: messages(500))).text)
        #expect(missed.messages.count > 7)
    }

    @Test func leavesNothingOutWhereAllFits() throws {
        let welcome = seed.welcome(
            1, "alice", .of(friends: people(3), groups: groups(2, members: 2), missed: messages(1)))
        let answer = try Answer(welcome.text)
        #expect(answer.friends.count == 3)
        #expect(answer.users.map(\.count) == [2, 2])
        #expect(welcome.missed == 1)
    }

    @Test func cutsMembersBeforeGroups() throws {
        let answer = try Answer(seed.welcome(1, "alice", .of(groups: groups(8, members: 100))).text)
        #expect(answer.groups.count == 8)
        let counts = answer.users.map(\.count)
        #expect((counts.max() ?? 0) - (counts.min() ?? 0) <= 1)
    }

    /// Members take what groups leave to the last byte, wherever that is, and no byte more.
    @Test func losesNoGroupToMembersOfOthers() throws {
        for length in 1...120 {
            let name = String(repeating: "n", count: length)
            let answer = try Answer(seed.welcome(1, name, .of(groups: groups(8, members: 100))).text)
            #expect(answer.groups.count == 8)
        }
    }

    @Test func cutsDescriptionsBeforeGroups() throws {
        let long = String(repeating: "\"語", count: 200)
        let answer = try Answer(seed.welcome(1, "alice", .of(groups: groups(2, members: 0, description: long))).text)
        #expect(answer.groups.count == 2)
        for group in answer.groups { #expect(long.hasPrefix(group["groupdesc"]?.string ?? "?")) }
    }

    /// The pushes behind the answer begin where it stopped.
    @Test func takesMissedMessagesInOrderUpToOneThatDoesNotFit() throws {
        let long = Event.chat(2, "bob", to: 1, #"{"text":"\#(String(repeating: "x", count: 3000))"}"#)
        let welcome = seed.welcome(1, "alice", .of(missed: messages(2) + [long] + messages(2)))
        let answer = try Answer(welcome.text)
        #expect(answer.messages.map { $0["msg"]?.string } == ["hello 1", "hello 2"])
        #expect(welcome.missed == 2)
    }

    @Test func passesOverWhatTheClientIsNotShown() throws {
        let own = Event.chat(1, "alice", to: 2, #"{"text":"mine"}"#)
        let recalled = Event.chat(2, "bob", to: 1, nil)
        let edit = Event.chat(2, "bob", to: 1, kind: .edit, #"{"text":"x"}"#)
        let welcome = seed.welcome(1, "alice", .of(missed: [own, recalled] + messages(1) + [edit, own]))
        #expect(welcome.missed == 5)
        let answer = try Answer(welcome.text)
        #expect(answer.messages.map { $0["msg"]?.string } == ["hello 1"])
        let nothing = seed.welcome(1, "alice", .of(missed: [own, edit]))
        #expect(nothing.missed == 2)
        #expect(nothing.text == #"{"errno":0,"id":1,"msgid":2,"name":"alice"}"# + "\0")
    }

    @Test func holdsAMissedMessageAsItWouldBePushed() throws {
        let event = Event.chat(2, #"b"o"#, group: 4, #"{"text":"\u0001 語\n","time":"t"}"#)
        let answer = try Answer(seed.welcome(1, "alice", .of(missed: [event])).text)
        let push = try #require(seed.push(event)).dropLast()
        #expect(answer.messages == [try parse(String(push))])
    }

    /// Whatever is in a roster, the answer fits and can be read.
    @Test func fitsWhateverThereIs() throws {
        var generator = SplitMix64(seed: 2026)
        for _ in 0..<2000 {
            let friends = (0..<generator.below(30)).map { _ in
                Roster.person(
                    generator.integer().magnitudeOrOne, generator.text(40), isOnline: generator.chance(2))
            }
            let groups = (0..<generator.below(12)).map { _ in
                Roster.Group(
                    id: GroupID(unchecked: generator.integer().magnitudeOrOne), name: generator.text(40),
                    description: generator.text(generator.chance(3) ? 400 : 10),
                    members: friends.prefix(generator.below(30)).map {
                        Roster.Member($0, generator.chance(4) ? .owner : .member)
                    })
            }
            let missed = (0..<generator.below(10)).map { _ in
                Event.chat(
                    generator.chance(5) ? 1 : 2, generator.text(20), group: generator.chance(3) ? 7 : nil,
                    #"{"text":\#(string(generator.text(generator.chance(4) ? 900 : 30)))}"#,
                    in: generator.chance(3) ? .direct(UserID(unchecked: 1), UserID(unchecked: 2)) : nil)
            }
            let welcome = seed.welcome(
                1, "a" + generator.text(32), .of(friends: friends, groups: groups, missed: missed))
            let answer = try Answer(welcome.text)
            #expect(answer.messages.count <= welcome.missed)
            #expect(welcome.missed <= missed.count)
            #expect(answer.friends.count <= friends.count)
        }
    }
}

extension Int64 {
    fileprivate var magnitudeOrOne: Int64 { Swift.max(1, abs(self)) }
}
