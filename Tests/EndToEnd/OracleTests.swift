import EndToEndSupport
import Testing

/// The oracle finds each breach that is planted in a run that was clean.
struct OracleTests {
    /// Two devices in one conversation. `ada` sends a, b and d; `ben` sends c. Ada's connection is lost after c, and she
    /// comes back.
    struct Run {
        var acknowledgements: [(String, Int64)] = [("a", 2), ("b", 3), ("c", 4), ("d", 5)]
        /// Seqs that each session sees, and whether they are pushed.
        var ada1: [(Int64, Bool)] = [(4, true)]
        var ada2: [(Int64, Bool)] = []
        var ben: [(Int64, Bool)] = [(2, true), (3, true), (5, true)]
        var log = [
            Run.event(1, "old", 1), Run.event(2, "a", 1), Run.event(3, "b", 1), Run.event(4, "c", 2),
            Run.event(5, "d", 1),
        ]

        static func event(_ seq: Int64, _ clientId: String, _ sender: Int64, payload: String? = nil) -> SeenEvent {
            SeenEvent(
                conversation: "d:1:2", seq: seq, messageId: 100 + seq, sender: sender, clientId: clientId,
                payload: payload ?? "text of \(clientId)")
        }

        func judge() -> Set<Oracle.Breach.Kind> {
            var oracle = Oracle()
            oracle.watch("d:1:2", after: 1, by: ["ada", "ben"])
            let first = oracle.began("ada", cursors: ["d:1:2": 1])
            let ben = oracle.began("ben", cursors: ["d:1:2": 1])
            for (clientId, sender, session) in [("a", 1, first), ("b", 1, first), ("c", 2, ben)] as [(String, Int64, _)]
            {
                oracle.attempted(
                    session, clientId: clientId, sender: sender, conversation: "d:1:2", payload: "text of \(clientId)")
            }
            let second = oracle.began("ada", cursors: ["d:1:2": 4])
            oracle.attempted(second, clientId: "d", sender: 1, conversation: "d:1:2", payload: "text of d")
            for (clientId, seq) in acknowledgements { oracle.acknowledged(clientId: clientId, seq: seq) }
            for (session, sightings) in [(first, ada1), (second, ada2), (ben, self.ben)] {
                for (seq, isPush) in sightings {
                    let event = Self.source.first { $0.seq == seq } ?? Run.event(seq, "nobody's", 9)
                    oracle.saw(session, event, isPush: isPush)
                }
            }
            oracle.stored("d:1:2", log)
            return Set(oracle.judge().map(\.kind))
        }

        private static let source = Run().log
    }

    @Test func `A clean run is clean`() {
        #expect(Run().judge() == [])
    }

    @Test func `A send without an answer may be stored or not`() {
        var run = Run()
        run.acknowledgements.removeLast()
        // Nobody has to have got it twice, but the device that sent it has to learn of it in the end.
        #expect(run.judge() == [.unseen])
        run.log.removeLast()
        run.ben.removeLast()
        #expect(run.judge() == [])
    }

    @Test func `An acknowledged send that is not stored`() {
        var run = Run()
        run.log.removeLast()
        run.ben.removeLast()
        #expect(run.judge() == [.lost])
    }

    @Test func `A send that is stored under another seq than was answered`() {
        var run = Run()
        run.acknowledgements[1] = ("b", 5)
        #expect(run.judge().contains(.moved))
    }

    @Test func `Two answers with different seqs`() {
        var run = Run()
        run.acknowledgements.append(("a", 3))
        #expect(run.judge().contains(.conflict))
    }

    @Test func `A message stored twice`() {
        var run = Run()
        run.log.append(Run.event(6, "a", 1))
        #expect(run.judge().contains(.doubled))
    }

    @Test func `A message that nobody sent`() {
        var run = Run()
        run.log.append(Run.event(6, "ghost", 1))
        #expect(run.judge().contains(.invented))
    }

    @Test func `A message with another payload, sender or place`() {
        var run = Run()
        run.log[1] = Run.event(2, "a", 1, payload: "another")
        #expect(run.judge() == [.altered, .different])
        run.log[1] = Run.event(2, "a", 7)
        #expect(run.judge() == [.altered, .different])
    }

    @Test func `A gap in the log`() {
        var run = Run()
        run.log.remove(at: 2)
        #expect(run.judge().isSuperset(of: [.broken, .lost]))
    }

