import MartletAccounts
import MartletCore
import MartletMessaging
import MartletSocial

/// What `--demo` makes: two people who are friends, a third, and a group of all. Made once; a folder that has them keeps them.
package struct DemoData: Sendable {
    package struct Person: Sendable {
        package let username: String
        package let nickname: String
    }

    package static let people = [
        Person(username: "alice", nickname: "Alice"), Person(username: "bob", nickname: "Bob"),
        Person(username: "carol", nickname: "Carol"),
    ]

    let administration: AccountAdministration
    let friends: Friends
    let groups: Groups
    let messages: Messages

    /// Makes what is missing and gives everyone `password`, which is new at each start: nobody can know it beforehand.
    package func make(password: String, app: AppID) async throws(Fault) {
        var callers: [Caller] = []
        var isNew = false
        for person in Self.people {
            var account = try await administration.find(username: person.username, app: app)
            if let account {
                try await administration.setPassword(account.id, to: password)
            } else {
                isNew = true
                account = try await administration.create(
                    username: person.username, password: password, nickname: person.nickname, app: app)
            }
            guard let account else { continue }
            callers.append(
                Caller(user: account.id, app: app, role: .user, device: .bot, name: person.nickname, trace: "demo"))
        }
        if isNew, callers.count == Self.people.count { try await acquaint(callers) }
    }

    private func acquaint(_ callers: [Caller]) async throws(Fault) {
        let (alice, bob, carol) = (callers[0], callers[1], callers[2])
        for friend in [bob, carol] {
            _ = try await friends.request(.id(friend.user), message: "", by: alice)
            _ = try await friends.request(.id(alice.user), message: "", by: friend)
        }
        let made = try await groups.create(
            alice, name: "Swifts", description: "A group to try things out in", members: [bob.user, carol.user],
            joinMode: .approval)
        _ = made
        if let direct = ConversationID.between(alice.user, bob.user) {
            _ = try await messages.send(
                bob, to: .conversation(direct), clientId: "demo-welcome", kind: .text,
                content: Array(#"{"text":"Hello Alice! This is Martlet."}"#.utf8))
        }
    }
}

extension Features {
    var demo: DemoData {
        DemoData(administration: administration, friends: friends, groups: groups, messages: messages)
    }
}
