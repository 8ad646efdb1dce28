import MartletCore
import MartletSocial
import MartletWire

// What the endpoints of friends read and write.

// MARK: Inputs

extension FriendEndpoints {
    struct FriendRequestInput: JSONInput {
        let target: FriendReference
        let message: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            let user = try fields.optionalUser("userId")
            let username = try fields.optionalText("username", 1...64)
            message = try fields.optionalText("message", Limits.requestMessage, lines: true) ?? ""
            guard let target = user.map({ .id($0) }) ?? username.map({ FriendReference.username($0) }) else {
                throw .missing("userId")
            }
            self.target = target
        }
    }

    struct FriendAnswerInput: JSONInput {
        enum Action: String, CaseIterable { case accept, reject }

        let request: Int64
        let isAccepted: Bool

        init(_ fields: borrowing JSONFields) throws(Fault) {
            request = try fields.integer("requestId", 1...maximumIdentifier)
            isAccepted = try fields.choice("action", among: Action.allCases) == .accept
        }
    }

    struct RemarkInput: JSONInput {
        let user: UserID
        let remark: String

        init(_ fields: borrowing JSONFields) throws(Fault) {
            user = try fields.user("userId")
            remark = try fields.text("remark", Limits.remark)
        }
    }

    /// An operation on one user.
    struct UserInput: JSONInput {
        let user: UserID
        init(_ fields: borrowing JSONFields) throws(Fault) { user = try fields.user("userId") }
    }

    /// A part of a list that is ordered by a number.
    struct PageInput: JSONInput {
        let limit: Int
        /// The number of the last item of the page before.
        let cursor: Int64?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            limit = try fields.limit()
            cursor = try fields.numberCursor()
        }
    }

    /// A part of the list of friends, which may be longer than other lists.
    struct FriendPageInput: JSONInput {
        let limit: Int
        let cursor: Int64?

        init(_ fields: borrowing JSONFields) throws(Fault) {
            limit = try fields.limit(Limits.friendPageSize)
            cursor = try fields.numberCursor()
        }
    }
}

extension JSONFields {
    /// A cursor that is a number, in few characters.
    fileprivate func numberCursor() throws(Fault) -> Int64? {
        guard let text = try cursor() else { return nil }
        guard let number = Int64(text, radix: 36), (1...maximumIdentifier).contains(number) else {
            throw .invalid("cursor", "not a cursor of this list")
        }
        return number
    }
}

// MARK: Outputs

extension FriendEndpoints {
    /// A part of a list, and where the next one begins.
    struct ListOutput<Item: ListItem>: JSONOutput {
        let items: [Item]
        let nextCursor: String?

        static var example: ListOutput { ListOutput(items: [.example], nextCursor: "2s") }

        private init(items: [Item], nextCursor: String?) {
            self.items = items
            self.nextCursor = nextCursor
        }

        init<Row>(_ page: FriendPage<Row>, _ item: (Row) -> Item) {
            let items = page.items.map(item)
            self.init(items: items, nextCursor: page.hasMore ? items.last.map { String($0.position, radix: 36) } : nil)
        }

        func write(to object: inout JSONObject) {
            object.field("items", items)
            object.optional("nextCursor", nextCursor)
        }
    }

    /// An item of a list that is ordered by a number.
    protocol ListItem: JSONOutput {
        var position: Int64 { get }
    }

    struct RequestOutcomeOutput: JSONOutput {
        let id: Int64
        let isAccepted: Bool

        static let example = RequestOutcomeOutput(id: 12, isAccepted: true)

        func write(to object: inout JSONObject) {
            object.field("requestId", id)
            object.optional("accepted", isAccepted ? true : nil)
        }
    }

    struct FriendRequestOutput: ListItem {
        let id: Int64
        let user: UserID
        let username: String
        let nickname: String
        let message: String
        let time: Instant
        var position: Int64 { id }

        static let example = FriendRequestOutput(
            id: 12, user: UserID(unchecked: 9), username: "bob", nickname: "Bob", message: "It is me",
            time: Instant(milliseconds: 1_640_995_200_000))

        private init(id: Int64, user: UserID, username: String, nickname: String, message: String, time: Instant) {
            self.id = id
            self.user = user
            self.username = username
            self.nickname = nickname
            self.message = message
            self.time = time
        }

        init(_ request: FriendRequest) {
            self.init(
                id: request.id, user: request.card.id, username: request.card.username, nickname: request.card.nickname,
                message: request.message, time: request.time)
        }

        func write(to object: inout JSONObject) {
            object.field("requestId", id)
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
            object.field("message", message)
            object.field("time", time)
        }
    }

    struct FriendOutput: ListItem {
        let user: UserID
        let username: String
        let nickname: String
        let avatar: String
        let remark: String
        let isOnline: Bool
        var position: Int64 { user.value }

        static let example = FriendOutput(
            user: UserID(unchecked: 9), username: "bob", nickname: "Bob", avatar: "/files/b1", remark: "Bob from work",
            isOnline: true)

        private init(user: UserID, username: String, nickname: String, avatar: String, remark: String, isOnline: Bool) {
            self.user = user
            self.username = username
            self.nickname = nickname
            self.avatar = avatar
            self.remark = remark
            self.isOnline = isOnline
        }

        init(_ friend: Friend) {
            self.init(
                user: friend.card.id, username: friend.card.username, nickname: friend.card.nickname,
                avatar: friend.card.avatar, remark: friend.remark, isOnline: friend.isOnline)
        }

        func write(to object: inout JSONObject) {
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
            object.field("avatar", avatar)
            object.field("remark", remark)
            object.field("online", isOnline)
        }
    }

    struct BlockedOutput: ListItem {
        let user: UserID
        let username: String
        let nickname: String
        var position: Int64 { user.value }

        static let example = BlockedOutput(user: UserID(unchecked: 9), username: "bob", nickname: "Bob")

        private init(user: UserID, username: String, nickname: String) {
            self.user = user
            self.username = username
            self.nickname = nickname
        }

        init(_ card: UserCard) { self.init(user: card.id, username: card.username, nickname: card.nickname) }

        func write(to object: inout JSONObject) {
            object.field("userId", user)
            object.field("username", username)
            object.field("nickname", nickname)
        }
    }
}
