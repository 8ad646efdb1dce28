import Foundation
import MartletTestServices

extension ClusterFleet {
    /// Brings one fault after the other, waits after each until every node that lives works again, and ends the run.
    func drive(_ devices: [ClusterDevice]) async throws -> [ClusterFault] {
        var schedule = ClusterSchedule(seed: plan.seed, nodes: cluster.nodes.count)
        var faults: [ClusterFault] = []
        try await waitForAcknowledgements(100)
        let begin = ContinuousClock.now
        cluster.spoilBus()
        repeat {
            let step = schedule.next()
            try await Task.sleep(for: step.pause)
            let meanwhile = step.meanwhile.map { ", meanwhile \($0.rawValue)" } ?? ""
            print(
                "chaos after \(ContinuousClock.now - begin): \(step.fault.rawValue), node \(step.node + 1)\(meanwhile)")
            try await bring(step)
            try await waitForRecovery(from: step)
            faults.append(step.fault)
        } while ContinuousClock.now < begin + plan.lasts || !schedule.isBetweenRounds
        cluster.mendBus()
        try await waitForAcknowledgements(50)
        try await finish(devices)
        return faults
    }

    private func bring(_ step: ClusterSchedule.Step) async throws {
        let all = Set(cluster.nodes.indices)
        let (node, fault, others) = (cluster.nodes[step.node], step.fault.rawValue, all.subtracting([step.node]))
        switch step.fault {
        case .nodeKilled:
            node.kill(SIGKILL)
            await node.wait()
            struck(fault, watched: others)
            try await Task.sleep(for: step.lasts)
            try await node.restart()
        case .nodeLeft:
            node.kill(SIGTERM)
            struck(fault, watched: others)
            let status = await node.wait()
            if status != 0 { fail("node \(step.node + 1) left with \(status)") }
            try await node.restart()
        case .nodeFrozen:
            node.kill(SIGSTOP)
            struck(fault, watched: others)
            if let meanwhile = step.meanwhile { try await bring(meanwhile, lasts: .seconds(1), watched: others) }
            try await Task.sleep(for: step.lasts)
            node.kill(SIGCONT)
            return struck("node thawed", watched: [step.node])
        default: try await bring(step.fault, lasts: step.lasts, watched: all)
        }
        struck("all is well again", watched: all)
    }

    /// A fault of what all nodes share.
    private func bring(_ fault: ClusterFault, lasts: Duration, watched nodes: Set<Int>) async throws {
        switch fault {
        case .nodeKilled, .nodeLeft, .nodeFrozen: break
        case .redisKilled:
            await cluster.redis.kill()
            struck(fault.rawValue, watched: nodes)
            try await Task.sleep(for: lasts)
            try await cluster.redis.start()
        case .redisFrozen:
            cluster.redis.freeze()
            struck(fault.rawValue, watched: nodes)
            try await Task.sleep(for: lasts)
            cluster.redis.thaw()
        case .busCut:
            cluster.bus.cut()
            struck(fault.rawValue, watched: nodes)
        case .databaseRestarted:
            try await cluster.database.restart { self.struck(fault.rawValue, watched: nodes) }
        case .databaseSlowed:
            cluster.database.delay(by: .milliseconds(50))
            struck(fault.rawValue, watched: nodes)
            try await Task.sleep(for: lasts)
            cluster.database.delay(by: .zero)
        case .databaseCut:
            cluster.database.cut()
            struck(fault.rawValue, watched: nodes)
        case .primaryLost:
            let isDone = try await cluster.database.failOver { self.struck(fault.rawValue, watched: nodes) }
            if !isDone { fail("there is no standby") }
        }
    }

    /// From now on, what these nodes acknowledge and hear counts.
    private func struck(_ what: String, watched nodes: Set<Int>) {
        let now = ContinuousClock.now
        state.update { $0.recovery.struck(what, at: now, watched: nodes) }
    }

    private func waitForRecovery(from step: ClusterSchedule.Step) async throws {
        do {
            try await state.wait("the nodes to work again") { state -> Bool? in
                if !state.failures.isEmpty { throw FleetFailed(failures: state.failures) }
                return state.recovery.missing.isEmpty ? true : nil
            }
        } catch is WaitedTooLong {
            let missing = state.value.recovery.missing.sorted().map { "node \($0 + 1)" }.joined(separator: ", ")
            throw FleetFailed(failures: ["\(missing) did not work again after \(step.fault.rawValue)"])
        }
    }
}
