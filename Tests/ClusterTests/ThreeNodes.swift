import EndToEndSupport
import MartletWire
import Testing

/// Three nodes on one database and one bus are as one server. The tests of this suite are in extensions, by subject.
@Suite(.cluster(), .serialized, .showsClusterLogs)
enum ThreeNodes {}

/// Waits for what comes true in its own time in other processes.
func eventually(
    _ what: String, within limit: Duration = patience, _ condition: () async throws -> Bool
) async throws {
    let end = ContinuousClock.now + limit
    while try await !condition() {
        guard ContinuousClock.now < end else { throw WaitedTooLong(description: "waited \(limit) for \(what)") }
        try await Task.sleep(for: .milliseconds(50))
    }
}

extension [JSONValue] {
    /// The seqs of a conversation's messages among pushes.
    func messages(of conversation: String) -> [Int64] {
        filter { $0["cmd"]?.string == "msg" && $0["data"]?["conversationId"]?.string == conversation }
            .compactMap { $0["data"]?["seq"]?.integer }
    }
}

extension WireClient {
    /// The seqs of a conversation's messages that were pushed so far.
    func pushedSeqs(_ conversation: String) -> [Int64] { pushes().messages(of: conversation) }

    /// Waits until a message was pushed.
    func waitMessage(_ seq: Int64, in conversation: String) async throws {
        try await waitPushes("message \(seq) of \(conversation)") { $0.messages(of: conversation).contains(seq) }
    }
}

extension TestUser {
    /// The world room of the user's app.
    func room(_ rest: RestClient) async throws -> String {
        "r:\(try await rest.succeed("GET", "/api/user/profile", by: self)["appId"]?.integer ?? 0)"
    }
}
