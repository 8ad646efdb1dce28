import MartletCore
import Testing

@testable import MartletGateway

private let alpha = ConversationID.group(GroupID(unchecked: 1))
private let beta = ConversationID.group(GroupID(unchecked: 2))

@Suite struct CatchUpTests {
    @Test func aSlowSessionGetsFromTheLogWhatItMissed() {
        var state = CatchUp()
        state.becameSlow()
        #expect(state.arrived(alpha, 7, isOwn: false) == .hold)
        #expect(state.arrived(alpha, 8, isOwn: false) == .hold)
        #expect(state.nextRead(page: 100) == nil, "nothing is read while the socket is full")
        state.drained()
        #expect(state.nextRead(page: 100) == .init(conversation: alpha, from: 7, through: 8))
        #expect(state.nextRead(page: 100) == nil, "one read at a time")
        #expect(state.read(alpha, through: 8, isLast: false) == .init(from: 7, own: []))
        #expect(state.nextRead(page: 100) == nil)
        #expect(state.arrived(alpha, 9, isOwn: false) == .push)
        #expect(state.isDone)
    }

    @Test func whatArrivesDuringAReadIsReadNext() {
        var state = CatchUp()
        state.becameSlow()
        _ = state.arrived(alpha, 1, isOwn: false)
        state.drained()
        _ = state.nextRead(page: 10)
        #expect(state.arrived(alpha, 2, isOwn: false) == .hold)
        _ = state.read(alpha, through: 1, isLast: false)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 2, through: 2))
    }

    @Test func readsComeInPages() {
        var state = CatchUp()
        state.becameSlow()
        for seq in 1...25 { _ = state.arrived(alpha, Int64(seq), isOwn: false) }
        state.drained()
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 1, through: 10))
        _ = state.read(alpha, through: 10, isLast: false)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 11, through: 20))
    }

    @Test func otherConversationsGoOnLiveBehindAGuard() {
        var state = CatchUp()
        state.synced(alpha, through: 5, more: false)
        #expect(state.arrived(beta, 1, isOwn: false) == .push)
        #expect(state.arrived(alpha, 5, isOwn: false) == .hold, "it was in the answer")
        #expect(state.arrived(alpha, 6, isOwn: false) == .push)
    }

    @Test func aSessionThatIsResumedGetsAllBehindItsPlace() {
        var state = CatchUp()
        state.hold()
        #expect(state.arrived(alpha, 21, isOwn: false) == .hold, "what comes while its place is looked up")
        state.resume(alpha, after: 4)
        state.release()
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 5, through: 14))
        #expect(state.read(alpha, through: 14, isLast: false).includes(5))
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 15, through: 24))
        #expect(state.read(alpha, through: 21, isLast: true).includes(21))
        #expect(state.nextRead(page: 10) == nil)
        #expect(state.arrived(alpha, 22, isOwn: false) == .push)
    }

    @Test func aResumingSessionGetsNothingBeforeItsSync() {
        var state = CatchUp()
        state.hold()
        #expect(state.arrived(alpha, 21, isOwn: false) == .hold)
        #expect(state.arrived(beta, 4, isOwn: false) == .hold)
        #expect(state.nextRead(page: 10) == nil)
        state.release()
        state.synced(alpha, through: 21, more: false)
        // beta was not in the answer: its event is read.
        #expect(state.nextRead(page: 10) == .init(conversation: beta, from: 4, through: 4))
        _ = state.read(beta, through: 4, isLast: false)
        #expect(state.arrived(alpha, 22, isOwn: false) == .push)
        #expect(state.arrived(beta, 5, isOwn: false) == .push)
        #expect(state.isDone)
    }

    @Test func anEventBehindTheAnswerIsNotLost() {
        var state = CatchUp()
        state.hold()
        #expect(state.arrived(alpha, 22, isOwn: false) == .hold)
        state.release()
        state.synced(alpha, through: 21, more: false)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 22, through: 22))
    }

    @Test func aPausedConversationWaitsForTheClient() {
        var state = CatchUp()
        state.hold()
        _ = state.arrived(alpha, 500, isOwn: false)
        state.release()
        state.synced(alpha, through: 50, more: true)
        #expect(state.nextRead(page: 10) == nil)
        #expect(state.arrived(alpha, 501, isOwn: false) == .hold)
        state.synced(alpha, through: 501, more: false)
        #expect(state.nextRead(page: 10) == nil)
        #expect(state.arrived(alpha, 502, isOwn: false) == .push)
    }

    @Test func ownSendsAreNotPushedFromTheLog() {
        var state = CatchUp()
        state.becameSlow()
        _ = state.arrived(alpha, 1, isOwn: false)
        state.answered(alpha, 2)
        _ = state.arrived(alpha, 2, isOwn: true)
        _ = state.arrived(alpha, 3, isOwn: false)
        state.drained()
        _ = state.nextRead(page: 10)
        #expect(state.read(alpha, through: 3, isLast: false) == .init(from: 1, own: [2]))
    }

    @Test func ownSendsDuringASyncAreNotPushedFromTheLog() {
        var state = CatchUp()
        state.hold()
        #expect(state.arrived(alpha, 10, isOwn: true) == .hold)
        state.release()
        state.synced(alpha, through: 9, more: false)
        #expect(state.nextRead(page: 10) == nil)
        #expect(state.arrived(alpha, 11, isOwn: false) == .push)
    }

    @Test func aReadIsNotHandedOverWhereASyncGaveItMeanwhile() {
        var state = CatchUp()
        state.becameSlow()
        for seq in 5...8 { _ = state.arrived(alpha, Int64(seq), isOwn: false) }
        state.drained()
        _ = state.nextRead(page: 10)
        state.hold()
        state.release()
        state.synced(alpha, through: 7, more: false)
        let handover = state.read(alpha, through: 8, isLast: false)
        #expect((5...8).filter { handover.includes($0) } == [8])
    }

    @Test func aReadIsNotHandedOverWhereTheClientHasToAskOn() {
        var state = CatchUp()
        state.becameSlow()
        for seq in 5...8 { _ = state.arrived(alpha, Int64(seq), isOwn: false) }
        state.drained()
        _ = state.nextRead(page: 10)
        state.synced(alpha, through: 6, more: true)
        #expect(state.read(alpha, through: 8, isLast: false) == .nothing)
        state.synced(alpha, through: 8, more: false)
        #expect(state.arrived(alpha, 9, isOwn: false) == .push)
    }

    @Test func anOlderAnswerDoesNotTakeBackWhatANewerOneGave() {
        var state = CatchUp()
        state.hold()
        state.hold()
        for seq in 10...12 { _ = state.arrived(alpha, Int64(seq), isOwn: false) }
        state.release()
        state.synced(alpha, through: 12, more: false)
        state.release()
        state.synced(alpha, through: 9, more: true)
        state.synced(alpha, through: 9, more: false)
        #expect(state.nextRead(page: 10) == nil)
        #expect(state.arrived(alpha, 13, isOwn: false) == .push)
    }

    @Test func followingReadsUntilTheLogHasNoMore() {
        var state = CatchUp()
        state.follow(alpha, from: 3)
        #expect(state.nextRead(page: 2) == .init(conversation: alpha, from: 3, through: 4))
        #expect(state.arrived(alpha, 9, isOwn: false) == .hold)
        _ = state.read(alpha, through: 4, isLast: false)
        #expect(state.nextRead(page: 2) == .init(conversation: alpha, from: 5, through: 6))
        _ = state.read(alpha, through: 5, isLast: true)
        // The log ended at 5 then, and 9 is known to exist now.
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 6, through: 9))
    }

    @Test func whoComesAgainGetsNothingOfBetweenThoughAnOlderAnswerCameLater() {
        var state = CatchUp()
        state.hold()
        state.follow(alpha, from: 3)
        state.unfollow(alpha)
        state.release()
        // The answer was read before the leaving.
        state.synced(alpha, through: 5, more: false)
        state.follow(alpha, from: 9)
        #expect(state.arrived(alpha, 9, isOwn: false) == .hold)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 9, through: 18))
    }

    @Test func followingGoesOnBehindAnAnswerThatKnewOfIt() {
        var state = CatchUp()
        state.synced(alpha, through: 12, more: false)
        state.follow(alpha, from: 9)
        // What came between the answer and the following is in the log only.
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 13, through: 22))
        _ = state.read(alpha, through: 12, isLast: true)
        #expect(state.arrived(alpha, 13, isOwn: false) == .push)
    }

    @Test func aReadFromBeforeTheLeavingSaysNothingOfWhatCameAfterTheReturn() {
        var state = CatchUp()
        state.follow(alpha, from: 3)
        _ = state.nextRead(page: 10)
        state.unfollow(alpha)
        state.follow(alpha, from: 9)
        let handover = state.read(alpha, through: 5, isLast: true)
        #expect((3...5).filter { handover.includes($0) }.isEmpty)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 9, through: 18))
    }

    @Test func anAnswerOfNothingLeavesNothingToKeep() {
        var state = CatchUp()
        state.synced(alpha, through: 0, more: false)
        #expect(state.isDone)
        state.synced(alpha, through: 0, more: true)
        #expect(state.arrived(alpha, 1, isOwn: false) == .hold)
        state.synced(alpha, through: 0, more: false)
        #expect(state.nextRead(page: 10) == .init(conversation: alpha, from: 1, through: 1))
    }

    @Test func unfollowingForgets() {
        var state = CatchUp()
        state.follow(alpha, from: 3)
        state.unfollow(alpha)
        #expect(state.isDone)
    }

    @Test func guardsAreForgottenButNothingElse() {
        var state = CatchUp()
        state.synced(alpha, through: 5, more: false)
        state.synced(beta, through: 5, more: true)
        state.forgetGuards { _, _ in true }
        state.forgetGuards { _, _ in true }
        #expect(state.count == 1)
        #expect(!state.isDone)
    }

    @Test func aGuardStaysUntilTheNodeHasComePastItTwice() {
        var state = CatchUp()
        state.synced(alpha, through: 11, more: false)
        for _ in 0..<3 { state.forgetGuards { _, seq in seq < 11 } }
        #expect(state.arrived(alpha, 11, isOwn: false) == .hold, "what a comparison finds must not come twice")
        state.forgetGuards { _, seq in seq <= 11 }
        #expect(state.arrived(alpha, 11, isOwn: false) == .hold, "it may still be on its way")
        state.forgetGuards { _, seq in seq <= 11 }
        #expect(state.isDone)
    }
}

