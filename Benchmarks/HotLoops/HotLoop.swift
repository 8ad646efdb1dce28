/// A piece of the hot path, run again and again with as little as possible around it.
struct HotLoop: Sendable {
    /// Does the iterations with these numbers. They go on from call to call, so that what must be unique is made from them. Throws where a
    /// result is not what it should be.
    typealias Body = (Range<Int>) throws -> Void

    let name: String
    /// What one operation is.
    let operation: String
    /// Operations in one iteration.
    var operations = 1
    /// Iterations that are measured where nobody says how many.
    let iterations: Int
    /// Makes what the loop works on.
    let prepare: @Sendable (Setting) throws -> Body
}

/// What a loop has to work with.
final class Setting {
    /// Iterations there will be in all.
    let iterations: Int
    /// An empty folder, gone behind the run.
    let folder: String
    /// Checks that would cost too much to be counted: they run once, behind all iterations.
    var check: () throws -> Void = {}

    init(iterations: Int, folder: String) {
        self.iterations = iterations
        self.folder = folder
    }
}

/// A loop that did not do what it should: its counts mean nothing.
struct BrokenLoop: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}

/// Compares what a loop did with what it should have done. It uses the result, so that the optimiser has to leave the work that made it.
@inline(never)
func expect(_ found: Int, is expected: Int, _ what: String) throws {
    guard found == expected else { throw BrokenLoop("\(what): \(found) instead of \(expected)") }
}
