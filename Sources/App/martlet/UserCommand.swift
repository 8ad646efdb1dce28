import ArgumentParser
import MartletAccounts
import MartletCore
import MartletServer
import MartletWire

struct UserCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "user", abstract: "Make and change users, also while a server runs.",
        subcommands: [
            UserCreateCommand.self, UserImportCommand.self, UserPasswordCommand.self, UserRoleCommand.self,
            UserBanCommand.self, UserUnbanCommand.self,
        ])
}

/// What an operator may make of a user.
enum AssignableRole: String, ExpressibleByArgument, CaseIterable {
    case user, admin

    var role: Role { self == .admin ? .admin : .user }
}

extension Workbench {
    /// Does `work` with the workbench and closes it.
    func use<Value>(_ work: (Workbench) async throws(Fault) -> Value) async throws(OperatorFailure) -> Value {
        defer { close() }
        do throws(Fault) {
            return try await work(self)
        } catch {
            throw OperatorFailure(error)
        }
    }
}

struct UserCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "create", abstract: "Make a user.")

    @OptionGroup var app: AppOptions
    @OptionGroup var output: OutputOptions

    @Argument(help: "The name to sign in with.")
    var username: String

    @Option(help: "What other people see.")
    var nickname = ""

    @Option(help: "What the user may do: user or admin.")
    var role = AssignableRole.user

    @Flag(help: "Read the password from standard input.")
    var passwordStdin = false

    @Flag(help: "Make a user without a password, who signs in by token only.")
    var tokenOnly = false

    func validate() throws {
        guard !(passwordStdin && tokenOnly) else { throw ValidationError("--token-only takes no password") }
    }

    func run() async throws {
        let password = tokenOnly ? "" : try Terminal.newPassword(fromInput: passwordStdin)
        // An empty password would make a user who signs in by token only; that has to be asked for.
        guard tokenOnly || !password.isEmpty else { throw OperatorFailure(.badData, "the password is empty") }
        let user = AccountAdministration.NewUser(
            username: username, password: password, nickname: nickname, role: role.role)
        let account = try await app.workbench().use { (bench) throws(Fault) in
            try await bench.administration.add([user], app: bench.app).first?.get()
        }
        guard let account else { throw OperatorFailure(.failed, "no user was made") }
        if output.json {
            Terminal.print { object in
                object.field("userId", account.id.value)
                object.field("username", account.username)
                object.field("role", account.role.rawValue)
            }
        } else {
            Terminal.print("\(account.id.value) \(account.username)")
        }
    }
}

struct UserPasswordCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "password", abstract: "Set a user's password; all sign-ins of the user end.")

    @OptionGroup var app: AppOptions

    @Argument(help: "The user's name.")
    var username: String

    @Flag(help: "Read the password from standard input.")
    var passwordStdin = false

    func run() async throws {
        let password = try Terminal.newPassword(fromInput: passwordStdin)
        let bench = try await app.workbench()
        let account = try await bench.account(username)
        try await bench.use { (bench) throws(Fault) in
            try await bench.administration.setPassword(account.id, to: password)
        }
    }
}

struct UserRoleCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "role", abstract: "Set what a user may do.")

    @OptionGroup var app: AppOptions

    @Argument(help: "The user's name.")
    var username: String

    @Argument(help: "user or admin.")
    var role: AssignableRole

    func run() async throws {
        let bench = try await app.workbench()
        let account = try await bench.account(username)
        try await bench.use { (bench) throws(Fault) in
            try await bench.administration.setRole(account.id, to: role.role)
        }
    }
}

struct UserBanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ban", abstract: "Keep a user out; live sessions end within seconds.")

    @OptionGroup var app: AppOptions

    @Argument(help: "The user's name.")
    var username: String

    @Option(
        name: .customLong("for"),
        help: ArgumentHelp("How long: 90s, 30m, 12h, 7d (default: without an end).", valueName: "time"))
    var time: Span?

    func run() async throws {
        let bench = try await app.workbench()
        let account = try await bench.account(username)
        try await bench.use { (bench) throws(Fault) in
            try await bench.administration.ban(account.id, until: time.map { SystemTime().now + $0.duration })
        }
    }
}

struct UserUnbanCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(commandName: "unban", abstract: "Let a banned user in again.")

    @OptionGroup var app: AppOptions

    @Argument(help: "The user's name.")
    var username: String

    func run() async throws {
        let bench = try await app.workbench()
        let account = try await bench.account(username)
        try await bench.use { (bench) throws(Fault) in try await bench.administration.unban(account.id) }
    }
}

/// A length of time as people write it.
struct Span: ExpressibleByArgument {
    let duration: Duration

    init?(argument: String) {
        let units: [Character: Int64] = ["s": 1, "m": 60, "h": 3600, "d": 86_400]
        guard let unit = argument.last.flatMap({ units[$0] }), let count = Int64(argument.dropLast()),
            (1...1_000_000).contains(count)
        else { return nil }
        duration = .seconds(count * unit)
    }
}
