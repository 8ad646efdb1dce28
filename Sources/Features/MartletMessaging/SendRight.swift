import MartletCore

/// What a session remembers of its caller's right to write to a conversation, until `Signal.rightsChanged`, or an inbox event about friends
/// and blocks, says that it is out of date. A mute that ends needs no signal: the right holds its end.
package struct SendRight: Sendable {
    private let standing: Standing
    private let role: Role

    init(_ standing: Standing, role: Role) {
        self.standing = standing
        self.role = role
    }

    /// Throws what the caller is to be told where they may not write now.
    package func check(now: Instant) throws(Fault) {
        try Policy.require(.write, standing, role: role, now: now)
    }
}
