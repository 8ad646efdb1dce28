import Foundation
import MartletBench
import NIOCore
import Testing

@testable import PeerBench

/// As much of a clusterchat server as a run needs.
private final class ClusterChatServer: StandInRules {
    private let numbering: ClusterChatNumbers
    private let copies: Int
    private var users: [(name: String, password: String)] = []
    private var online: [Int: StandInConnection] = [:]
    private var groups: [(name: String, members: Set<Int>)] = []

    /// Delivers each chat so many times.
    init(_ numbering: ClusterChatNumbers, copies: Int = 1) {
        self.numbering = numbering
        self.copies = copies
    }

    func read(_ bytes: inout ByteBuffer, from connection: StandInConnection) {
        while let end = bytes.readableBytesView.firstIndex(of: 0) {
            let request = Array(bytes.readableBytesView[..<end])
            bytes.moveReaderIndex(to: end + 1)
            answer(request, connection)
        }
    }

    func closed(_ connection: StandInConnection) {
        if let user = connection.user.flatMap({ Int($0) }), online[user] === connection { online[user] = nil }
    }

    private func answer(_ request: [UInt8], _ connection: StandInConnection) {
        guard let message = try? JSONSerialization.jsonObject(with: Data(request)) as? [String: Any],
            let kind = message["msgid"] as? Int
        else { return connection.cut() }
        let user = connection.user.flatMap { Int($0) } ?? 0
        switch kind {
        case 1: signIn(message, connection)
        case numbering.register:
            users.append((message["name"] as? String ?? "", message["password"] as? String ?? ""))
            say(["errno": 0, "id": users.count, "msgid": numbering.registerAnswer], connection)
        case numbering.oneChat:
            if let receiver = online[message[numbering.recipient] as? Int ?? 0] { deliver(request, receiver) }
        case numbering.createGroup: groups.append((message["groupname"] as? String ?? "", [user]))
        case numbering.joinGroup: groups[(message["groupid"] as? Int ?? 0) - 1].members.insert(user)
        case numbering.groupChat:
            for member in groups[(message["groupid"] as? Int ?? 0) - 1].members where member != user {
                if let receiver = online[member] { deliver(request, receiver) }
            }
        case numbering.logout:
            online[user] = nil
            connection.user = nil
        default: connection.cut()
        }
    }

    private func signIn(_ message: [String: Any], _ connection: StandInConnection) {
        let id = message["id"] as? Int ?? 0
        guard users.indices.contains(id - 1), users[id - 1].password == message["password"] as? String else {
            return say(["errmsg": "id or password error", "errno": 1, "msgid": 2], connection)
        }
        guard online[id] == nil else {
            return say(["errmsg": "id is online", "errno": 2, "msgid": 2], connection)
        }
        online[id] = connection
        connection.user = String(id)
        let mine = groups.indices.filter { groups[$0].members.contains(id) }.map { index in
            #"{"groupdesc":"","groupname":"\#(groups[index].name)","id":\#(index + 1),"users":[]}"#
        }
        say(["errno": 0, "id": id, "msgid": 2, "name": users[id - 1].name, "groups": mine], connection)
    }

    /// All copies in one write, as a network may bring them.
    private func deliver(_ chat: [UInt8], _ connection: StandInConnection) {
        connection.write(Array(repeatElement(chat + [0], count: copies).joined()))
    }

    private func say(_ answer: [String: Any], _ connection: StandInConnection) {
        guard let data = try? JSONSerialization.data(withJSONObject: answer) else { return }
        connection.write(Array(data) + [0])
    }
}

@Suite struct ClusterChatRunTests {
    private func run(
        _ load: PeerLoad, _ numbering: ClusterChatNumbers, copies: Int = 1
    ) async throws -> PeerReport {
        try await withStandIn {
            ClusterChatServer(numbering, copies: copies)
        } _: { port in
            var plan = PeerPlan(load, port: port, connections: 6)
            plan.numbering = numbering
            plan.window = 4
            plan.duration = .milliseconds(100)
            plan.warmup = .milliseconds(20)
            plan = try await ClusterChatPreparation(plan, pause: .milliseconds(1)).prepared()
            return try await PeerRun<ClusterChatPeer>(plan).report()
        }
    }

    @Test(arguments: ClusterChatNumbers.allCases)
    func pairsThatRegisterThemselvesWriteToOneAnother(_ numbering: ClusterChatNumbers) async throws {
        let report = try await run(.pairs, numbering)
        #expect(report.integrity.sent > 0)
        #expect(report.integrity.delivered == report.integrity.sent)
        #expect(report.integrity.isSound)
    }

    @Test(arguments: ClusterChatNumbers.allCases)
    func aRoomIsAGroupThatAllHaveJoined(_ numbering: ClusterChatNumbers) async throws {
        let report = try await run(.room, numbering)
        #expect(report.integrity.sent > 0)
        #expect(report.integrity.delivered == 5 * report.integrity.sent)
        #expect(report.integrity.isSound)
    }

    @Test func countsWhatCameTwice() async throws {
        let report = try await run(.pairs, .seed, copies: 2)
        #expect(report.integrity.repeated == report.integrity.sent)
        #expect(!report.integrity.isSound)
    }

    @Test func aWrongPasswordEndsThePreparation() async throws {
        let failure = await #expect(throws: BenchFailure.self) {
            try await withStandIn {
                ClusterChatServer(.seed)
            } _: { port in
                var plan = PeerPlan(.room, port: port, connections: 2)
                plan.users = [1, 2].map { ClusterChatUser(id: $0, password: "wrong") }
                _ = try await ClusterChatPreparation(plan, pause: .milliseconds(1)).prepared()
            }
        }
        #expect(failure?.description.contains("id or password error") == true)
    }
}
