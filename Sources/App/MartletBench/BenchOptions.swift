import MartletCore

/// What a run does.
package enum BenchProfile: String, Sendable, CaseIterable {
    /// Signed-in sessions that say nothing but heartbeats: what one costs. At the end each gets one message, which
    /// proves that it was listening.
    case idle
    /// Connections 2i and 2i+1 write to one another: the stored one-to-one message.
    case pairs
    /// A few senders in a room that everybody is in: fan-out.
    case room
    /// A few senders in a group that everybody is a member of: when the last one has each message.
    case group
    /// A group in which some stop reading for a while: what that costs the others, and whether they miss anything.
    case slow
    /// Pairs again, but each first one sends through the REST API.
    case rest
    /// A ping's way to the server and back: the gateway alone, without a message.
    case echo
    /// All sessions are cut at once and come back with their cursors.
    case storm

    /// Whether a message is for everybody instead of for one.
    var isFanOut: Bool { self == .room || self == .group || self == .slow }
    /// Whether connections 2i and 2i+1 belong together.
    var isPaired: Bool { self == .idle || self == .pairs || self == .rest || self == .storm }
    /// Whether everybody is a member of one group.
    var hasGroup: Bool { self == .group || self == .slow }
}

/// Why a run can't begin or go on; the text is for the person at the terminal.
package struct BenchFailure: Error, CustomStringConvertible, Sendable {
    package let description: String

    package init(_ description: String) { self.description = description }
}

/// A user to sign in as.
package struct BenchToken: Sendable, Equatable {
    package let user: Int64
    package let token: String

    package init(user: Int64, token: String) {
        self.user = user
        self.token = token
    }

    /// Reads lines of `<userId> <accessToken>`; empty lines are skipped.
    package static func read(_ text: String) throws(BenchFailure) -> [BenchToken] {
        var tokens: [BenchToken] = []
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated() {
            let words = line.split(whereSeparator: { $0 == " " || $0 == "\t" })
            if words.isEmpty { continue }
            guard words.count == 2, let user = Int64(words[0]), user > 0 else {
                throw BenchFailure("line \(index + 1) of the tokens is not `<userId> <accessToken>`")
            }
            tokens.append(BenchToken(user: user, token: String(words[1])))
        }
        return tokens
    }
}

