import Foundation
import Logging
import MartletAccounts
import MartletCore
import MartletLog
import MartletSQL

/// What commands work with: the store beside a running server, or without one.
package struct Workbench: Sendable {
    package let configuration: ServerConfiguration
    package var database: any Database { store.database }
    private let store: Store
    package let administration: AccountAdministration
    /// Steps of the schema that were missing.
    package let migrated: [String]
    package let app: AppID
    private let clock = SystemTime()

    /// Opens the store, makes it where it is missing, and brings it to this program's schema.
    package init(_ configuration: ServerConfiguration, app: Int? = nil) async throws(OperatorFailure) {
        self.configuration = configuration
        self.app = try Self.app(app, configuration)
        _ = try DataFolder(preparing: configuration.dataFolder)
        let clock = SystemTime()
        do throws(Fault) {
            store = try await Store(configuration, logger: .quiet)
            migrated = try await store.migrate(now: clock.now)
        } catch {
            throw OperatorFailure(error)
        }
        // All cores for passwords: nobody else waits for them here.
        let hasher = PasswordHasher(queue: AccountAdministration.largestBatch * 2)
        administration = AccountAdministration(database: store.database, hasher: hasher, clock: clock)
    }

    private static func app(_ number: Int?, _ configuration: ServerConfiguration) throws(OperatorFailure) -> AppID {
        guard let number else { return configuration.firstApp }
        guard let app = AppID(Int64(number)), configuration.accounts.apps.contains(app) else {
            throw OperatorFailure(.usage, "app \(number) is not one of accounts.apps")
        }
        return app
    }

    /// Lets go of the store.
    package func close() { store.close() }

    /// The account of a name, in the workbench's app.
    package func account(_ username: String) async throws(OperatorFailure) -> Account {
        do throws(Fault) {
            if let account = try await administration.find(username: username, app: app) { return account }
        } catch {
            throw OperatorFailure(error)
        }
        throw OperatorFailure(.failed, "there is no user \(username)")
    }

    /// Makes access tokens that belong to no sign-in.
    package func tokens() async throws(OperatorFailure) -> AccessTokens {
        let folder = try DataFolder(preparing: configuration.dataFolder)
        let secrets = try Secrets.load(folder, given: configuration.givenSecrets)
        do throws(Fault) {
            return try await AccessTokens(
                .init(keys: secrets.signingKeys, lifetime: configuration.accessTokenLifetime),
                revocations: Revocations(),
                clock: clock)
        } catch {
            throw OperatorFailure(error)
        }
    }

    /// What a query of a verification may take: each reads the whole log.
    static let verificationTimeout = Duration.seconds(6 * 3600)

    /// Proves the log's contract on a store that has to be there; changes nothing.
    package static func verify(_ configuration: ServerConfiguration) async throws(OperatorFailure) -> VerificationReport
    {
        if case .sqlite(let path) = configuration.store {
            guard FileManager.default.fileExists(atPath: path) else {
                throw OperatorFailure(.noInput, "there is no database at \(path)")
            }
        }
        var configuration = configuration
        configuration.cluster.databaseTimeout = verificationTimeout
        do throws(Fault) {
            let store = try await Store(configuration, logger: .quiet)
            defer { store.close() }
            return try await store.verify()
        } catch {
            throw OperatorFailure(error)
        }
    }
}

extension Logger {
    /// For commands, which tell what went wrong themselves.
    static let quiet = Logger(label: "martlet") { _ in SwiftLogNoOpLogHandler() }
}
