import MartletCore

/// Turns an access token into whoever it stands for.
package protocol TokenAuthenticator: Sendable {
    /// Throws `invalid_token` for one that is wrong, old or revoked, and `banned`.
    func caller(from token: String, trace: String) async throws(Fault) -> Caller
}
