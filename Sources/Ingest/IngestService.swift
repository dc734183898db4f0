package import Bytes
package import DiskIO
internal import Dispatch
package import HTTPServer
package import Logging
internal import Metrics
package import NIOCore
package import Samples
internal import Snappy
internal import Synchronization
package import WAL

/// The intake and its log, from recovery to the last seal.
///
/// The server may listen before `start`: writes wait until the log was read, `recoveryWait` at most.
package final class IngestService: Sendable {
    /// What the intake does now, in the words of `/readyz`.
    package enum Readiness: Equatable, Sendable {
        case recovering
        case ready
        case notReady(String)

        /// nil when ready.
        package var reason: String? {
            switch self {
            case .recovering: "recovering the log"
            case .ready: nil
            case .notReady(let reason): reason
            }
        }
    }

    /// A gibibyte of log is read in about two seconds: a sender that waits has no error to count.
    package static let recoveryWait = TimeAmount.seconds(10)
    private static let recoveryPoll = TimeAmount.milliseconds(20)

    private struct State {
        var options: IngestOptions
        var readiness = Readiness.recovering
        /// Why the volume takes nothing more now.
        var diskFull: String?
        var isCheckingSpace = false
        var inFlightBytes = 0
        var inFlightRequests = 0
        var intake: NIOLoopBound<Intake>?
        var tick: RepeatedTask?
        var segments: SegmentDirectory?
    }

    private let state: Mutex<State>
    /// Measuring and reserving may block: never on the event loop.
    private let spaceQueue = DispatchQueue(label: "cirrus.space")
    private let reserve = Mutex<DiskReserve?>(nil)
    private let logger: Logger
    private let eventLoop: any EventLoop
    private let clocks: Clocks
    package let metrics: IngestMetrics
    let refusals: RefusalLog

    /// - Parameter eventLoop: the one loop that decodes; the server's connections live on it too.
    package init(
        eventLoop: any EventLoop, options: IngestOptions, metrics: IngestMetrics, clocks: Clocks, logger: Logger
    ) {
        self.logger = logger
        self.eventLoop = eventLoop
        state = Mutex(State(options: options))
        self.metrics = metrics
        self.clocks = clocks
        refusals = RefusalLog(logger, uptime: clocks.uptime)
    }

    /// Opens the log behind what recovery found and begins to accept.
    /// - Parameters:
    ///   - known: requests of the last `dedup.window`, oldest first.
    ///   - onRotate: a segment was ended.
    ///   - onFirstBatch: the first batch of a new volume is durable, and its segment is being ended.
    package func start(
        _ recovered: RecoveredLog, environment: LogEnvironment, known: [(Hash128, BatchAnswer)],
        onRotate: @escaping @Sendable () -> Void, onFirstBatch: (@Sendable () -> Void)? = nil
    ) async throws -> LogWriter {
        let log = makeLog()
        let options = state.withLock { $0.options }
        reserve.withLock {
            $0 = DiskReserve(
                environment.layout, reserveBytes: options.diskReserveBytes,
                segmentBytes: environment.segment.reservedBytes, in: environment.fileSystem)
        }
        state.withLock { $0.segments = SegmentDirectory(environment.layout.wal, in: environment.fileSystem) }
        checkSpace()
        let seed = Self.seed(of: recovered.volume.id)
        try await eventLoop.submit { [self] in
            // Read here: options that are applied meanwhile come before it or find it.
            let intake = Intake(
                eventLoop: eventLoop, options: state.withLock { $0.options }, metrics: metrics, clocks: clocks,
                log: log, seed: seed)
            for (fingerprint, answer) in known { intake.remember(fingerprint, answer) }
            intake.onRotate = onRotate
            intake.onFirstBatch = onFirstBatch
            intake.onHold = { bytes in self.state.withLock { $0.inFlightBytes += bytes } }
            let bound = NIOLoopBound(intake, eventLoop: eventLoop)
            let tick = eventLoop.scheduleRepeatedTask(initialDelay: .seconds(1), delay: .seconds(1)) { _ in
                bound.value.tick()
                if self.claimSpaceCheck() { self.spaceQueue.async { self.checkSpace() } }
            }
            state.withLock {
                $0.intake = bound
                $0.tick = tick
                $0.readiness = .ready
            }
        }.get()
        log.start(recovered, environment: environment)
        return log
    }

    private func makeLog() -> LogWriter {
        LogWriter(
            clocks: clocks,
            report: { [self] outcomes in
                eventLoop.execute { [self] in state.withLock { $0.intake }?.value.completed(outcomes) }
            },
            observe: { [metrics] facts in
                guard facts.isDurable else { return metrics.appending.failed.observe(facts.duration) }
                metrics.syncSeconds.observe(facts.duration)
                metrics.appending.done.observe(facts.duration)
                metrics.groupRecords.observe(Double(facts.records))
                metrics.logBytes.add(facts.payloadBytes)
            })
    }

    package var readiness: Readiness {
        state.withLock { state in
            if case .ready = state.readiness, let reason = state.diskFull { return .notReady(reason) }
            return state.readiness
        }
    }

    /// What readiness is made of, each with the reason why not.
    package var checks: [(name: String, reason: String?)] {
        state.withLock { state in
            var log: String?
            var intake: String?
            switch state.readiness {
            case .recovering: log = state.readiness.reason
            case .ready: break
            case .notReady(let reason): intake = reason
            }
            return [("log", log), ("intake", intake), ("disk", state.diskFull)]
        }
    }

    /// What is in use of each budget, by name; `_limit` is the budget.
    package var load: [String: Int] {
        get async {
            // A loop that is gone has nothing in work.
            let pending = try? await eventLoop.submit { [self] in
                state.withLock { $0.intake }?.value.pendingCount
            }.get()
            return state.withLock { state in
                [
                    "in_flight_bytes": state.inFlightBytes, "in_flight_bytes_limit": state.options.inFlightByteLimit,
                    "in_flight_requests": state.inFlightRequests,
                    "in_flight_requests_limit": state.options.inFlightRequestLimit, "unanswered_batches": pending ?? 0,
                ]
            }
        }
    }

    /// At most one check waits or runs.
    private func claimSpaceCheck() -> Bool {
        state.withLock { state in
            defer { state.isCheckingSpace = true }
            return !state.isCheckingSpace
        }
    }

    /// Closes the intake before the log is in danger, and opens it when space has returned.
    private func checkSpace() {
        let reason: String?
        do throws(DiskIO.IOError) {
            reason = try reserve.withLock { reserve throws(DiskIO.IOError) in try reserve?.check() }
        } catch {
            // Nothing is known of the space: the log's own calls decide.
            logger.warning("the volume's space cannot be measured", metadata: ["error": "\(error)"])
            reason = state.withLock { $0.diskFull }
        }
        let before = state.withLock { state in
            defer { (state.diskFull, state.isCheckingSpace) = (reason, false) }
            return state.diskFull
        }
        metrics.isDiskFull.set(reason == nil ? 0 : 1)
        measure()
        if let reason, before == nil { logger.error("writes are refused", metadata: ["reason": "\(reason)"]) }
        if reason == nil, before != nil { logger.info("space has returned: writes are accepted") }
    }

    private func measure() {
        reserve.withLock {
            metrics.diskFreeBytes.set(Double($0?.free ?? 0))
            metrics.diskLimitBytes.set(Double($0?.limit ?? 0))
        }
        // A directory that cannot be listed leaves the figure as it was: the log's own calls report it.
        if let bytes = try? state.withLock({ $0.segments })?.byteCount() { metrics.walBytes.set(Double(bytes)) }
    }

    /// Refuses writes with a 503 that says `reason`, or accepts them again.
    package func set(_ readiness: Readiness) { state.withLock { $0.readiness = readiness } }

    /// Ends the active segment, so that everything received so far can be compacted; done when it returns.
    package func rotate(_ log: LogWriter) async throws {
        try await eventLoop.submit { [self] in state.withLock { $0.intake }?.value.rotate() }.get()
        await log.barrier()
    }

    /// Takes over limits and filters, for requests to come. What is fixed at `start` stays: `diskReserveBytes` and the
    /// window of retransmits.
    package func apply(_ options: IngestOptions) async throws {
        try await eventLoop.submit { [self] in
            let intake = state.withLock { state in
                state.options = options
                return state.intake
            }
            intake?.value.apply(options)
        }.get()
    }

    /// Stops the clockwork. The server is drained before, the log stopped after.
    package func stop() { state.withLock { $0.tick }?.cancel() }

    package var lastReceived: Duration? {
        get async {
            // A loop that is gone has received nothing lately.
            try? await eventLoop.submit { [self] in state.withLock { $0.intake }?.value.lastReceived }.get()
        }
    }

    // MARK: Requests

    /// The reason to refuse a write of `total` bytes before its body is read; nil takes `first` from the budget.
    func admit(_ first: Int, of total: Int) -> (reason: String, metric: String)? {
        state.withLock { state in
            if case .notReady(let reason) = state.readiness { return (reason, "not_ready") }
            if let reason = state.diskFull { return (reason, "disk_full") }
            let options = state.options
            if let refusal = noRoom(for: total, of: total, state) { return refusal }
            guard state.inFlightRequests < options.inFlightRequestLimit else {
                return ("limits.in_flight_requests is \(options.inFlightRequestLimit)", "in_flight")
            }
            state.inFlightBytes += first
            state.inFlightRequests += 1
            return nil
        }
    }

    /// The same while the body comes: nil takes what it grows by.
    func admitMore(from before: Int, to after: Int) -> (reason: String, metric: String)? {
        state.withLock { state in
            if let refusal = noRoom(for: after - before, of: after, state) { return refusal }
            state.inFlightBytes += after - before
            return nil
        }
    }

    /// Long bodies leave a quarter of the budget to the short ones, which real senders send.
    private func noRoom(for bytes: Int, of body: Int, _ state: borrowing State) -> (reason: String, metric: String)? {
        let limit = state.options.inFlightByteLimit
        let room = body > Self.shortBodyBytes ? limit / 4 * 3 : limit
        guard state.inFlightBytes + bytes > room else { return nil }
        return ("\(state.inFlightBytes) bytes are in flight, limits.in_flight_bytes is \(limit)", "in_flight")
    }

    private static let shortBodyBytes = 1 << 20

    func release(_ bytes: Int) {
        state.withLock {
            $0.inFlightBytes -= bytes
            $0.inFlightRequests -= 1
        }
    }

    /// On the event loop.
    func write(_ body: ByteBuffer, source: WriteProtocol) -> EventLoopFuture<HTTPResponse> {
        guard let intake = state.withLock({ $0.intake }) else {
            return writeWhenStarted(body, source: source, until: .now() + Self.recoveryWait)
        }
        // Its head came before a drain, which does not see what is stored from now on.
        if case .notReady(let reason) = state.withLock({ $0.readiness }) {
            metrics.requestsRefused["not_ready"]?.add()
            return eventLoop.makeSucceededFuture(WriteAnswer.unavailable(reason))
        }
        if let refusal = noRoomToInflate(body) {
            metrics.requestsRefused[refusal.metric]?.add()
            return eventLoop.makeSucceededFuture(WriteAnswer.unavailable(refusal.reason))
        }
        return intake.value.write(body, source: source)
    }

    /// Stores one body of a caller in this process, as a request's: its answer is a request's too.
    package func store(_ body: ByteBuffer, source: WriteProtocol) async throws -> HTTPResponse {
        let bytes = body.readableBytes
        if let refusal = admit(bytes, of: bytes) { return WriteAnswer.unavailable(refusal.reason) }
        defer { release(bytes) }
        return try await eventLoop.flatSubmit { self.write(body, source: source) }.get()
    }

    /// What a decompressed body is known by in this volume: of a batch in its log, and of a retransmit.
    package static func fingerprint(of body: RawSpan, source: WriteProtocol, volume: VolumeID) -> Hash128 {
        Hash128(of: body, seed: seed(of: volume) &+ UInt64(source.rawValue))
    }

    private static func seed(of volume: VolumeID) -> UInt64 { volume.high ^ volume.low }

    /// The body counts as in flight meanwhile, so what waits is bounded.
    private func writeWhenStarted(
        _ body: ByteBuffer, source: WriteProtocol, until deadline: NIODeadline
    ) -> EventLoopFuture<HTTPResponse> {
        if state.withLock({ $0.intake != nil }) { return write(body, source: source) }
        guard NIODeadline.now() < deadline else {
            metrics.requestsRefused["not_ready"]?.add()
            return eventLoop.makeSucceededFuture(WriteAnswer.unavailable("recovering the log"))
        }
        return eventLoop.flatScheduleTask(in: Self.recoveryPoll) { [self] in
            writeWhenStarted(body, source: source, until: deadline)
        }.futureResult
    }

    /// Whether what `body` inflates to has room beside what is in flight; a request that is alone always has.
    private func noRoomToInflate(_ body: ByteBuffer) -> (reason: String, metric: String)? {
        let limit = state.withLock { $0.options.decodedByteLimit }
        // SAFETY: the bytes are the buffer's own, borrowed for this closure.
        let declared = unsafe body.withUnsafeReadableBytes { raw in
            // A body that is not snappy, or declares too much, is answered by the intake.
            try? Snappy.declaredLength(unsafe RawSpan(_unsafeBytes: raw), limit: limit)
        }
        guard let declared else { return nil }
        return state.withLock { $0.inFlightRequests > 1 ? noRoom(for: declared, of: body.readableBytes, $0) : nil }
    }

    package var bodyByteLimit: Int { state.withLock { $0.options.bodyByteLimit } }
}
