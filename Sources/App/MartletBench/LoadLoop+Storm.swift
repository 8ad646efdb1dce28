import MartletCore
import MartletWire

/// Coming back: cursors out, what was missed in.
extension LoadLoop {
    func sync(_ session: LoadSession) {
        var cursors: [(conversation: ConversationID, seq: Int64)] = []
        if session.resumes, let conversation = session.conversation {
            cursors = [(conversation, session.followed.cursor)]
        }
        session.asked = session.followed
        session.handler?.write(NativeRequest.sync(seq: "sync", cursors: cursors))
    }

    func caughtUp(_ payload: [UInt8], _ reply: ServerReply, _ session: LoadSession, _ now: UInt64) throws {
        guard reply.code == 200 else {
            guard reply.code == 429 || reply.code == 503 else { return fail("a sync was refused with \(reply.code)") }
            return askAgain(session, reply.integer("retryAfterMs", payload.span)) { loop, _ in loop.sync(session) }
        }
        let answer = try JSONValue(parsing: payload)["response"]?["data"]
        let own = session.conversation?.text
        let state = answer?["conversations"]?.array?.first { $0["conversationId"]?.string == own }
        guard let state else { return becameReady(session, now) }
        guard session.resumes else {
            session.followed = FollowedConversation(cursor: state["lastSeq"]?.integer ?? 0)
            return becameReady(session, now)
        }
        if state["reset"]?.bool == true { counts.resets += 1 }
        for event in state["events"]?.array ?? [] {
            guard let seq = event["seq"]?.integer else { continue }
            // Asked for again because something before it was missing: not a repeat.
            session.followed.note(seq)
            if session.asked.comesAgain(seq) { continue }
            let text = Array((event["content"]?["text"]?.string ?? "").utf8)
            if let mark = Mark(text.span, at: 0) { deliverFromSync(mark, to: session, now) }
        }
        if state["more"]?.bool == true { sync(session) } else { becameReady(session, now) }
    }
}
