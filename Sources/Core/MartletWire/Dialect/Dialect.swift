import MartletCore
import NIOCore

/// One wire protocol of clients: how their bytes become commands, and how answers and events become bytes. A dialect keeps nothing and does no I/O:
/// one value serves all of its sessions, on any thread.
///
/// To add one: a folder of its own beside `Native`, with its dialect and its tests, and a line where the server lists those that it speaks. What
/// its clients have no word for it answers with nil; then nothing is written.
package protocol Dialect: AnyObject, Sendable {
    /// What metrics, logs and the configuration call it: lower-case letters and dashes.
    var name: String { get }
    var transport: Transport { get }
    var manners: Manners { get }

    // MARK: From the client

    /// Looks at a whole message: which command it is, and whom to answer. The bytes are valid UTF-8 where they came as a WebSocket's text.
    func head(_ message: Span<UInt8>) throws(UnreadableMessage) -> CommandHead
    /// Reads the command that `head` found.
    func command(_ head: CommandHead, _ message: Span<UInt8>) throws(Fault) -> Command

    // MARK: Answers

    /// A command was done. `data` is what its runner returned, in this dialect's own form; nil where there is nothing to say.
    func answer(_ ticket: Ticket, _ data: [UInt8]?, _ allocator: ByteBufferAllocator) -> ByteBuffer?
    /// Somebody signed in.
    func welcome(_ ticket: Ticket, _ welcome: Welcome, _ allocator: ByteBufferAllocator) -> WelcomeFrame
    /// A send is committed.
    func stored(
        _ ticket: Ticket, _ conversation: ConversationID, _ receipt: Receipt, _ allocator: ByteBufferAllocator
    ) -> ByteBuffer?
    /// A command was refused. The fault's cause is not for clients.
    func refusal(_ ticket: Ticket, _ fault: Fault, _ allocator: ByteBufferAllocator) -> ByteBuffer?

    // MARK: What the server sends unasked

    /// An event, for everybody who follows its conversation.
    func push(_ event: Event, _ allocator: ByteBufferAllocator) -> ByteBuffer?
    /// What may be dropped.
    func push(_ notice: Notice, _ allocator: ByteBufferAllocator) -> ByteBuffer?
}

/// What carries a dialect's messages.
package enum Transport: Sendable, Equatable {
    /// WebSocket text frames, behind an upgrade at this path of the server's port. The dialect writes whole frames.
    case webSocket(path: String)
    /// Bytes on a port of its own, cut by the dialect, which is a `StreamDialect`. It ends each message with a zero byte.
    case stream
}

/// A dialect on bare TCP.
package protocol StreamDialect: Dialect {
    /// Finds the first whole message. `progress` is what the last look left, for the bytes that it did not drop; the first look, and the one behind a
    /// message, begin with a new one.
    func cut(_ bytes: Span<UInt8>, _ progress: inout StreamProgress) -> StreamCut
}

/// How far a stream was looked at, so that no byte is looked at twice however slowly they come. What its parts mean is the dialect's.
package struct StreamProgress: Sendable, Equatable {
    package var position = 0
    package var depth = 0
    package var flags: UInt8 = 0

    package init() {}
}

/// What the beginning of a stream is.
package enum StreamCut: Sendable {
    /// More bytes are needed; the first `dropping` mean nothing and are dropped.
    case incomplete(dropping: Int)
    /// A whole message; the next one begins at `end`.
    case message(Range<Int>, end: Int)
    /// The connection is to be closed.
    case violation(Fault)
}

/// What a dialect's clients are used to, where it is not what the configuration says for native ones.
package struct Manners: Sendable, Equatable {
    package enum Silence: Sendable, Equatable {
        /// Three of the configured heartbeats.
        case heartbeats
        case atMost(Duration)
        /// The clients have no heartbeat.
        case unlimited
    }

    /// How long a connection may stay without a login; nil as configured.
    package var signInTimeout: Duration?
    package var silence = Silence.heartbeats
    /// The least time between two messages to a client that takes whatever it reads at once for one message.
    package var pace: Duration?
    /// Text comes in a WebSocket's binary frames, too.
    package var takesBinaryFrames = false
    /// What counts as the device of the dialect's sessions: letters only. Nil: what the client names, or its token.
    package var device: String?
    /// A user has one session with this device at a time; a second is refused.
    package var isExclusive = false
    /// A user's own messages, sent elsewhere, are pushed. Those in the own inbox always are.
    package var hearsOwnMessages = true
    /// The clients keep no cursors: the server notes what was written to them, and gives them the rest when they come back.
    package var isServerResumed = false
    /// The clients can't be told that they are too fast: what is too much waits.
    package var waitsForRates = false

    package init() {}
}

/// Whom an answer goes to, in the dialect's own terms: the session keeps it and hands it back.
package struct Ticket: Sendable, Equatable {
    /// The dialect's number for the command.
    package let command: UInt8
    package let text: String?

    package init(_ command: UInt8, _ text: String?) {
        self.command = command
        self.text = text
    }
}

/// The frames of a sign-in.
package struct WelcomeFrame: Sendable {
    package let frame: ByteBuffer?
    /// How many of the roster's missed events it holds, from the first on.
    package let missed: Int

    package init(_ frame: ByteBuffer?, missed: Int = 0) {
        self.frame = frame
        self.missed = missed
    }
}
