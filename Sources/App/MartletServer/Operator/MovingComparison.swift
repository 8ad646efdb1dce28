import MartletCore
import MartletSQL

/// Compares what both sides of a move hold: the events of each conversation, and all other tables as a whole. Rows are
/// read in whatever order each side has at hand, a batch at a time; of each a digest is taken, and the digests are
/// summed up, so that the order does not matter and a row that is missing, changed or there twice is seen. An event's
/// digest has its sequence number in it.
struct MovingComparison {
    /// Differing conversations that are named.
    private static let examples = 20
    /// Conversations whose sums are in memory at a time: 64 bytes each.
    private static let conversationsPerPass: Int64 = 1 << 20
    private static let rowsPerPage = 2000

    let source: any SQLConnection
    let target: MovingTarget
    let watch: MovingWatch

    /// In what the sides differ, a line each; empty where they are the same.
    func run() throws(OperatorFailure) -> [String] {
        let tables = try OperatorFailure.of { () throws(Fault) in try MovingPlan.tables(of: source) }
        var counts = MovingProgress(watch: watch)
        for table in tables {
            counts.total += try OperatorFailure.of { () throws(Fault) in try MovingPlan.count(table, source) * 2 }
        }
        var differences: [String] = []
        var compared: Set<String> = []
        for table in tables where table.partition != .events && compared.insert(table.target).inserted {
            differences += try whole(tables.filter { $0.target == table.target }, &counts)
        }
        for events in tables where events.partition == .events { differences += try byConversation(events, &counts) }
        counts.end()
        return differences
    }

    // MARK: Tables

    /// Compares the tables of the source that went into one table.
    private func whole(_ tables: [MovingTable], _ progress: inout MovingProgress) throws(OperatorFailure) -> [String] {
        var (here, there) = (MovingTally(), MovingTally())
        for table in tables {
            try each(table, within: MovingKeys(), &progress) { row throws(Fault) in
                here.add(try MovingDigest.of(row, table))
            }
        }
        let table = tables[0]
        try eachStored(table, within: MovingKeys(), &progress) { row throws(Fault) in
            there.add(try MovingDigest.of(row, table))
        }
        guard here != there else { return [] }
        guard here.count != there.count else { return ["\(table.target): the rows are not the same"] }
        return ["\(table.target): SQLite has \(here.count) rows, PostgreSQL \(there.count)"]
    }

    // MARK: Events

    private func byConversation(
        _ events: MovingTable, _ progress: inout MovingProgress
    ) throws(OperatorFailure) -> [String] {
        let last = try OperatorFailure.of { () throws(Fault) in
            try source.integer("SELECT max(id) FROM log_conversations") ?? 0
        }
        var differences: [String] = []
        var differing = 0
        var low: Int64 = 0
        repeat {
            let high = min(last, low + Self.conversationsPerPass)
            // What belongs to no conversation is counted at the edge, where it makes a difference.
            let keys = MovingKeys(above: low == 0 ? nil : low, through: high == last ? nil : high)
            let (here, there) = try tallies(of: events, within: keys, slots: low...high, &progress)
            for slot in here.indices where here[slot] != there[slot] {
                differing += 1
                guard differing <= Self.examples else { continue }
                let name = try name(of: low + Int64(slot))
                differences.append("\(name): SQLite has \(here[slot].span), PostgreSQL \(there[slot].span)")
            }
            low = high
        } while low < last
        if differing > Self.examples { differences.append("and \(differing - Self.examples) more conversations") }
        return differences
    }

    /// The sums of some conversations' events on both sides, by their keys.
    private func tallies(
        of events: MovingTable, within keys: MovingKeys, slots: ClosedRange<Int64>, _ progress: inout MovingProgress
    ) throws(OperatorFailure) -> ([MovingTally], [MovingTally]) {
        var here = [MovingTally](repeating: MovingTally(), count: slots.count)
        var there = here
        func add(_ row: SQLRow, to tallies: inout [MovingTally]) throws(Fault) {
            let slot = min(max(try row.integer("conversation"), slots.lowerBound), slots.upperBound) - slots.lowerBound
            tallies[Int(slot)].add(try MovingDigest.of(row, events), seq: try row.integer("seq"))
        }
        try each(events, within: keys, &progress) { row throws(Fault) in try add(row, to: &here) }
        try eachStored(events, within: keys, &progress) { row throws(Fault) in try add(row, to: &there) }
        return (here, there)
    }

    private func name(of conversation: Int64) throws(OperatorFailure) -> String {
        try OperatorFailure.of { () throws(Fault) in
            try source.row("SELECT name FROM log_conversations WHERE id = \(conversation)")?.text("name")
                ?? "no conversation"
        }
    }

