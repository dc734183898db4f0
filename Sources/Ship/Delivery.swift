internal import DiskIO
internal import Logging
internal import Metrics

/// One destination's share of a cycle: its files, oldest first, `uploadWidth` at a time.
///
/// A file that fails goes behind all that were not tried yet, so bad files do not hold up good ones. The ledger is
/// written in groups, since a commit costs several fsyncs: attempts are begun some dozens in one transaction, and what
/// ended while one transaction ran is recorded by the next. A crash in between sends the same bytes to the same keys
/// again, which changes nothing.
struct Delivery {
    private let context: ShipContext
    private let pass: ShipmentPass
    private let sender: any Sender
    private let cycle: Cycle

    /// Names not yet asked for, the next last.
    private var names: [String] = []
    private var queue = UploadQueue([])
    /// Their rows say `uploading`, and said `from` before; the next last.
    private var begun: [(entry: UploadQueue.Entry, from: ShipmentState)] = []
    private var sending = 0
    private var ended: [Outcome] = []
    private var isRecording = false
    private var breaker: CircuitBreaker
    /// Why nothing more is begun in this cycle.
    private var refusal: ShipFailure?
    private var saidCodes: Set<ShipErrorCode> = []
    private var report = PassReport()

    /// Attempts that one transaction begins.
    private static let beginLimit = 64

    /// An end that the ledger has to know.
    private struct Outcome: Sendable {
        let move: LedgerMove
        /// Bytes delivered, or why they were not.
        let result: Result<Int64, ShipFailure>

        var isDelivery: Bool { if case .success = result { true } else { false } }
    }

    private enum Event: Sendable {
        case ended(UploadAttempt.End)
        /// Which rows were moved, and what went wrong when their files were.
        case recorded([Outcome], Result<[Bool], ShipError>, movingFiles: String?)
    }

    init(_ pass: ShipmentPass, _ sender: any Sender, _ cycle: Cycle) {
        context = pass.context
        self.pass = pass
        self.sender = sender
        self.cycle = cycle
        breaker = CircuitBreaker(policy: pass.context.retryPolicy)
    }

    mutating func run() async -> PassReport {
        do {
            let due = try await context.ledger.due(sender.name, at: context.now, ignoringBackOff: cycle.ignoresBackOff)
            names = due.reversed()
            try await deliver()
            try await sender.finish(cycle)
        } catch {
            context.metrics.runFailures.count(.httpUnknown)
            report.note("\(sender.name): \(error)")
        }
        return report
    }

    private var mayBegin: Bool { refusal == nil && context.mayBegin(cycle.start) }

    private mutating func deliver() async throws {
        var failed: (any Error)?
        await withTaskGroup(of: Event.self) { group in
            while true {
                if failed == nil {
                    do { try await prepare() } catch { failed = error }
                }
                if failed == nil { startUploads(&group) }
                startRecording(&group)
                if sending > 0 || isRecording, let event = await group.next() {
                    await absorb(event)
                    continue
                }
                guard failed == nil, await waitForNext() else { break }
            }
            for entry in queue.unfinished + begun.map(\.entry) { giveUp(entry, dropsURL: false) }
            begun.removeAll { $0.entry.failure != nil }
            startRecording(&group)
            for await event in group { await absorb(event) }
        }
        if let failed { throw failed }
        try await withdraw()
    }

    /// What was begun and not sent goes back to where it was: the ledger shows as under way what is under way.
    private mutating func withdraw() async throws {
        guard !begun.isEmpty else { return }
        let moves = begun.map { LedgerMove($0.entry.row, to: $0.from, .withdrawal, "not sent in this cycle") }
        begun = []
        _ = try await context.ledger.apply(moves, at: context.now)
    }

    // MARK: What is sent next

