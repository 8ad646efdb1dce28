import CLibPQ

/// The statements that a connection has prepared, by their text and the types of their values. Bounded: the one that was
/// not used for longest gives way.
struct StatementCache {
    struct Key: Hashable {
        let text: String
        let types: [Oid]
    }

    private struct Entry {
        let name: String
        var lastUse: UInt64
    }

    private let capacity: Int
    private var entries: [Key: Entry] = [:]
    private var uses: UInt64 = 0
    private var made: UInt64 = 0

    init(capacity: Int) { self.capacity = capacity }

    var count: Int { entries.count }

    /// The statement's name on this connection, nil where it is not prepared.
    mutating func name(_ key: Key) -> String? {
        uses += 1
        guard let index = entries.index(forKey: key) else { return nil }
        entries.values[index].lastUse = uses
        return entries.values[index].name
    }

    /// Takes a new statement in. Returns its name, which is never used again, and the one to let go for it.
    mutating func add(_ key: Key) -> (name: String, released: String?) {
        var released: String?
        if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
            entries[oldest.key] = nil
            released = oldest.value.name
        }
        made += 1
        uses += 1
        let name = "s\(made)"
        entries[key] = Entry(name: name, lastUse: uses)
        return (name, released)
    }

    /// Forgets a statement that the server did not prepare.
    mutating func remove(_ key: Key) { entries[key] = nil }
}
