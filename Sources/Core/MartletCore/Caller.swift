/// Who asks, made once at the edge and handed to every use case.
package struct Caller: Sendable {
    package let user: UserID
    package let app: AppID
    package let role: Role
    package let device: DeviceKind
    /// The chain of refresh tokens that this sign-in belongs to; 0 where there is none (guests, operators' tokens).
    package let family: Int64
    /// The live connection that the request came over, or `.none` for REST.
    package let session: SessionID
    /// What other people see: nickname, else username.
    package let name: String
    /// Follows one request through the log.
    package let trace: String

    package init(
        user: UserID, app: AppID, role: Role, device: DeviceKind, family: Int64 = 0, session: SessionID = .none,
        name: String,
        trace: String = ""
    ) {
        self.user = user
        self.app = app
        self.role = role
        self.device = device
        self.family = family
        self.session = session
        self.name = name
        self.trace = trace
    }

    /// The same caller under another name.
    package func named(_ name: String) -> Caller {
        Caller(
            user: user, app: app, role: role, device: device, family: family, session: session, name: name,
            trace: trace)
    }
}

/// What an account is to its app.
package enum Role: String, Sendable, CaseIterable {
    case guest, user, admin
}
