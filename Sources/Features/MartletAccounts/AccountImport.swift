import MartletCore
import MartletSQL

extension AccountAdministration {
    /// An account that an operator makes.
    package struct NewUser: Sendable {
        package let username: String
        /// Empty for a user who signs in by token only.
        package let password: String
        /// Empty for none.
        package let nickname: String
        package let role: Role

        package init(username: String, password: String, nickname: String = "", role: Role = .user) {
            self.username = username
            self.password = password
            self.nickname = nickname
            self.role = role
        }
    }

    /// How many users one call of `add` may have: as many as may wait for their passwords to be hashed.
    package static let largestBatch = 200

    /// Makes many accounts in one transaction; passwords are hashed on all cores. Says for each in turn what became of it: a name that
    /// is taken or a field that is wrong keeps only that one out.
    package func add(_ users: [NewUser], app: AppID) async throws(Fault) -> [Result<Account, Fault>] {
        let prepared = await prepare(users, app)
        let now = clock.now
        return try await database.write { connection throws(Fault) in
            var results: [Result<Account, Fault>] = []
            for user in prepared {
                do throws(Fault) {
                    results.append(.success(try AccountStore.create(connection, try user.get(), now: now)))
                } catch {
                    // A store that fails takes the whole batch back.
                    guard !error.isOurs else { throw error }
                    results.append(.failure(error))
                }
            }
            return results
        }
    }

    private func prepare(_ users: [NewUser], _ app: AppID) async -> [Result<AccountStore.NewAccount, Fault>] {
        await withTaskGroup(of: (Int, Result<AccountStore.NewAccount, Fault>).self) { group in
            for (index, user) in users.enumerated() {
                group.addTask { (index, await self.prepare(user, app)) }
            }
            var prepared = users.map { _ in Result<AccountStore.NewAccount, Fault>.failure(.unknownUser) }
            for await (index, result) in group { prepared[index] = result }
            return prepared
        }
    }

    private func prepare(_ user: NewUser, _ app: AppID) async -> Result<AccountStore.NewAccount, Fault> {
        do throws(Fault) {
            let name = try AccountRules.username(user.username)
            let nickname = user.nickname.isEmpty ? "" : try AccountRules.nickname(user.nickname)
            let hash = user.password.isEmpty ? nil : try await hasher.hash(try AccountRules.password(user.password))
            return .success(
                AccountStore.NewAccount(
                    app: app, username: name, passwordHash: hash, nickname: nickname, role: user.role))
        } catch {
            return .failure(error)
        }
    }
}