    @Test func `Message ids that do not grow`() {
        var run = Run()
        run.log[4] = SeenEvent(
            conversation: "d:1:2", seq: 5, messageId: 3, sender: 1, clientId: "d", payload: "text of d")
        #expect(run.judge() == [.broken, .different])
    }

    @Test func `A push that was dropped`() {
        var run = Run()
        run.ben.remove(at: 1)
        #expect(run.judge() == [.gap, .unseen])
    }

    @Test func `A push that was dropped at the end`() {
        var run = Run()
        run.ben.removeLast()
        #expect(run.judge() == [.unseen])
    }

    @Test func `A push that came twice`() {
        var run = Run()
        run.ben.insert((3, true), at: 2)
        #expect(run.judge() == [.repeated])
    }

    @Test func `Two pushes that changed places`() {
        var run = Run()
        run.ben.swapAt(0, 1)
        #expect(run.judge() == [.gap, .repeated])
    }

    @Test func `A resumed session that begins too early or too late`() {
        var run = Run()
        run.ada2 = [(4, false)]
        #expect(run.judge() == [.repeated])
        run = Run()
        run.log += [Run.event(6, "e", 2), Run.event(7, "f", 2)]
        run.ada2 = [(7, true)]
        #expect(run.judge().contains(.gap))
    }

    @Test func `A push of what the session itself sent`() {
        var run = Run()
        run.ada2 = [(5, true)]
        #expect(run.judge() == [.echoed])
        // In the answer to a sync it is in its place.
        run.ada2 = [(5, false)]
        #expect(run.judge() == [])
    }

    @Test func `A push of what the session sent itself and was told to try again`() {
        var oracle = Oracle()
        oracle.watch("d:1:2", after: 1, by: ["ada"])
        let session = oracle.began("ada", cursors: ["d:1:2": 1])
        oracle.attempted(session, clientId: "a", sender: 1, conversation: "d:1:2", payload: "text of a")
        oracle.leftOpen(session, clientId: "a")
        oracle.saw(session, Run.event(2, "a", 1), isPush: true)
        oracle.acknowledged(clientId: "a", seq: 2)
        oracle.stored("d:1:2", Array(Run().log.prefix(2)))
        #expect(oracle.judge() == [])
    }

    @Test func `An event that differs from what is stored`() {
        var run = Run()
        run.log[3] = Run.event(4, "c", 2, payload: "edited on the way")
        #expect(run.judge() == [.altered, .different])
    }

    @Test func `Asking on moves the cursor over own sends that were answered before`() {
        var run = Run()
        run.log += [Run.event(6, "e", 2)]
        run.ada2 = [(6, true)]
        #expect(run.judge().contains(.gap) == false, "5 is an own send of the session")
        var oracle = Oracle()
        oracle.watch("d:1:2", after: 1, by: [])
        let session = oracle.began("ben", cursors: ["d:1:2": 1])
        oracle.asked(session, cursors: ["d:1:2": 4])
        oracle.saw(session, Run.event(5, "d", 1), isPush: true)
        oracle.stored("d:1:2", Array(run.log.prefix(5)))
        #expect(Set(oracle.judge().map(\.kind)) == [.invented])
    }

    @Test func `A reset starts anew`() {
        var oracle = Oracle()
        oracle.watch("g:1", after: 0, by: [])
        let session = oracle.began("ada", cursors: ["g:1": 3])
        let event = SeenEvent(conversation: "g:1", seq: 9, messageId: 9, sender: 0, clientId: "", payload: "")
        oracle.wasReset(session, "g:1", firstSeq: 9)
        oracle.saw(session, event, isPush: false)
        oracle.stored("g:1", [event])
        // The log itself begins at 9: that is the trimming, which this log is not told of.
        #expect(oracle.judge().map(\.kind) == [.broken])
    }
}

struct FollowerTests {
    @Test func `Own answers move the cursor once nothing is missing before them`() {
        var follower = Follower(cursors: ["d:1:2": 3])
        follower.acknowledged("d:1:2", 5)
        #expect(follower.cursors == ["d:1:2": 3])
        follower.saw("d:1:2", 4)
        #expect(follower.cursors == ["d:1:2": 5])
        follower.acknowledged("d:1:2", 6)
        #expect(follower.cursors == ["d:1:2": 6])
    }

    @Test func `An event moves the cursor over own sends that were not answered`() {
        var follower = Follower(cursors: ["d:1:2": 3])
        follower.saw("d:1:2", 6)
        follower.acknowledged("d:1:2", 5)
        #expect(follower.cursors == ["d:1:2": 6])
    }
}
