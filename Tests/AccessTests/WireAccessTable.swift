import EndToEndSupport
import MartletCore

/// Who may do what over WebSocket: every command of the protocol.
enum WireAccessTable {
    static let commands = [
        "login", "heartbeat", "send", "sync", "history", "read", "ack", "typing", "edit", "recall", "react", "enter",
        "exit",
    ]

    /// On a connection without a login there is one answer to everything.
    private static func live(_ outcomes: Outcomes) -> Outcomes {
        outcomes.merging([.banned: .no(.notSignedIn), .revoked: .no(.notSignedIn)]) { $1 }
    }

    private static func places(
        _ command: String, _ action: Place.Action, allowed: Outcome = .ok,
        _ fields: @escaping @Sendable (World, Asker) -> String = { _, _ in "" }
    ) -> [AccessRow] {
        AccessRow.places(command, action, allowed: allowed, fields).map {
            AccessRow($0.operation, $0.about, live($0.outcomes), $0.call)
        }
    }

    static let rows: [AccessRow] = sessions + messages + following + rooms

    private static let sessions: [AccessRow] = [
        AccessRow(
            "login", "twice, or with a token that has ended",
            .signedIn(.no(.alreadySignedIn), [.anonymous: .no(.invalidToken)])
        ) { world, asker in .json(#""token":"\#(world.users[asker]?.token ?? "none")""#) },
        AccessRow("heartbeat", live(.signedIn(.ok))),
        AccessRow("sync", live(.signedIn(.ok))) { world, _ in .json(#""cursors":{"\#(world.place(.direct))":0}"#) },
    ]

    private static let messages: [AccessRow] =
        places("send", .write) { _, _ in messageFields() }
        + places("edit", .write, allowed: .no(.unknownMessage)) { _, _ in
            #""target":1000000,"clientId":"\#(randomClientID())","content":{"text":"x"}"#
        }
        + places("recall", .read, allowed: .no(.unknownMessage)) { _, _ in #""target":1000000"# }
        + places("react", .write, allowed: .no(.unknownMessage)) { _, _ in #""target":1000000,"emoji":"x""# }
        + [
            AccessRow(
                "send", "to a user",
                live(.signedIn(.ok, [.foreigner: .no(.unknownUser), .guest: .no(.guestsRefused)]))
            ) { world, _ in .json(#""to":\#(world.newcomer.id),\#(messageFields())"#) },
            AccessRow(
                "send", "to one who blocked them",
                live(.signedIn(.no(.blocked), [.foreigner: .no(.unknownUser), .guest: .no(.guestsRefused)]))
            ) { world, _ in .json(#""to":\#(world.blocker.id),\#(messageFields())"#) },
            AccessRow(
                "send", "to one who takes no strangers",
                live(.signedIn(.no(.strangersRefused), [.foreigner: .no(.unknownUser), .guest: .no(.guestsRefused)]))
            ) { world, _ in .json(#""to":\#(world.recluse.id),\#(messageFields())"#) },
            AccessRow("send", "to nobody", live(.signedIn(.no(.unknownUser), [.guest: .no(.guestsRefused)]))) { _, _ in
                .json(#""to":999999,\#(messageFields())"#)
            },
            AccessRow(
                "typing", "to one who blocked them",
                live(.signedIn(.no(.blocked), [.foreigner: .no(.unknownUser), .guest: .no(.unknownConversation)]))
            ) { world, asker in
                guard let user = world.users[asker] else { return .json(#""conversationId":"d:1:2""#) }
                return .json(#""conversationId":"\#(user.direct(world.blocker))""#)
            },
        ]

    private static let following: [AccessRow] =
        places("history", .read) + places("read", .follow) { _, _ in #""seq":1"# }
        + places("ack", .follow) { _, _ in #""seq":1"# } + places("typing", .write)

    private static let rooms: [AccessRow] =
        Place.allCases.filter { $0 != .room && $0 != .otherRoom }.map { place in
            AccessRow("enter", "\(place)", live(.signedIn(.no(.notARoom)))) { world, _ in
                .json(#""conversationId":"\#(world.place(place))""#)
            }
        } + [
            AccessRow("enter", "a room of the app", live(.signedIn(.ok, [.foreigner: .no(.unknownConversation)]))) {
                _, _ in
                .json(#""conversationId":"r:1:plaza""#)
            },
            AccessRow("enter", "the world of the app", live(.signedIn(.ok, [.foreigner: .no(.unknownConversation)]))) {
                _, _ in
                .json(#""conversationId":"r:1""#)
            },
            AccessRow("enter", "a room of the other app", live(.signedIn(.no(.unknownConversation), [.foreigner: .ok])))
            { _, _ in
                .json(#""conversationId":"r:2:plaza""#)
            },
            AccessRow("exit", "where they are not", live(.signedIn(.no(.notAMember)))) { _, _ in
                .json(#""conversationId":"r:1:nowhere""#)
            },
            AccessRow("exit", "no room", live(.signedIn(.no(.notAMember)))) { world, _ in
                .json(#""conversationId":"\#(world.place(.group))""#)
            },
        ]
}