    /// Sees to it that there is something to send: rows of the next chunk with what they need, their attempts begun.
    private mutating func prepare() async throws {
        while begun.isEmpty, mayBegin {
            while queue.hasNoFresh, !names.isEmpty, mayBegin { try await nextChunk() }
            var entries: [UploadQueue.Entry] = []
            while entries.count < Self.beginLimit, let entry = queue.next(at: context.clocks.uptime()) {
                entries.append(entry)
            }
            guard !entries.isEmpty else { return }
            let moves = entries.map { LedgerMove($0.row, to: .uploading, .attempt, "attempt \($0.row.attempts + 1)") }
            let done = try await context.ledger.apply(moves, at: context.now)
            // A row that another process moved is its business.
            begun = zip(entries, done).filter { $0.1 }.map { old, _ in
                var entry = old
                entry.row.state = .uploading
                entry.row.attempts += 1
                return (entry, from: old.row.state)
            }.reversed()
        }
    }

    private mutating func nextChunk() async throws {
        let chunk = Array(names.suffix(sender.chunk).reversed())
        names.removeLast(chunk.count)
        let rows = try await context.ledger.list(.files(chunk)).filter {
            $0.destination == sender.name && $0.state.isUnsent
        }
        let prepared = try await sender.prepare(rows, cycle)
        context.metrics.requestFiles.add(prepared.ready.count)
        queue.add(prepared.ready)
        if let reason = prepared.stopReason {
            report.failed += rows.count - prepared.ready.count
            say(reason)
            names = []
        } else {
            context.metrics.requestSuccesses.add()
        }
    }

    private mutating func say(_ reason: ShipFailure) {
        context.metrics.runFailures.count(reason.code)
        report.note("\(sender.name): \(reason)")
    }

    private mutating func startUploads(_ group: inout TaskGroup<Event>) {
        // One upload at a time is one thing at a time: then a run is the same each time.
        if context.options.uploadWidth == 1, isRecording || !ended.isEmpty { return }
        let width = min(context.options.uploadWidth, breaker.width(at: context.clocks.uptime()))
        while mayBegin, sending < width, let next = begun.popLast() {
            sending += 1
            let attempt = UploadAttempt(context: context, sender: sender, outbox: pass.outbox)
            group.addTask { .ended(await attempt.run(next.entry)) }
        }
    }

    /// Waits until a row may be tried again. Returns false when there is none, or the cycle or the shipper ends.
    private func waitForNext() async -> Bool {
        guard mayBegin else { return false }
        let now = context.clocks.uptime()
        guard let readyAt = begun.isEmpty ? queue.nextReadyAt : breaker.triesAt else { return false }
        return await context.pause(max(readyAt - now, .zero), cycle.start)
    }

    // MARK: What became of it

    private mutating func absorb(_ event: Event) async {
        switch event {
        case .ended(let end):
            sending -= 1
            await absorb(end)
        case .recorded(let outcomes, let result, let movingFiles):
            isRecording = false
            if let movingFiles { report.note(movingFiles) }
            count(outcomes, result)
        }
    }

    private mutating func absorb(_ end: UploadAttempt.End) async {
        switch end {
        case .uploaded(let entry, let receipt, let sha256):
            breaker.close()
            let change = RowChange.receipt(receipt, sha256: sha256)
            let move = LedgerMove(entry.row, to: .uploaded, change, "status \(receipt.status)")
            ended.append(Outcome(move: move, result: .success(entry.row.byteCount)))
        case .again(var entry):
            note(entry)
            entry.failures += 1
            guard entry.failures <= context.options.maxRetries else { return giveUp(entry, dropsURL: false) }
            await sayOnce(entry)
            let wait =
                entry.asked ?? context.retryPolicy.delay(after: entry.failures, fraction: context.jitter.fraction())
            entry.readyAt = context.clocks.uptime() + wait
            queue.wait(entry)
        case .failed(let entry, let dropsURL):
            note(entry)
            giveUp(entry, dropsURL: dropsURL)
        case .refused(let entry):
            note(entry)
            giveUp(entry, dropsURL: false)
            if refusal == nil, let failure = entry.failure {
                refusal = failure
                say(failure)
            }
        case .damaged(let file, let failure):
            context.metrics.uploadErrors.count(failure.code)
            report.quarantined += 1
            report.note("\(file) is quarantined: \(failure.text)")
        case .unrecorded(let text):
            context.metrics.markUploadedErrors.count(.fileCreate)
            report.failed += 1
            report.note(text)
        case .left: break
        }
    }

