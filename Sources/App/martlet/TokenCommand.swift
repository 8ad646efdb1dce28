import ArgumentParser
import Foundation
import MartletAccounts
import MartletCore
import MartletServer
import MartletWire

struct TokenCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token", abstract: "Make access tokens: one line each, user id and token.",
        discussion: "For operators, scripts and load tests. A token is valid for accounts.access-token-lifetime.")

    @OptionGroup var app: AppOptions
    @OptionGroup var output: OutputOptions

    @Option(help: ArgumentHelp("The user's name.", valueName: "name"))
    var user: String?

    @Option(
        help: ArgumentHelp(
            "A file with one name a line, or a CSV with names in front; - for standard input.", valueName: "file"))
    var from: String?

    @Option(help: "The kind of device that the tokens are for.")
    var device = "bot"

    func validate() throws {
        guard (user == nil) != (from == nil) else { throw ValidationError("--user or --from is expected") }
        guard DeviceKind(rawValue: device) != nil else { throw ValidationError("there is no such kind of device") }
    }

    func run() async throws {
        let names = try user.map { [$0] } ?? Self.names(in: from ?? "-")
        let bench = try await app.workbench()
        defer { bench.close() }
        let tokens = try await bench.tokens()
        let bar = ProgressBar(total: names.count > 1000 ? names.count : 0)
        for (index, name) in names.enumerated() {
            let account = try await bench.account(name)
            guard account.bannedUntil <= SystemTime().now else { throw OperatorFailure(.failed, "\(name) is banned") }
            do throws(Fault) {
                let token = try await tokens.make(account, device: DeviceKind(rawValue: device) ?? .bot, family: 0)
                print(account.id, token)
            } catch {
                throw OperatorFailure(error)
            }
            if (index + 1).isMultiple(of: 500) || index + 1 == names.count { bar.show(index + 1) }
        }
    }

    private func print(_ user: UserID, _ token: String) {
        guard output.json else {
            Terminal.print("\(user.value) \(token)")
            return
        }
        Terminal.print { object in
            object.field("userId", user.value)
            object.field("accessToken", token)
        }
    }

    private static func names(in file: String) throws(OperatorFailure) -> [String] {
        let text = try Terminal.text(of: file)
        do throws(CSVReader.Failure) {
            let names = try CSVReader.rows(text).compactMap(\.fields.first)
            return names.first?.lowercased() == "username" ? Array(names.dropFirst()) : names
        } catch {
            throw OperatorFailure(.badData, "line \(error.line): \(error.message)")
        }
    }
}
