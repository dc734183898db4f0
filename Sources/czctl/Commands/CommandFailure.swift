/// Exit codes of every command (operations.md §1).
enum ExitStatus: Int32, Sendable {
    case error = 1
    case usage = 2
    /// Unhealthy, or findings.
    case findings = 3
    case notFound = 4
    /// Try again later.
    case temporary = 5
    case refused = 6
    /// Damaged bytes were found.
    case damage = 7
    /// Only a part was done.
    case partial = 8
    case interrupted = 130
}

/// Why a command ends: printed as `czctl: <message>` and `Try: <advice>`, with `-v` the causes between them.
struct CommandFailure: Error, Sendable, CustomStringConvertible {
    let status: ExitStatus
    let message: String
    /// A command, or a few words, that bring the user further.
    let advice: String?
    /// What was caught, where the message is made of it.
    let cause: (any Error)?

    init(_ status: ExitStatus, _ message: String, try advice: String? = nil, because cause: (any Error)? = nil) {
        self.status = status
        self.message = message
        self.advice = advice
        self.cause = cause
    }

    var description: String { message }
}
