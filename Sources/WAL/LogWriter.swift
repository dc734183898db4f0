package import DiskIO
internal import Dispatch
internal import Synchronization

/// A batch on its way to the log.
package struct Submission: Sendable {
    /// The caller's name for it, given back with the outcome.
    package let token: UInt64
    package let epoch: UInt64
    package let record: PendingRecord

    package init(token: UInt64, epoch: UInt64, record: PendingRecord) {
        self.token = token
        self.epoch = epoch
        self.record = record
    }
}

/// A group that was committed, for metrics.
package struct CommitFacts: Sendable {
    package let records: Int
    package let payloadBytes: Int
    /// From taking the group to its last sync, or to what failed.
    package let duration: Duration
    package let isDurable: Bool
}

/// The thread that owns the log: takes all that waits, writes it as one group, syncs once, reports (group commit).
///
/// There is no artificial delay: the running sync is the batching window. The queue is bounded by its callers, who
/// answer 503 beyond `limits.in_flight_bytes` (I9).
package final class LogWriter: Sendable {
    package typealias Report = @Sendable ([(token: UInt64, outcome: AppendOutcome)]) -> Void

    /// After this long without work the last group gets its witness.
    private static let witnessDelay = DispatchTimeInterval.milliseconds(200)
    /// Payload bytes of one group at most.
    private static let groupByteLimit = 4 << 20

    private enum Item: Sendable {
        case batch(Submission)
        case rotate(epoch: UInt64)
        case notify(@Sendable () -> Void)
    }

    private struct State {
        var queue: [Item] = []
        var isStopping = false
        var active: ActiveSegment?
        var lastError: String?
    }

    private let state = Mutex(State())
    private let work = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    private let clocks: Clocks
    private let report: Report
    private let observe: @Sendable (CommitFacts) -> Void

    /// - Parameters:
    ///   - report: outcomes of a group, on the log's thread; must not block.
    ///   - observe: a group that was committed or failed, on the log's thread.
    package init(clocks: Clocks, report: @escaping Report, observe: @escaping @Sendable (CommitFacts) -> Void) {
        self.clocks = clocks
        self.report = report
        self.observe = observe
    }

    /// Starts the thread and opens the first segment, so that every segment found at start is sealed by a successor.
    package func start(_ recovered: RecoveredLog, environment: LogEnvironment) {
        state.withLock { $0.queue.insert(.rotate(epoch: 1), at: 0) }
        work.signal()
        DispatchQueue(label: "cirrus.log", qos: .userInitiated).async {
            self.run(LogAppender(recovered, environment: environment))
        }
    }

    package func submit(_ submission: Submission) {
        state.withLock { $0.queue.append(.batch(submission)) }
        work.signal()
    }

    /// Seals the current segment, if it holds anything, and opens one for `epoch`.
    package func rotate(to epoch: UInt64) {
        state.withLock { $0.queue.append(.rotate(epoch: epoch)) }
        work.signal()
    }

    /// Returns once everything submitted before has its outcome, and every rotation asked for before is done.
    package func barrier() async {
        await withCheckedContinuation { continuation in
            state.withLock { $0.queue.append(.notify { continuation.resume() }) }
            work.signal()
        }
    }

    /// Commits what waits, seals, ends the thread. Blocks until done; call from outside the cooperative pool.
    package func stop() {
        state.withLock { $0.isStopping = true }
        work.signal()
        stopped.wait()
    }

    /// The segment that is written now.
    package var active: ActiveSegment? { state.withLock { $0.active } }
    /// Requests, rotations and barriers that the thread has not taken yet.
    package var queueDepth: Int { state.withLock { $0.queue.count } }
    /// The last failure of the disk, nil since the last success.
    package var lastError: String? { state.withLock { $0.lastError } }

    private func run(_ appender: consuming LogAppender) {
        var appender = appender
        var isIdle = false
        while turn(&appender, isIdle: isIdle) {
            isIdle =
                work.wait(timeout: appender.wantsWitness ? .now() + Self.witnessDelay : .distantFuture) == .timedOut
        }
        appender.close()
        state.withLock { $0.active = nil }
        stopped.signal()
    }

    /// One turn of the log's thread: commits all that waits; when nothing does and `isIdle`, writes the witness.
    /// - Returns: false once the log was asked to stop and nothing waits.
    package func turn(_ appender: inout LogAppender, isIdle: Bool) -> Bool {
        let (items, isStopping) = state.withLock { state in
            defer { state.queue.removeAll() }
            return (state.queue, state.isStopping)
        }
        if isIdle, items.isEmpty {
            do throws(IOError) { try appender.witness() } catch { note(error) }
        }
        process(items, &appender)
        let active = appender.active
        return state.withLock {
            $0.active = active
            return !isStopping || !$0.queue.isEmpty
        }
    }

    private func process(_ items: [Item], _ appender: inout LogAppender) {
        var group: [Submission] = []
        var groupBytes = 0
        for item in items {
            switch item {
            case .rotate(let epoch):
                commit(&group, &appender)
                do throws(IOError) { try appender.rotate(to: epoch) } catch { note(error) }
            case .notify(let notify):
                commit(&group, &appender)
                notify()
            case .batch(let submission):
                let bytes = submission.record.payload.count
                if let first = group.first, first.epoch != submission.epoch || groupBytes + bytes > Self.groupByteLimit
                {
                    commit(&group, &appender)
                    groupBytes = 0
                }
                group.append(submission)
                groupBytes += bytes
            }
        }
        commit(&group, &appender)
    }

    private func commit(_ group: inout [Submission], _ appender: inout LogAppender) {
        guard let epoch = group.first?.epoch else { return }
        let started = clocks.uptime()
        let outcome = appender.append(group.map(\.record), epoch: epoch)
        let duration = clocks.uptime() - started
        var isDurable = false
        switch outcome {
        case .durable:
            isDurable = true
            state.withLock { $0.lastError = nil }
        case .poisoned(let error), .unavailable(let error): note(error)
        }
        observe(
            CommitFacts(
                records: group.count, payloadBytes: group.reduce(0) { $0 + $1.record.payload.count },
                duration: duration, isDurable: isDurable))
        report(group.map { ($0.token, outcome) })
        group.removeAll(keepingCapacity: true)
    }

    private func note(_ error: IOError) { state.withLock { $0.lastError = "\(error)" } }
}
