import MartletAccounts
import MartletCore
import MartletGateway
import MartletMessaging
import MartletSocial
import MartletWire

/// Does what clusterchat's clients ask for besides chatting.
struct ClusterChatRunner: CommandRunner {
    let accounts: Accounts
    let friends: Friends
    let groups: Groups
    let app: AppID

    func run(_ command: UInt8, by requester: Requester, data: [UInt8]) async throws(Fault) -> [UInt8] {
        guard let command = ClusterChatCommand(rawValue: command) else {
            throw Fault(.unknownCommand, "there is no such command")
        }
        let request = try ClusterChatRequest(command, data)
        if case .register(let name, let password) = request {
            let account = try await accounts.register(
                plainly: name, password: password, app: app, address: requester.address)
            return ClusterChatRequest.registered(account.id)
        }
        guard let caller = requester.caller else { throw Fault(.notSignedIn, "sign in first") }
        try await run(request, by: caller)
        return []
    }

    private func run(_ request: ClusterChatRequest, by caller: Caller) async throws(Fault) {
        switch request {
        case .register: return
        case .addFriend(let user): _ = try await friends.request(.id(user), message: "", by: caller)
        // As these clients know groups: whoever has the number may come in.
        case .createGroup(let name, let description):
            _ = try await groups.create(caller, name: name, description: description, joinMode: .open)
        case .joinGroup(let group): _ = try await groups.join(caller, group, message: "")
        }
    }
}
