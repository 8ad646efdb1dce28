/// Where a server keeps everything.
package enum StoreLocation: Sendable, Equatable {
    /// The path of a file.
    case sqlite(String)
    /// A URL as libpq takes it; it may hold a password.
    case postgres(String)

    /// For people and logs: no password, no host.
    package var engine: String {
        switch self {
        case .sqlite: "sqlite"
        case .postgres: "postgres"
        }
    }
}
