import MartletCore

/// Who asks: the columns of the tables.
enum Asker: String, CaseIterable, Sendable {
    /// Without a token, or on a connection that has not signed in.
    case anonymous
    /// Of the same app, and nothing to the group.
    case stranger
    /// An administrator of the app, and nothing to the group.
    case administrator
    /// With the token from before the ban.
    case banned
    /// With the token from before the logout.
    case revoked
    /// Of another app.
    case foreigner
    /// A mere name, on WebSocket only: guests have no token.
    case guest
    case member, groupAdmin, owner

    /// Those who have a token that is valid.
    static let accounts: [Asker] = [.stranger, .administrator, .foreigner, .member, .groupAdmin, .owner]
    /// Who asks over REST.
    static let ofRest = allCases.filter { $0 != .guest }
}

/// What a request comes to.
enum Outcome: Sendable, Equatable, CustomStringConvertible {
    case ok
    case no(Fault.Reason)
    /// An answer that the protocol does not have.
    case odd(Int, String)

    init(status: Int, reason: String?) {
        if status == 200, reason == nil {
            self = .ok
        } else if let known = reason.flatMap({ Fault.Reason(rawValue: $0) }), known.code.rawValue == status {
            self = .no(known)
        } else {
            self = .odd(status, reason ?? "")
        }
    }

    var description: String {
        switch self {
        case .ok: "200"
        case .no(let reason): "\(reason.code.rawValue) \(reason.rawValue)"
        case .odd(let status, let reason): "\(status) \(reason)?"
        }
    }
}

/// What each of those who ask gets.
typealias Outcomes = [Asker: Outcome]

extension Outcomes {
    /// The same for everybody, signed in or not.
    static func anyone(_ outcome: Outcome) -> Outcomes {
        Outcomes(uniqueKeysWithValues: Asker.allCases.map { ($0, outcome) })
    }

    /// `outcome` for whoever is signed in, but for those named.
    static func signedIn(_ outcome: Outcome, _ others: Outcomes = [:]) -> Outcomes {
        var outcomes = anyone(outcome)
        outcomes[.anonymous] = .no(.notSignedIn)
        outcomes[.banned] = .no(.invalidToken)
        outcomes[.revoked] = .no(.invalidToken)
        return outcomes.merging(others) { $1 }
    }

    /// By what one is to the group; `nil` for the group's admin and owner: as for members.
    static func inGroup(
        member: Outcome, admin: Outcome? = nil, owner: Outcome? = nil, outsider: Outcome = .no(.notAMember),
        foreigner: Outcome = .no(.unknownGroup)
    ) -> Outcomes {
        signedIn(
            outsider,
            [
                .foreigner: foreigner, .member: member, .groupAdmin: admin ?? member, .owner: owner ?? admin ?? member,
                .guest: .no(.guestsRefused),
            ])
    }
}

/// Where something is done: the conversations of the world.
enum Place: String, CaseIterable, Sendable {
    /// The group that owner, admin and member are in.
    case group
    /// Between member and owner.
    case direct
    /// The member's.
    case inbox
    /// Of the app; the member is in it.
    case room
    /// Of the other app; nobody is in it.
    case otherRoom
    /// A group that was dissolved.
    case dissolved
    /// The member and somebody of the other app.
    case acrossApps

    enum Action { case read, write, follow }

    /// What the policy says of it; `allowed` is what those get who may.
    func outcomes(_ action: Action, allowed: Outcome = .ok) -> Outcomes {
        let unknown = Outcome.no(.unknownConversation)
        switch self {
        case .group:
            return .inGroup(member: allowed, foreigner: unknown).merging([.guest: .no(.notAMember)]) { $1 }
        case .direct: return .signedIn(unknown, [.member: allowed, .owner: allowed])
        case .inbox: return .signedIn(unknown, [.member: action == .write ? .no(.notAllowed) : allowed])
        case .room:
            return .signedIn(
                .no(.notAMember), [.foreigner: unknown, .member: action == .follow ? .no(.notAllowed) : allowed])
        case .otherRoom: return .signedIn(unknown, [.foreigner: .no(.notAMember)])
        case .dissolved: return .signedIn(unknown)
        case .acrossApps:
            return .signedIn(unknown, [.member: .no(.unknownUser), .foreigner: .no(.unknownUser)])
        }
    }
}
