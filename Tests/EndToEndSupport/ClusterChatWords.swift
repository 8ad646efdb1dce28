import MartletWire

/// How the two families of console clients number what they say, written down once more: the server's own table is what is tried.
package enum ClusterChatFamily: String, Sendable, CaseIterable {
    case seed, course

    package var register: Int { self == .seed ? 3 : 4 }
    package var registered: Int { self == .seed ? 4 : 5 }
    package var chat: Int { self == .seed ? 5 : 6 }
    package var addFriend: Int { self == .seed ? 6 : 7 }
    package var createGroup: Int { self == .seed ? 7 : 8 }
    package var joinGroup: Int { self == .seed ? 8 : 9 }
    package var groupChat: Int { self == .seed ? 9 : 10 }
    package var logout: Int { self == .seed ? 10 : 3 }
    package var recipient: String { self == .seed ? "to" : "toid" }

    /// What the server prints before the port on which it speaks this family.
    package var dialect: String { "clusterchat-\(rawValue)" }

    /// A login as these clients write it.
    package func login(_ id: Int64, _ password: String) -> String {
        #"{"id":\#(id),"msgid":1,"password":\#(quoted(password))}"#
    }

    package func register(_ name: String, _ password: String) -> String {
        #"{"msgid":\#(register),"name":\#(quoted(name)),"password":\#(quoted(password))}"#
    }

    /// A chat message; `id` and `name` are the sender's, as the client says.
    package func chat(_ text: String, to: Int64, as id: Int64, name: String, time: String = clusterChatTime) -> String {
        #"{"id":\#(id),"msg":\#(quoted(text)),"msgid":\#(chat),"name":\#(quoted(name)),"time":"\#(time)","\#(recipient)":\#(to)}"#
    }

    package func groupChat(
        _ text: String, group: Int64, as id: Int64, name: String, time: String = clusterChatTime
    ) -> String {
        #"{"groupid":\#(group),"id":\#(id),"msg":\#(quoted(text)),"msgid":\#(groupChat),"name":\#(quoted(name)),"time":"\#(time)"}"#
    }

    package func addFriend(_ friend: Int64, as id: Int64) -> String {
        #"{"friendid":\#(friend),"id":\#(id),"msgid":\#(addFriend)}"#
    }

    package func createGroup(_ name: String, _ description: String, as id: Int64) -> String {
        #"{"groupdesc":\#(quoted(description)),"groupname":\#(quoted(name)),"id":\#(id),"msgid":\#(createGroup)}"#
    }

    package func joinGroup(_ group: Int64, as id: Int64) -> String {
        #"{"groupid":\#(group),"id":\#(id),"msgid":\#(joinGroup)}"#
    }

    package func logout(as id: Int64) -> String { #"{"id":\#(id),"msgid":\#(logout)}"# }
}

/// What clients of these families put beside a message where a test does not care.
package let clusterChatTime = "2024-01-01 00:00:00"

/// A text as JSON.
package func quoted(_ text: String) -> String {
    var writer = JSONWriter()
    writer.string(text)
    return String(decoding: writer.bytes, as: UTF8.self)
}

/// A chat message as a console client got it.
package struct ClusterChatLine: Sendable, Equatable {
    package let from: Int64
    package let name: String
    package let text: String
    package let time: String
    /// Nil for one between two people.
    package let group: Int64?
    /// Nil for a group's.
    package let to: Int64?

    /// Nil where `json` is no chat message of the family, with all that its clients need of one.
    package init?(_ json: JSONValue, _ family: ClusterChatFamily) {
        guard let from = json["id"]?.integer, let name = json["name"]?.string, let text = json["msg"]?.string,
            let time = json["time"]?.string, let number = json["msgid"]?.integer
        else { return nil }
        switch Int(number) {
        case family.chat:
            guard let to = json[family.recipient]?.integer else { return nil }
            (self.to, group) = (to, nil)
        case family.groupChat:
            guard let group = json["groupid"]?.integer else { return nil }
            (to, self.group) = (nil, group)
        default: return nil
        }
        (self.from, self.name, self.text, self.time) = (from, name, text, time)
    }
}

/// The answer to a login.
package struct ClusterChatLogin: Sendable {
    package let json: JSONValue
    package let family: ClusterChatFamily
    /// With the zero byte.
    package let bytes: Int

    package init(json: JSONValue, family: ClusterChatFamily, bytes: Int) {
        self.json = json
        self.family = family
        self.bytes = bytes
    }

    package var errno: Int64? { json["errno"]?.integer }
    package var message: String? { json["errmsg"]?.string }
    package var name: String? { json["name"]?.string }
    package var friends: [JSONValue] { inner("friends", of: json) }
    package var groups: [JSONValue] { inner("groups", of: json) }
    package var missed: [ClusterChatLine] {
        inner("offlinemsg", of: json).compactMap { ClusterChatLine($0, family) }
    }

    package func members(of group: JSONValue) -> [JSONValue] { inner("users", of: group) }

    /// An array of strings, each of them JSON.
    private func inner(_ key: String, of value: JSONValue) -> [JSONValue] {
        (value[key]?.array ?? []).compactMap { item in
            item.string.flatMap { try? JSONValue(parsing: Array($0.utf8), depth: 64) }
        }
    }
}
