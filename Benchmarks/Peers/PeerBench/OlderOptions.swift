import ArgumentParser
import Foundation
import MartletBench

/// What only the older protocols need to know.
struct OlderOptions: ParsableArguments {
    @Option(help: "The app, which is the room, too (gowebsocket).")
    var app = 101

    @Option(help: "Where messages are posted to on 127.0.0.1 (gowebsocket; default: --port).")
    var sendingPort: Int?

    @Option(help: "What messages are called: seed or course (clusterchat).")
    var numbering = ClusterChatNumbers.seed

    @Option(
        help: """
            A file with a line `<id>,<password>` for each connection (clusterchat). Without it, users are registered, a \
            few at a time.
            """)
    var users: String?

    func apply(to plan: inout PeerPlan, _ speech: DriveCommand.Speech) throws {
        guard (1...Int(Int32.max)).contains(app) else { throw ValidationError("the app is a positive number") }
        plan.app = app
        plan.sendingPort = sendingPort
        guard speech == .clusterchat else { return }
        plan.numbering = numbering
        // Passwords are checked, which takes the server a while each.
        plan.atOnce = 8
        plan.patience = .seconds(240)
        // A longer text would reach the receiver in several messages.
        guard plan.size <= ClusterChatRequests.mostText else {
            throw ValidationError("a clusterchat text has at most \(ClusterChatRequests.mostText) bytes here")
        }
        guard let users else { return }
        guard let text = try? String(contentsOfFile: users, encoding: .utf8) else {
            throw ValidationError("the file \(users) can't be read")
        }
        plan.users = try ClusterChatUser.read(text)
        guard plan.users.count >= plan.connections else {
            throw ValidationError("\(plan.connections) connections need as many users")
        }
    }
}

extension ClusterChatNumbers: ExpressibleByArgument {}
