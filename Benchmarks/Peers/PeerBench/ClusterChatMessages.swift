import Foundation
import MartletBench
import MartletWire
import NIOCore

/// What the two families of clusterchat call their messages.
enum ClusterChatNumbers: String, Sendable, CaseIterable {
    case seed, course

    static let login = 1
    static let loginAnswer = 2
    var logout: Int { self == .seed ? 10 : 3 }
    var register: Int { self == .seed ? 3 : 4 }
    var registerAnswer: Int { self == .seed ? 4 : 5 }
    var oneChat: Int { self == .seed ? 5 : 6 }
    var createGroup: Int { self == .seed ? 7 : 8 }
    var joinGroup: Int { self == .seed ? 8 : 9 }
    var groupChat: Int { self == .seed ? 9 : 10 }
    var recipient: String { self == .seed ? "to" : "toid" }
}

/// Somebody who signs in with a number.
struct ClusterChatUser: Sendable, Equatable {
    let id: Int64
    let password: String

    /// Reads lines of `<id>,<password>`; empty lines are skipped, and so is a first line that names the columns.
    static func read(_ text: String) throws(BenchFailure) -> [ClusterChatUser] {
        var users: [ClusterChatUser] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            if line.isEmpty || (index == 0 && line.hasPrefix("id,")) { continue }
            let parts = line.split(separator: ",", maxSplits: 1)
            guard parts.count == 2, let id = Int64(parts[0]), id > 0 else {
                throw BenchFailure("line \(index + 1) of the users is not `<id>,<password>`")
            }
            users.append(ClusterChatUser(id: id, password: String(parts[1])))
        }
        return users
    }
}

/// What a client says, as its bytes: members in the order of the alphabet, and a NUL.
struct ClusterChatRequests: Sendable {
    /// A message to a client has at most 1,023 bytes, of which its other members take less than 200.
    static let mostText = 800

    let numbering: ClusterChatNumbers

    func login(_ user: ClusterChatUser) -> [UInt8] {
        Self.bytes {
            $0.field("id", user.id)
            $0.field("msgid", Int64(ClusterChatNumbers.login))
            $0.field("password", user.password)
        }
    }

    func register(name: String, password: String) -> [UInt8] {
        Self.bytes {
            $0.field("msgid", Int64(numbering.register))
            $0.field("name", name)
            $0.field("password", password)
        }
    }

    func createGroup(by user: Int64, name: String) -> [UInt8] {
        Self.bytes {
            $0.field("groupdesc", "load")
            $0.field("groupname", name)
            $0.field("id", user)
            $0.field("msgid", Int64(numbering.createGroup))
        }
    }

    func join(_ group: Int64, by user: Int64) -> [UInt8] {
        Self.bytes {
            $0.field("groupid", group)
            $0.field("id", user)
            $0.field("msgid", Int64(numbering.joinGroup))
        }
    }

    func logout(_ user: Int64) -> [UInt8] {
        Self.bytes {
            $0.field("id", user)
            $0.field("msgid", Int64(numbering.logout))
        }
    }

    /// A chat of `user`, whose text begins with a mark and needs no escapes.
    func chat(to recipient: Int64, by user: Int64, name: String, text: [UInt8]) -> MarkedBytes {
        let rest = Self.bytes {
            $0.field("msgid", Int64(numbering.oneChat))
            $0.field("name", name)
            $0.field("time", Self.time)
            $0.field(numbering.recipient, recipient)
        }
        return MarkedBytes(
            before: Array("{\"id\":\(user),\"msg\":\"".utf8), text: text, after: Array("\",".utf8) + rest.dropFirst())
    }

    /// The same to a group.
    func chat(in group: Int64, by user: Int64, name: String, text: [UInt8]) -> MarkedBytes {
        let rest = Self.bytes {
            $0.field("msgid", Int64(numbering.groupChat))
            $0.field("name", name)
            $0.field("time", Self.time)
        }
        return MarkedBytes(
            before: Array("{\"groupid\":\(group),\"id\":\(user),\"msg\":\"".utf8), text: text,
            after: Array("\",".utf8) + rest.dropFirst())
    }

    /// Nobody looks at it, and it has the width of any other.
    private static let time = "2024-01-01 00:00:00"

    private static func bytes(_ members: (inout JSONObject) -> Void) -> [UInt8] {
        JSONWriter.object(members) + [0]
    }
}

/// The server's answer to a sign-in or a registration.
struct ClusterChatAnswer: Decodable, Equatable {
    let msgid: Int
    /// 0: it went well.
    let errno: Int?
    let id: Int64?
    let name: String?
    let errmsg: String?
    /// JSON in strings.
    let groups: [String]?

    private struct Group: Decodable {
        let id: Int64
        let groupname: String
    }

    init(_ bytes: ByteBuffer) throws(BenchFailure) {
        do {
            self = try JSONDecoder().decode(Self.self, from: Data(bytes.readableBytesView))
        } catch {
            throw BenchFailure("an answer can't be read: \(String(buffer: bytes).prefix(300))")
        }
    }

    /// The number of the group with that name; nil where it is not among those of the answer.
    func group(_ name: String) -> Int64? {
        for text in groups ?? [] {
            let group = try? JSONDecoder().decode(Group.self, from: Data(text.utf8))
            if let group, group.groupname == name { return group.id }
        }
        return nil
    }

    /// What the server said against it.
    var refusal: String { "errno \(errno.map(String.init) ?? "none") \(errmsg ?? "")" }
}

extension ByteBuffer {
    /// Takes the message at the front, without the NUL behind it; nil where its end is not there yet. Nobody says
    /// where messages begin on the network: a read may hold several, or half of one.
    mutating func readClusterChatMessage() throws(BenchFailure) -> ByteBuffer? {
        guard let end = readableBytesView.firstIndex(of: 0) else {
            guard readableBytes < 64 * 1024 else { throw BenchFailure("a message without an end") }
            return nil
        }
        let message = readSlice(length: end - readerIndex)
        moveReaderIndex(forwardBy: 1)
        return message
    }
}