    // MARK: Reading

    /// Reads a table of the source page by page.
    private func each(
        _ table: MovingTable, within keys: MovingKeys, _ progress: inout MovingProgress,
        _ read: (SQLRow) throws(Fault) -> Void
    ) throws(OperatorFailure) {
        var mark: [SQLValue]?
        while true {
            try watch.requireGoingOn()
            let count = try OperatorFailure.of { () throws(Fault) in
                let rows = try source.rows(table.page(after: mark, limit: Self.rowsPerPage))
                for row in rows {
                    if !keys.isAll, !keys.contains(try row.integer("conversation")) { continue }
                    try read(row)
                }
                mark = try rows.last.map { row throws(Fault) in try table.mark(of: row) }
                return rows.count
            }
            progress.add(count)
            if count < Self.rowsPerPage { return }
        }
    }

    private func eachStored(
        _ table: MovingTable, within keys: MovingKeys, _ progress: inout MovingProgress,
        _ read: (SQLRow) throws(Fault) -> Void
    ) throws(OperatorFailure) {
        let query = table.stored + keys.condition
        var stop: OperatorFailure?
        try OperatorFailure.of { () throws(Fault) in
            try target.each(query) { rows throws(Fault) in
                for row in rows { try read(row) }
                progress.add(rows.count)
                do throws(OperatorFailure) {
                    try watch.requireGoingOn()
                    return true
                } catch {
                    stop = error
                    return false
                }
            }
        }
        if let stop { throw stop }
    }
}

/// Keys of conversations that are compared together; nil where there is no bound.
struct MovingKeys {
    var above: Int64?
    var through: Int64?

    var isAll: Bool { above == nil && through == nil }

    func contains(_ key: Int64) -> Bool { key > above ?? .min && key <= through ?? .max }

    /// In SQL.
    var condition: String {
        let parts = [above.map { "conversation > \($0)" }, through.map { "conversation <= \($0)" }].compactMap(\.self)
        return parts.isEmpty ? "" : " WHERE " + parts.joined(separator: " AND ")
    }
}

/// How far a comparison is.
struct MovingProgress {
    let watch: MovingWatch
    var total: Int64 = 0
    private var done: Int64 = 0

    init(watch: MovingWatch) { self.watch = watch }

    mutating func add(_ count: Int) {
        done += Int64(count)
        watch.progress(.comparing, min(done, total), total)
    }

    func end() { watch.progress(.comparing, total, total) }
}

/// What some rows add up to.
struct MovingTally: Equatable {
    private(set) var count: Int64 = 0
    private var sum: UInt64 = 0
    private var first = Int64.max
    private var last: Int64 = 0

    mutating func add(_ digest: UInt64, seq: Int64 = 0) {
        count += 1
        sum &+= digest
        first = min(first, seq)
        last = max(last, seq)
    }

    /// In words, for events.
    var span: String { count == 0 ? "nothing" : "\(count) events in \(first)…\(last) (\(String(sum, radix: 16)))" }
}

/// The digest of a row: 64 bits, good against accidents, not against somebody who looks for collisions.
struct MovingDigest {
    private static let prime: UInt64 = 0x9E37_79B9_7F4A_7C15
    private var state: UInt64 = 0xCBF2_9CE4_8422_2325

    static func of(_ row: SQLRow, _ table: MovingTable) throws(Fault) -> UInt64 {
        var digest = MovingDigest()
        for column in table.columns { digest.mix(try row.value(column.name)) }
        digest.mix(0)
        return digest.state
    }

    private mutating func mix(_ value: SQLValue) {
        switch value {
        case .null: mix(1)
        case .integer(let integer):
            mix(2)
            mix(UInt64(bitPattern: integer))
        case .real(let real):
            mix(3)
            mix(real.bitPattern)
        case .text(var text):
            mix(4)
            text.withUTF8 { mix(UnsafeRawBufferPointer($0)) }
        case .blob(let bytes):
            mix(5)
            bytes.withUnsafeBytes { mix($0) }
        }
    }

    private mutating func mix(_ bytes: UnsafeRawBufferPointer) {
        mix(UInt64(bytes.count))
        var offset = 0
        while offset + 8 <= bytes.count {
            mix(bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self))
            offset += 8
        }
        var rest: UInt64 = 0
        while offset < bytes.count {
            rest = rest << 8 | UInt64(bytes[offset])
            offset += 1
        }
        mix(rest)
    }

    private mutating func mix(_ word: UInt64) {
        state = (state ^ word) &* Self.prime
        state ^= state >> 29
    }
}
