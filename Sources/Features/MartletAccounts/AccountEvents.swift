import MartletCore
import MartletWire

/// What a user's devices are told of the account, in their inbox. Contents as in the protocol's table "Inbox".
enum AccountEvents {
    /// Carries the name, so that live sessions send under it without a look-up.
    static func profileChanged(_ account: Account) -> Draft {
        Draft(
            conversation: .inbox(account.id), sender: .system, senderName: "", kind: .profileChanged, clientId: "",
            body: JSONWriter.object { $0.field("nickname", account.nickname) })
    }
}
