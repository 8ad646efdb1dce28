/// What connections publish to and subscribe to, where a server knows topics only: one for each connection in pairs,
/// one for the room. The room's sender does not subscribe.
enum Topic {
    static func heard(by number: Int, _ plan: PeerPlan) -> String? {
        switch plan.load {
        case .pairs: "u\(number)"
        case .room: number == 0 ? nil : "room"
        case .echo: nil
        }
    }

    static func written(by number: Int, _ plan: PeerPlan) -> String? {
        switch plan.load {
        case .pairs: "u\(number ^ 1)"
        case .room: number == 0 ? "room" : nil
        case .echo: nil
        }
    }
}