/// Random sequences of what may happen to a session, against what its contract says: each event once, in order, own ones never.
@Suite struct CatchUpPropertyTests {
    @Test(arguments: 0..<200) func everyEventReachesTheSessionOnceAndInOrder(seed: Int) {
        var random = SplitMix(UInt64(seed))
        var world = World()
        for _ in 0..<300 { world.step(&random) }
        world.finish(&random)
        #expect(world.delivered == (1...world.last).filter { !world.own.contains($0) })
    }

    /// One conversation, its log, what is on its way to the loop, and one session.
    private struct World {
        var state: CatchUp? = nil
        var last: Int64 = 0
        var arrivedThrough: Int64 = 0
        var own: Set<Int64> = []
        var delivered: [Int64] = []
        var isSlow = false
        var reading: (read: CatchUp.Read, logEnd: Int64)?
        /// Syncs on their way: what each answer covers, read when it was asked.
        var syncs: [(from: Int64, through: Int64, more: Bool)] = []
        /// The client was told to ask on.
        var mustAsk = false
        var answeredThrough: Int64 = 0
        /// What the client has.
        var cursor: Int64 { max(answeredThrough, delivered.last ?? 0) }

        mutating func sync(_ random: inout SplitMix) {
            if state == nil { state = CatchUp() }
            state?.hold()
            // Some of what the session was given is still on its way to the client when it asks.
            let from = max(0, cursor - Int64(random.next() % 4))
            let through = min(last, from + Int64(1 + random.next() % 6))
            syncs.append((from, through, through < last))
            mustAsk = false
        }

