import MartletCore

/// How a command ends. The numbers are stable and listed in `docs/operations.md`; they are those of sysexits where there is one.
package enum ExitStatus: Int32, Sendable, CaseIterable {
    case ok = 0
    /// Done, and the answer is no: a verification found problems, a user exists already.
    case failed = 1
    /// The command line is wrong.
    case usage = 64
    /// A file's content is wrong.
    case badData = 65
    /// A file that is needed is not there or can't be read.
    case noInput = 66
    /// The store can't be used, or another server has it.
    case unavailable = 69
    /// A file or folder can't be made.
    case cannotCreate = 73
    /// The configuration or the secrets are wrong.
    case configuration = 78
}

/// Why a command can't go on, in one line for the operator.
package struct OperatorFailure: Error, Sendable, Equatable {
    package let status: ExitStatus
    package let message: String

    package init(_ status: ExitStatus, _ message: String) {
        self.status = status
        // A cause from elsewhere may have more lines; the first says it.
        self.message = message.split(separator: "\n").first.map(String.init) ?? message
    }

    /// A fault, said to an operator: with its cause.
    package init(_ fault: Fault) {
        let status: ExitStatus =
            switch fault.code {
            case .unavailable: .unavailable
            case .badRequest: .badData
            default: .failed
            }
        self.init(status, fault.cause.map { "\(fault.message) (\($0))" } ?? fault.message)
    }
}