/// One run, checked.
package struct BenchOptions: Sendable {
    /// A process may have 20,000 files here and on most machines; the rest is for the program itself.
    package static let mostConnections = 19_000
    /// What `--size` may be: a mark must fit, and a text may have 4,096 characters.
    package static let sizes = Mark.length...4096
    /// The same for an echo: a ping carries no more.
    package static let pingSizes = Mark.length...125

    package let profile: BenchProfile
    /// The nodes of a server; never empty. Connections are spread over them in turn, so that a pair meets on two.
    package let addresses: [BenchAddress]
    package let tokens: [BenchToken]
    package var connections = 100
    /// Messages a second of all senders together; 0: as fast as the window lets them.
    package var rate = 0.0
    /// Messages of one sender that may be under way in a closed loop.
    package var window = 1
    package var duration = Duration.seconds(10)
    package var warmup = Duration.seconds(2)
    /// Bytes of a message's text.
    package var size = 100
    package var senders = 1
    /// Of pairs: connections that take part, the others are silent; nil: all.
    package var active: Int?
    /// Members of a group, the connections among them; nil: nobody else.
    package var members: Int?
    /// Connections that stop reading for a while, the last ones.
    package var slow = 0
    /// Notes when the slowest deliveries were.
    package var tracesSlowest = false
    package var loops = 1
    /// The server's processes, for their CPU time and memory together.
    package var servers: [Int32] = []

    package init(_ profile: BenchProfile, _ address: BenchAddress, _ tokens: [BenchToken]) {
        self.init(profile, first: address, others: [], tokens)
    }

    package init(_ profile: BenchProfile, first: BenchAddress, others: [BenchAddress], _ tokens: [BenchToken]) {
        self.profile = profile
        addresses = [first] + others
        self.tokens = tokens
    }

    /// Where the connection of that number goes.
    func address(of connection: Int) -> BenchAddress { addresses[connection % addresses.count] }

    /// Throws where the run would make no sense or could not be carried out.
    package func check() throws(BenchFailure) {
        guard connections >= 1 else { throw BenchFailure("at least one connection is needed") }
        guard connections <= Self.mostConnections else {
            throw BenchFailure(
                """
                at most \(Self.mostConnections) connections: a process may have 20,000 files. Run several generators, \
                each with its own part of the tokens, and add up their figures
                """)
        }
        let users = max(connections, profile.hasGroup ? members ?? 0 : 0)
        guard tokens.count >= users else {
            throw BenchFailure("\(users) users need as many tokens, there are \(tokens.count)")
        }
        guard Set(tokens.prefix(users).map(\.user)).count == users else {
            throw BenchFailure("each connection needs a user of its own, some are named twice")
        }
        try checkParts()
        let sizes = profile == .echo ? Self.pingSizes : Self.sizes
        guard sizes.contains(size) else {
            throw BenchFailure("the size must lie between \(sizes.lowerBound) and \(sizes.upperBound) bytes")
        }
        guard (1...10_000).contains(window) else { throw BenchFailure("the window must lie between 1 and 10,000") }
        guard rate >= 0, rate <= 10_000_000 else { throw BenchFailure("the rate must lie between 0 and 10,000,000") }
        guard duration > .zero, warmup >= .zero else { throw BenchFailure("the duration must be positive") }
        guard (1...64).contains(loops) else { throw BenchFailure("between 1 and 64 loops are possible") }
    }

    /// Who does what.
    private func checkParts() throws(BenchFailure) {
        if profile.isPaired, !connections.isMultiple(of: 2) {
            throw BenchFailure("this profile works in pairs: an even number of connections is needed")
        }
        if let active {
            guard profile == .pairs, active.isMultiple(of: 2), (2...connections).contains(active) else {
                throw BenchFailure("an even number of a pairs profile's connections can be active")
            }
        }
        if profile.isFanOut, senders < 1 || senders + slow >= connections {
            throw BenchFailure("at least one sender is needed, and somebody who listens")
        }
        if let members, profile.hasGroup, !(connections...Limits.groupMembers).contains(members) {
            throw BenchFailure("a group has at least the connections as members, and \(Limits.groupMembers) at most")
        }
        guard profile == .slow ? slow >= 1 : slow == 0 else {
            throw BenchFailure("slow readers are for the slow profile, which needs at least one")
        }
        if profile == .rest || profile == .idle, window != 1 {
            throw BenchFailure("a window is not for this profile: a connection has one message under way")
        }
    }
}

/// A server on this machine.
package struct BenchAddress: Sendable, Equatable {
    package let host: String
    package let port: Int
    package let path: String

    /// Reads `ws://127.0.0.1:8080/ws`. Only loopback is accepted: a load generator that can be aimed elsewhere is a
    /// weapon, and what a network adds is not what these figures are about.
    package init(_ url: String) throws(BenchFailure) {
        guard url.hasPrefix("ws://") else { throw BenchFailure("the URL must begin with ws://") }
        let rest = url.dropFirst(5)
        let end = rest.firstIndex(of: "/") ?? rest.endIndex
        let authority = rest[..<end]
        path = end == rest.endIndex ? "/ws" : String(rest[end...])
        guard path.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else { throw BenchFailure("the URL has a strange path") }
        let hostEnd: Substring.Index
        if authority.hasPrefix("["), let bracket = authority.firstIndex(of: "]") {
            host = String(authority[authority.index(after: authority.startIndex)..<bracket])
            hostEnd = authority.index(after: bracket)
        } else {
            hostEnd = authority.firstIndex(of: ":") ?? authority.endIndex
            host = String(authority[..<hostEnd])
        }
        if hostEnd == authority.endIndex {
            port = 80
        } else {
            guard authority[hostEnd] == ":", let port = Int(authority[authority.index(after: hostEnd)...]),
                (1...65_535).contains(port)
            else { throw BenchFailure("the URL's port is not one") }
            self.port = port
        }
        guard Self.isLoopback(host) else {
            throw BenchFailure("\(host) is not this machine: only 127.0.0.0/8, [::1] and localhost are measured")
        }
    }

    private static func isLoopback(_ host: String) -> Bool {
        if host == "localhost" || host == "::1" { return true }
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts[0] == "127"
            && parts.allSatisfy { part in
                !part.isEmpty && part.count <= 3 && part.allSatisfy(\.isASCII) && part.allSatisfy(\.isNumber)
                    && (Int(part) ?? 256) < 256
            }
    }

    /// What stands in the handshake's `Host`.
    var authority: String { host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)" }
}
