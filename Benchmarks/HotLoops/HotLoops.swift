import Foundation

// Runs one loop of the hot path, for `Benchmarks/hotloops.py`, which counts what its instructions are. HotLoop.swift says what a loop is; each
// file beside it holds those of one part of the path, and `all` lists them.
//
//     martlet-hotloops --list               a line for each loop: name, operations per iteration, iterations, what one operation is
//     martlet-hotloops NAME [ITERATIONS]
@main
enum HotLoops {
    static let all =
        FrameLoops.all + TextLoops.all + CommandLoops.all + EncodingLoops.all + LogLoops.all + MessageLoops.all
        + FanOutLoops.all

    static func main() {
        let arguments = CommandLine.arguments.dropFirst()
        if arguments.first == "--list" {
            for loop in all { print("\(loop.name)\t\(loop.operations)\t\(loop.iterations)\t\(loop.operation)") }
            return
        }
        guard let loop = all.first(where: { $0.name == arguments.first }), arguments.count <= 2,
            let iterations = arguments.count == 2 ? arguments.last.flatMap({ Int($0) }) : loop.iterations,
            iterations > 0
        else {
            complain("usage: martlet-hotloops --list | NAME [ITERATIONS]")
            exit(64)
        }
        do {
            try measure(loop, iterations)
        } catch {
            complain("\(loop.name): \(error)")
            exit(1)
        }
    }

    /// Warms up first: what is made once, and buffers that grow to their size, are not counted.
    private static func measure(_ loop: HotLoop, _ iterations: Int) throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-hotloops.\(getpid())")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        let warmUp = max(2, iterations / 8)
        let setting = Setting(iterations: warmUp + iterations, folder: folder.path)
        let body = try loop.prepare(setting)
        try body(0..<warmUp)
        markHotLoop()
        let start = ContinuousClock.now
        try body(warmUp..<(warmUp + iterations))
        let elapsed = ContinuousClock.now - start
        markHotLoop()
        try setting.check()
        let nanoseconds = elapsed / .nanoseconds(1) / Double(iterations * loop.operations)
        print("\(loop.name): \(iterations) iterations, \(Int(nanoseconds)) ns for each \(loop.operation)")
    }

    private static func complain(_ text: String) { FileHandle.standardError.write(Data("\(text)\n".utf8)) }
}

/// How often `markHotLoop` was called, which only the main thread does.
nonisolated(unsafe) private var marks = 0

/// callgrind writes down what it has counted, and begins anew, whenever this is called. It knows the function by its name in C.
@c(martlet_hotloops_mark)
@inline(never)
func markHotLoop() { marks += 1 }
