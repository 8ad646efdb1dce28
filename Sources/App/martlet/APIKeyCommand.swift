import ArgumentParser
import Foundation
import MartletAccounts
import MartletCore
import MartletServer
import MartletWire

struct APIKeyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "api-key", abstract: "Make and revoke keys for programs that call the server.",
        subcommands: [APIKeyCreateCommand.self, APIKeyListCommand.self, APIKeyRevokeCommand.self])
}

extension Workbench {
    fileprivate var apiKeys: APIKeys { APIKeys(database: database, clock: SystemTime()) }
}

struct APIKeyCreateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "create", abstract: "Make a key and print it, this one time.")

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    @Option(help: "What the key is for, as it is listed.")
    var name: String

    @Option(help: ArgumentHelp("The only app that the key is for (default: every app).", valueName: "id"))
    var app: Int?

    func run() async throws {
        let isForOne = app != nil
        let (key, text) = try await Workbench(try await store.load(), app: app).use { (bench) throws(Fault) in
            try await bench.apiKeys.create(name: name, app: isForOne ? bench.app : nil)
        }
        guard output.json else { return Terminal.print(text) }
        Terminal.print { object in
            key.write(to: &object)
            object.field("key", text)
        }
    }
}

struct APIKeyListCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List the keys, one a line: number, app, since when, state, name.")

    private static let pageSize = 500

    @OptionGroup var store: StoreOptions
    @OptionGroup var output: OutputOptions

    func run() async throws {
        let keys = try await Workbench(try await store.load()).use { (bench) throws(Fault) in
            var keys: [APIKey] = []
            var page: [APIKey]
            repeat {
                page = try await bench.apiKeys.list(after: keys.last?.id ?? 0, limit: Self.pageSize)
                keys += page
            } while page.count == Self.pageSize
            return keys
        }
        for key in keys {
            guard output.json else {
                Terminal.print(key.line)
                continue
            }
            Terminal.print { key.write(to: &$0) }
        }
    }
}

struct APIKeyRevokeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke", abstract: "Make a key worthless for good; a running server refuses it at once.")

    @OptionGroup var store: StoreOptions

    @Argument(help: "The key's number, as listed.")
    var id: Int64

    func run() async throws {
        try await Workbench(try await store.load()).use { (bench) throws(Fault) in
            _ = try await bench.apiKeys.revoke(id)
        }
    }
}

extension APIKey {
    /// Everything but the key itself, which nobody knows any more. Times are milliseconds since 1970.
    fileprivate func write(to object: inout JSONObject) {
        object.field("id", id)
        object.field("name", name)
        object.optional("appId", app?.value)
        object.field("createdAt", createdAt.milliseconds)
        object.optional("revokedAt", revokedAt?.milliseconds)
    }

    fileprivate var line: String {
        let since = Date(timeIntervalSince1970: TimeInterval(createdAt.seconds)).formatted(.iso8601)
        let app = app.map { String($0.value) } ?? "every"
        return "\(id)\t\(app)\t\(since)\t\(revokedAt == nil ? "good" : "revoked")\t\(name)"
    }
}
