/// The largest integer that every JSON reader keeps exactly: 2^53 - 1.
package let maximumIdentifier: Int64 = 9_007_199_254_740_991

/// An account. Positive and below 2^53; 0 is the system itself.
package struct UserID: Hashable, Sendable, Comparable {
    package let value: Int64

    /// The sender of events that no person sent.
    package static let system = UserID(unchecked: 0)

    /// Returns nil unless `value` is between 1 and 2^53 - 1.
    package init?(_ value: Int64) {
        guard value > 0, value <= maximumIdentifier else { return nil }
        self.value = value
    }

    /// For values that the database or this process made.
    package init(unchecked value: Int64) { self.value = value }

    package static func < (left: UserID, right: UserID) -> Bool { left.value < right.value }
}

/// A tenant. Users, groups and rooms belong to one app.
package struct AppID: Hashable, Sendable {
    package let value: Int64

    /// Returns nil unless `value` is between 1 and 2^31 - 1.
    package init?(_ value: Int64) {
        guard value > 0, value <= Int64(Int32.max) else { return nil }
        self.value = value
    }

    package init(unchecked value: Int64) { self.value = value }
}

/// A group within an app. Positive and below 2^53.
package struct GroupID: Hashable, Sendable {
    package let value: Int64

    package init?(_ value: Int64) {
        guard value > 0, value <= maximumIdentifier else { return nil }
        self.value = value
    }

    package init(unchecked value: Int64) { self.value = value }
}

/// One authenticated live connection, unique among all nodes for as long as it matters: the node's random part and a counter.
package struct SessionID: Hashable, Sendable {
    package let value: UInt64

    /// No session: what was sent over REST or by the system.
    package static let none = SessionID(0)

    package init(_ value: UInt64) { self.value = value }

    /// Sixteen hexadecimal digits.
    package var text: String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// The kind of installation that a session runs on.
package enum DeviceKind: String, Sendable, CaseIterable {
    case web, ios, android, desktop, bot
}
