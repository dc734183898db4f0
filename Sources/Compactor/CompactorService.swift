package import DiskIO
internal import Dispatch
internal import Glibc
package import Logging
internal import Metrics
internal import Synchronization
internal import WAL

/// Compacts sealed segments on a thread of its own: when they hold enough rows, when they are old enough, or at once
/// when asked to flush.
package final class CompactorService: Sendable {
    private static let checkInterval = DispatchTimeInterval.seconds(1)
    /// A quarter of the processor beside a thread of niceness 5, a tenth beside one of 0.
    private static let niceness: Int32 = 10
    private static let longestRetryDelay = Duration.seconds(60)
    /// An hour and what its end takes: a wall clock that was set back cannot hold data longer.
    private static let longestHour = Duration.seconds(2 * 3600)
    /// Space returns at any time, and the log waits for it.
    private static let spaceRetryDelay = Duration.seconds(2)

    private struct State {
        /// As `CompactorOptions.interval`.
        var interval: Duration
        var isStopping = false
        var flushes: [CheckedContinuation<Void, any Error>] = []
        /// The next plan is made whatever its age.
        var flushesNext = false
        var firstSealed: Duration?
        var failures = 0
        var retryAt: Duration?
        var lastError: String?
        var recovered: [SegmentID: SegmentEnding] = [:]
        /// Segments that were reported to wait for the next start.
        var unsettled: Set<SegmentID> = []
        var compacting: String?
        var compactingPercent = 0
        /// Those that were there at the start: one that this process keeps holds a row that no file can.
        var kept: KeptSegments?
        var hasTakenKept = false
        /// When each `.done` manifest was first seen, by uptime.
        var doneSince: [String: Duration] = [:]
    }

    private let state: Mutex<State>
    private let work = DispatchSemaphore(value: 0)
    private let stopped = DispatchSemaphore(value: 0)
    private let options: CompactorOptions
    private let compaction: Compaction
    private let publication: Publication
    private let directory: SegmentDirectory
    private let layout: VolumeLayout
    private let fileSystem: any FileSystem
    private let clocks: Clocks
    private let metrics: CompactorMetrics
    /// Not while a damaged manifest may name what is there: an operator looks first.
    private let sweepsStaging: Bool
    private let logger: Logger
    private let onPublish: @Sendable (CompactionReport) -> Void

    /// - Parameter onPublish: files are in `outbox/`; called on the compaction thread.
    package init(
        _ options: CompactorOptions, recovered: RecoveredVolume, layout: VolumeLayout, fileSystem: any FileSystem,
        clocks: Clocks, metrics: CompactorMetrics, logger: Logger,
        onPublish: @escaping @Sendable (CompactionReport) -> Void
    ) {
        self.options = options
        self.clocks = clocks
        self.metrics = metrics
        self.logger = logger
        self.onPublish = onPublish
        compaction = Compaction(options, volume: recovered.log.volume.id, layout: layout, in: fileSystem)
        publication = Publication(layout, in: fileSystem)
        directory = SegmentDirectory(layout.wal, in: fileSystem)
        self.layout = layout
        self.fileSystem = fileSystem
        sweepsStaging = recovered.damagedManifests.isEmpty
        var state = State(interval: options.interval)
        for segment in recovered.log.segments { state.recovered[segment.segment] = segment.ending }
        self.state = Mutex(state)
    }

    package func start() {
        DispatchQueue(label: "cirrus.compactor", qos: .utility).async { self.run() }
    }

    /// Something was sealed: look now.
    package func wake() { work.signal() }

    /// Takes over another interval and looks at once.
    package func apply(interval: Duration) {
        state.withLock { $0.interval = interval }
        work.signal()
    }

    /// Compacts every segment that is sealed when it begins.
    package func flush() async throws {
        try await withCheckedThrowingContinuation { continuation in
            state.withLock { $0.flushes.append(continuation) }
            work.signal()
        }
    }

    /// Compacts at once what is sealed at the next look, whatever its age.
    package func flushWhenSealed() { state.withLock { $0.flushesNext = true } }

    /// Ends the thread; a plan in work is given up after its next row group, unless somebody waits for it. Blocks; call
    /// from outside the cooperative pool.
    package func stop() {
        state.withLock { $0.isStopping = true }
        work.signal()
        stopped.wait()
    }

    /// The last failure, nil since the last success.
    package var lastError: String? { state.withLock { $0.lastError } }
    /// The segments in work, `<first>-<last>`.
    package var compacting: String? { state.withLock { $0.compacting } }
    /// How much of them is written, 0 to 100.
    package var compactingPercent: Int? { state.withLock { $0.compacting == nil ? nil : $0.compactingPercent } }

    private func run() {
        // Of this thread alone, which is not given back before the process ends: intake goes first on a busy machine.
        _ = setpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0, Self.niceness)
        while true {
            _ = work.wait(timeout: .now() + Self.checkInterval)
            let (isStopping, flushes) = state.withLock { state in
                defer { state.flushes = [] }
                return (state.isStopping, state.flushes)
            }
            let result = Result { try check(flushing: !flushes.isEmpty) }
            for flush in flushes { flush.resume(with: result.map { _ in }) }
            if isStopping { break }
        }
        for flush in state.withLock({ $0.flushes }) { flush.resume(throwing: CancellationError()) }
        stopped.signal()
    }

    /// One turn of the thread: compacts what is due; everything sealed when `flushing`.
    package func check(flushing: Bool) throws {
        let now = clocks.uptime()
        if !flushing, let retryAt = state.withLock({ $0.retryAt }), now < retryAt { return }
        do {
            try publication.finishCommitted()
            // Before the log, whose headers say where some of it ends. What fails holds nothing up.
            while try takeInKept() {
                if flushing { continue }
                work.signal()
                return
            }
            while let plan = try nextPlan(flushing: flushing, now: now) {
                // No plan is committed, so this is what an attempt left that failed.
                if sweepsStaging { try publication.sweepStaging() }
                try compact(plan, flushing: flushing)
                if state.withLock({ $0.isStopping }), !flushing { return }
            }
        } catch is CancellationError {
            return  // nothing of the plan is committed: the next start begins it again
        } catch {
            fail(error)
            throw error
        }
    }

    private func nextPlan(flushing: Bool, now: Duration) throws -> CompactionPlan? {
        let sealed = try SealedSegments(directory, recovered: state.withLock { $0.recovered })
        metrics.sealedSegments.set(Double(sealed.endings.count))
        metrics.sealedRows.set(Double(sealed.rows))
        let unsettled = state.withLock { state in
            sealed.unsettled.filter { state.unsettled.insert($0).inserted }
        }
        for segment in unsettled {
            logger.error(
                "a segment waits for a restart: the header of its successor cannot be read",
                metadata: ["segment": "\(segment)"])
        }
        guard !sealed.endings.isEmpty else {
            state.withLock { $0.firstSealed = nil }
            return nil
        }
        // Age by this process's clock, begun from what the header says: a wall clock that jumps cannot hold data back
        // longer than one interval.
        let age = sealed.oldestCreatedAt.map { max(0, clocks.wallMilliseconds() - $0) } ?? 0
        let (first, interval) = state.withLock { state in
            let interval = options.isHourly ? Self.longestHour : state.interval
            let first = state.firstSealed ?? now - min(.milliseconds(age), interval)
            state.firstSealed = first
            return (first, interval)
        }
        let isAsked = state.withLock { $0.flushesNext } && sealed.rows > 0
        let isComplete =
            options.isHourly
            ? sealed.isHourOver(at: clocks.wallMilliseconds()) : sealed.rows >= options.rowsPerFile
        guard flushing || isAsked || isComplete || sealed.isFull || now - first >= interval else { return nil }
        return sealed.plan(rowLimit: options.isHourly ? nil : options.rowsPerFile)
    }

    /// One plan of what programs before kept; whether more may be there. What fails is left to the next start.
    private func takeInKept() throws -> Bool {
        guard options.writesOthers, state.withLock({ !$0.hasTakenKept && !$0.isStopping }) else { return false }
        do {
            var kept = try state.withLock { $0.kept } ?? KeptSegments(layout, in: fileSystem)
            let plan = try kept.nextPlan()
            state.withLock {
                $0.kept = kept
                $0.hasTakenKept = plan == nil
            }
            guard let plan else { return false }
            if sweepsStaging { try publication.sweepStaging() }
            try compact(plan, flushing: false)
            return true
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            state.withLock { $0.hasTakenKept = true }
            // A plan that was committed is finished with the next turn, and its files are in staging/ until then.
            if sweepsStaging, try !publication.hasCommitted() { try publication.sweepStaging() }
            metrics.failures.add()
            logger.error("kept segments are left to the next start", metadata: ["error": "\(error)"])
            return false
        }
    }

    private func compact(_ plan: CompactionPlan, flushing: Bool) throws {
        let started = clocks.uptime()
        state.withLock {
            $0.compacting = "\(plan.first)-\(plan.last)"
            $0.compactingPercent = 0
        }
        defer { state.withLock { $0.compacting = nil } }
        let report = try compaction.run(plan) { percent in
            try state.withLock { state in
                if state.isStopping, !flushing { throw CancellationError() }
                state.compactingPercent = percent
            }
        }
        let duration = clocks.uptime() - started
        metrics.seconds.observe(duration)
        metrics.rowsWritten.add(report.rows("written"))
        metrics.rowsDeduplicated.add(report.rows("deduplicated"))
        metrics.rowsConflicting.add(report.rows("conflicts"))
        metrics.rowsQuarantined.add(report.rows("quarantined"))
        metrics.files.add(report.files.count)
        metrics.fileBytes.add(report.files.reduce(0) { $0 + Int($1.byteCount) })
        state.withLock {
            $0.failures = 0
            $0.retryAt = nil
            $0.lastError = nil
            guard !plan.isOfKept else { return }
            $0.firstSealed = nil
            $0.flushesNext = false
        }
        if plan.isOfKept {
            logger.info(
                "kept segments became files of histograms, exemplars and metadata",
                metadata: [
                    "segments": "\(report.segments)", "rows": "\(report.rows("others"))",
                    "files": "\(report.files.count)",
                ])
        } else if report.rows("log") > 0 {
            logger.info(
                "compacted",
                metadata: [
                    "segment_range": "\(plan.first)-\(plan.last)", "rows": "\(report.rows("written"))",
                    "files": "\(report.files.count)", "seconds": "\(duration.inSeconds)",
                ])
        }
        if report.rows("quarantined") > 0 {
            logger.error(
                "rows lost to damaged segments; copies are in quarantine/",
                metadata: ["rows": "\(report.rows("quarantined"))", "segment_range": "\(plan.first)-\(plan.last)"])
        }
        onPublish(report)
        do {
            try expireManifests()
        } catch {
            // The plan is published all the same; they are looked at again after the next.
            logger.warning("old manifests stay", metadata: ["error": "\(error)"])
        }
    }

    /// Removes manifests that this process has known for the whole window: measured by uptime, so that no jump of the
    /// wall clock makes a retransmit new.
    private func expireManifests() throws {
        let now = clocks.uptime()
        let names = try publication.doneNames()
        let expired = state.withLock { state in
            state.doneSince = Dictionary(uniqueKeysWithValues: names.map { ($0, state.doneSince[$0] ?? now) })
            return names.filter { now - state.doneSince[$0]! > options.dedupWindow }
        }
        for name in expired { try publication.expire(name) }
    }

    private func fail(_ error: any Error) {
        metrics.failures.add()
        let failures = state.withLock { state in
            state.failures += 1
            state.lastError = "\(error)"
            // 1 s, 2 s, 4 s, ... 60 s.
            let delay = min(.seconds(1 << min(state.failures - 1, 6)), Self.longestRetryDelay)
            let isOutOfSpace = (error as? IOError)?.isOutOfSpace ?? false
            state.retryAt = clocks.uptime() + (isOutOfSpace ? min(delay, Self.spaceRetryDelay) : delay)
            return state.failures
        }
        logger.error(
            "compaction stopped; its segments are kept", metadata: ["error": "\(error)", "attempt": "\(failures)"])
    }
}

extension Duration {
    var milliseconds: Int64 { components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000 }
}
