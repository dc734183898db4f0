import Synchronization
import WAL

/// Outcomes on their way from the log to the intake.
final class OutcomeQueue: Sendable {
    private let waiting = Mutex<[(token: UInt64, outcome: AppendOutcome)]>([])

    func add(_ outcomes: [(token: UInt64, outcome: AppendOutcome)]) { waiting.withLock { $0 += outcomes } }

    func take() -> [(token: UInt64, outcome: AppendOutcome)] {
        waiting.withLock { waiting in
            defer { waiting = [] }
            return waiting
        }
    }
}