        mutating func answer(_ random: inout SplitMix) {
            guard !syncs.isEmpty else { return }
            let sync = syncs.remove(at: Int(random.next() % UInt64(syncs.count)))
            state?.release()
            if sync.from < sync.through {
                delivered += ((sync.from + 1)...sync.through).filter { $0 > cursor && !own.contains($0) }
            }
            answeredThrough = max(answeredThrough, sync.through)
            state?.synced(alpha, through: sync.through, more: sync.more)
            mustAsk = mustAsk || sync.more
        }

        mutating func step(_ random: inout SplitMix) {
            switch random.next() % 11 {
            case 0...2: last += 1
            case 3:
                // An own send: answered, later it arrives.
                last += 1
                own.insert(last)
                state?.answered(alpha, last)
            case 4, 5: arrive()
            case 6: isSlow ? drain() : slow()
            case 7: sync(&random)
            case 8, 9: answer(&random)
            default: finishRead()
            }
            settle()
        }

        mutating func arrive() {
            guard arrivedThrough < last else { return }
            arrivedThrough += 1
            let isOwn = own.contains(arrivedThrough)
            if state == nil {
                if !isOwn { delivered.append(arrivedThrough) }
            } else if state?.arrived(alpha, arrivedThrough, isOwn: isOwn) == .push {
                delivered.append(arrivedThrough)
            }
        }

        mutating func slow() {
            isSlow = true
            if state == nil { state = CatchUp() }
            state?.becameSlow()
        }

        mutating func drain() {
            isSlow = false
            state?.drained()
        }

        mutating func settle() {
            if state?.isDone == true { state = nil }
            if reading == nil, let read = state?.nextRead(page: 3) { reading = (read, last) }
        }

        mutating func finishRead() {
            guard let (read, end) = reading else { return }
            reading = nil
            let through = min(read.through, end)
            let handover = state?.read(alpha, through: through, isLast: through < read.through) ?? .nothing
            if read.from <= through { delivered += (read.from...through).filter { handover.includes($0) } }
        }

        mutating func finish(_ random: inout SplitMix) {
            if last == 0 { last = 1 }
            if isSlow { drain() }
            while arrivedThrough < last || reading != nil || !syncs.isEmpty || mustAsk {
                if mustAsk, syncs.isEmpty { sync(&random) }
                answer(&random)
                settle()
                arrive()
                settle()
                finishRead()
                settle()
            }
        }
    }
}

/// A small generator with a fixed seed (Steele, Lea and Flood, 2014).
struct SplitMix: RandomNumberGenerator {
    private var state: UInt64
    init(_ seed: UInt64) { state = seed }
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
