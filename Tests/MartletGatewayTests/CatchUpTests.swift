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
        #expect(state.read(alpha, through: 8, isLast: false).isEmpty)
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
        #expect(state.read(alpha, through: 3, isLast: false) == [2])
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
        state.forgetGuards()
        #expect(state.count == 1)
        #expect(!state.isDone)
    }
}

/// Random sequences of what may happen to a session, against what its contract says: each event once, in order, own ones never.
@Suite struct CatchUpPropertyTests {
    @Test(arguments: 0..<200) func everyEventReachesTheSessionOnceAndInOrder(seed: Int) {
        var random = SplitMix(UInt64(seed))
        var world = World()
        for _ in 0..<300 { world.step(&random) }
        world.finish()
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

        mutating func step(_ random: inout SplitMix) {
            switch random.next() % 8 {
            case 0...2: last += 1
            case 3:
                // An own send: answered, later it arrives.
                last += 1
                own.insert(last)
                state?.answered(alpha, last)
            case 4, 5: arrive()
            case 6: isSlow ? drain() : slow()
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
            let mine = state?.read(alpha, through: through, isLast: through < read.through) ?? []
            if read.from <= through { delivered += (read.from...through).filter { !mine.contains($0) } }
        }

        mutating func finish() {
            if last == 0 { last = 1 }
            if isSlow { drain() }
            while arrivedThrough < last || reading != nil {
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
