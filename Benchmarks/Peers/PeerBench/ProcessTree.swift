import Foundation
import MartletBench

/// What some processes and all that they started have used.
struct ProcessTree: Sendable {
    private(set) var cpu = 0.0
    private(set) var resident = 0
    private(set) var processes = 0

    /// Nil where one of them is not there, or no `/proc`.
    init?(of roots: [Int32]) {
        let parents = Self.parents()
        var counted: Set<Int32> = []
        for root in roots where counted.insert(root).inserted {
            guard let usage = ProcessUsage.of(root) else { return nil }
            add(usage)
            for process in Self.descendants(of: root, parents) where counted.insert(process).inserted {
                if let usage = ProcessUsage.of(process) { add(usage) }
            }
        }
    }

    private mutating func add(_ usage: ProcessUsage) {
        cpu += usage.cpu
        resident += usage.resident
        processes += 1
    }

    /// Every process that `root` stands above; without `root`.
    static func descendants(of root: Int32, _ parents: [Int32: Int32]) -> [Int32] {
        var children: [Int32: [Int32]] = [:]
        for (process, parent) in parents { children[parent, default: []].append(process) }
        var found: [Int32] = []
        var open = [root]
        while let process = open.popLast() {
            for child in children[process] ?? [] where child != root {
                found.append(child)
                open.append(child)
            }
        }
        return found
    }

    private static func parents() -> [Int32: Int32] {
        var parents: [Int32: Int32] = [:]
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let process = Int32(name), let data = FileManager.default.contents(atPath: "/proc/\(name)/stat"),
                let parent = parent(stat: String(decoding: data, as: UTF8.self))
            else { continue }
            parents[process] = parent
        }
        return parents
    }

    /// The name in parentheses may hold anything; fields are counted behind it.
    static func parent(stat: String) -> Int32? {
        guard let end = stat.lastIndex(of: ")") else { return nil }
        let fields = stat[stat.index(after: end)...].split(separator: " ")
        return fields.count > 1 ? Int32(fields[1]) : nil
    }
}