    private mutating func note(_ entry: UploadQueue.Entry) {
        guard let failure = entry.failure else { return }
        context.metrics.uploadErrors.count(failure.code)
        if failure.isHosts {
            breaker.fail(at: context.clocks.uptime(), fraction: context.jitter.fraction())
        } else {
            breaker.close()
        }
    }

    /// The first failure of a kind in this cycle is said at once: its retries may take minutes, and an operator who
    /// asks meanwhile should see why nothing moves.
    private mutating func sayOnce(_ entry: UploadQueue.Entry) async {
        guard let failure = entry.failure, saidCodes.insert(failure.code).inserted else { return }
        context.report(failure, "will try again to deliver \(entry.row.file)", destination: sender.name)
        do throws(ShipError) {
            try await context.ledger.note(failure, of: sender.name, at: context.now)
        } catch {
            report.note("\(error)")
        }
    }

    /// The row waits out its back-off, in the ledger. When the host is down or overloaded, the file has nothing to wait
    /// for but the next cycle, which takes the oldest first.
    private mutating func giveUp(_ entry: UploadQueue.Entry, dropsURL: Bool) {
        guard let failure = entry.failure else { return }
        let backOff = RetryPolicy.betweenCycles.delay(
            after: entry.row.failures + 1, fraction: context.jitter.fraction())
        let isHostsFault = failure.isHosts && breaker.triesAt != nil
        let wait = max(entry.asked ?? .zero, isHostsFault ? .zero : backOff)
        let notBefore = context.now + Int64(wait / .milliseconds(1))
        // A URL that led nowhere in three cycles may name another host when it is asked for again.
        let leadsNowhere = failure.isHosts && entry.row.failures >= 2
        let change = RowChange.failure(
            failure, notBeforeMilliseconds: notBefore, dropsURL: dropsURL || leadsNowhere)
        let move = LedgerMove(entry.row, to: .failed, change, failure.description)
        ended.append(Outcome(move: move, result: .failure(failure)))
    }

    // MARK: Recording

    /// Records everything that ended since the last transaction began, and puts files where their rows say.
    private mutating func startRecording(_ group: inout TaskGroup<Event>) {
        guard !isRecording, !ended.isEmpty else { return }
        isRecording = true
        let outcomes = ended
        ended = []
        let (context, pass) = (context, pass)
        group.addTask {
            do throws(ShipError) {
                let done = try await context.ledger.apply(outcomes.map(\.move), at: context.now)
                let moved = await pass.settleSaying(outcomes.filter(\.isDelivery).map(\.move.file))
                return .recorded(outcomes, .success(done), movingFiles: moved)
            } catch {
                return .recorded(outcomes, .failure(error), movingFiles: nil)
            }
        }
    }

    private mutating func count(_ outcomes: [Outcome], _ result: Result<[Bool], ShipError>) {
        switch result {
        case .failure(let error):
            context.metrics.markUploadedErrors.count(.fileCreate)
            report.failed += outcomes.count
            report.note("\(sender.name): \(error)")
        case .success(let done):
            // Rows that another process moved meanwhile are its business.
            for (outcome, _) in zip(outcomes, done).filter({ $0.1 }) { count(outcome) }
        }
    }

    private mutating func count(_ outcome: Outcome) {
        switch outcome.result {
        case .success(let byteCount):
            report.uploaded += 1
            report.uploadedBytes += byteCount
            context.metrics.uploadedFiles.add()
            context.metrics.uploadedBytes.add(Int(byteCount))
            context.metrics.lastSuccess[sender.name]?.set(Double(context.now) / 1_000)
        case .failure(let failure):
            report.failed += 1
            report.note("\(outcome.move.file) at \(sender.name): \(failure)")
            // The ledger has them all; the log must not fill the disk in an outage.
            guard report.failed <= PassReport.listLimit else { return }
            context.report(failure, "cannot deliver \(outcome.move.file)", destination: sender.name)
        }
    }
}
