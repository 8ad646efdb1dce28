/// Deadlines of many entries with one timer: slots of a second, in a ring. An entry that moves its deadline back need not be touched: it looks
/// at its own deadline when its slot comes up and goes into a later one.
struct TimerWheel<Entry> {
    private var slots: [[Entry]]
    private var tick: UInt64 = 0

    /// The latest deadline, in ticks from now; later ones come up early and go in again.
    var span: UInt64 { UInt64(slots.count) - 1 }

    /// Ticks since the start.
    var now: UInt64 { tick }

    init(slots count: Int = 128) { slots = Array(repeating: [], count: max(2, count)) }

    /// Puts an entry where it comes up at `deadline` (in ticks), but not before the next tick. Returns the tick at which it does.
    @discardableResult
    mutating func insert(_ entry: Entry, at deadline: UInt64) -> UInt64 {
        let due = tick + min(max(deadline, tick + 1) - tick, span)
        slots[Int(due % UInt64(slots.count))].append(entry)
        return due
    }

    /// One second has passed: returns what comes up.
    mutating func advance() -> [Entry] {
        tick += 1
        let index = Int(tick % UInt64(slots.count))
        defer { slots[index] = [] }
        return slots[index]
    }
}
