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
        /// The number that the user has elsewhere and keeps; nil for the next one. See `numbers`.
        package let number: UserID?

        package init(
            username: String, password: String, nickname: String = "", role: Role = .user, number: UserID? = nil
        ) {
            self.username = username
            self.password = password
            self.nickname = nickname
            self.role = role
            self.number = number
        }
    }

    /// The numbers that a user may bring along: those that clients with numbers of 32 bits can say, with room behind them for all who come later.
    package static let numbers: ClosedRange<Int64> = 1...2_000_000_000

    /// How many users one call of `add` may have: as many as may wait for their passwords to be hashed.
    package static let largestBatch = 200

    /// Makes many accounts in one transaction; passwords are hashed on all cores. Says for each in turn what became of it: a name or a
    /// number that is taken or a field that is wrong keeps only that one out. Those with a number of their own go first, so that none of
    /// the others gets it.
    ///
    /// Passwords follow the usual rule, or where `takesShortPasswords` have any 1 to 128 characters.
    package func add(
        _ users: [NewUser], app: AppID, takesShortPasswords: Bool = false
    ) async throws(Fault) -> [Result<Account, Fault>] {
        let prepared = await prepare(users, app, takesShortPasswords)
        let numbered = users.indices.filter { users[$0].number != nil }
        let others = users.indices.filter { users[$0].number == nil }
        let now = clock.now
        return try await database.write { connection throws(Fault) in
            // Before the first look at who has which number: who registers now waits.
            if !numbered.isEmpty { try connection.raise(.user, to: 0) }
            var results = prepared.map { _ in Result<Account, Fault>.failure(.unknownUser) }
            for index in numbered + others {
                do throws(Fault) {
                    let user = try prepared[index].get()
                    let account =
                        if let number = users[index].number {
                            try AccountStore.create(connection, user, number: number, now: now)
                        } else { try AccountStore.create(connection, user, now: now) }
                    results[index] = .success(account)
                } catch {
                    // A store that fails takes the whole batch back.
                    guard !error.isOurs else { throw error }
                    results[index] = .failure(error)
                }
            }
            return results
        }
    }

    private func prepare(
        _ users: [NewUser], _ app: AppID, _ takesShortPasswords: Bool
    ) async -> [Result<AccountStore.NewAccount, Fault>] {
        await withTaskGroup(of: (Int, Result<AccountStore.NewAccount, Fault>).self) { group in
            for (index, user) in users.enumerated() {
                group.addTask { (index, await self.prepare(user, app, takesShortPasswords)) }
            }
            var prepared = users.map { _ in Result<AccountStore.NewAccount, Fault>.failure(.unknownUser) }
            for await (index, result) in group { prepared[index] = result }
            return prepared
        }
    }

    private func prepare(
        _ user: NewUser, _ app: AppID, _ takesShortPasswords: Bool
    ) async -> Result<AccountStore.NewAccount, Fault> {
        do throws(Fault) {
            if let number = user.number, !Self.numbers.contains(number.value) { throw Self.noNumber }
            let name = try AccountRules.username(user.username)
            let nickname = user.nickname.isEmpty ? "" : try AccountRules.nickname(user.nickname)
            var hash: String?
            if !user.password.isEmpty {
                let password =
                    takesShortPasswords
                    ? try AccountRules.plainPassword(user.password) : try AccountRules.password(user.password)
                hash = try await hasher.hash(password)
            }
            return .success(
                AccountStore.NewAccount(
                    app: app, username: name, passwordHash: hash, nickname: nickname, role: user.role))
        } catch {
            return .failure(error)
        }
    }

    /// What is wrong with a number that nobody may bring along.
    package static let noNumber = Fault.invalid("id", "a number from 1 to \(numbers.upperBound) is expected")
}
