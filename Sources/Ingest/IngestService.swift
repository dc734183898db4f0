package import Bytes
package import DiskIO
internal import Dispatch
internal import HTTPServer
package import Logging
internal import Metrics
package import NIOCore
package import Samples
internal import Synchronization
package import WAL

/// The intake and its log, from recovery to the last seal.
///
/// The server may listen before `start`: writes are answered 503 until the log was read.
package final class IngestService: Sendable {
    /// What the intake does now, in the words of `/readyz`.
    package enum Readiness: Equatable, Sendable {
        case ready
        case notReady(String)
    }

    private struct State {
        var options: IngestOptions
        var readiness = Readiness.notReady("recovering the log")
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

    /// - Parameter eventLoop: the one loop that decodes; the server's connections live on it too.
    package init(
        eventLoop: any EventLoop, options: IngestOptions, metrics: IngestMetrics, clocks: Clocks, logger: Logger
    ) {
        self.logger = logger
        self.eventLoop = eventLoop
        state = Mutex(State(options: options))
        self.metrics = metrics
        self.clocks = clocks
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
        let seed = recovered.volume.id.high ^ recovered.volume.id.low
        try await eventLoop.submit { [self] in
            // Read here: options that are applied meanwhile come before it or find it.
            let intake = Intake(
                eventLoop: eventLoop, options: state.withLock { $0.options }, metrics: metrics, clocks: clocks,
                log: log, seed: seed)
            for (fingerprint, answer) in known { intake.remember(fingerprint, answer) }
            intake.onRotate = onRotate
            intake.onFirstBatch = onFirstBatch
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

    /// The reason to refuse a write before its body is read; nil takes `bytes` from the budget.
    func admit(_ bytes: Int) -> (reason: String, metric: String)? {
        state.withLock { state in
            if case .notReady(let reason) = state.readiness { return (reason, "not_ready") }
            if let reason = state.diskFull { return (reason, "disk_full") }
            let options = state.options
            guard state.inFlightBytes + bytes <= options.inFlightByteLimit else {
                return (
                    "\(state.inFlightBytes) bytes wait, limits.in_flight_bytes is \(options.inFlightByteLimit)",
                    "in_flight"
                )
            }
            guard state.inFlightRequests < options.inFlightRequestLimit else {
                return ("limits.in_flight_requests is \(options.inFlightRequestLimit)", "in_flight")
            }
            state.inFlightBytes += bytes
            state.inFlightRequests += 1
            return nil
        }
    }

    func release(_ bytes: Int) {
        state.withLock {
            $0.inFlightBytes -= bytes
            $0.inFlightRequests -= 1
        }
    }

    /// On the event loop.
    func write(_ body: ByteBuffer, source: WriteProtocol) -> EventLoopFuture<HTTPResponse> {
        guard let intake = state.withLock({ $0.intake }) else {
            return eventLoop.makeSucceededFuture(WriteAnswer.unavailable("recovering the log"))
        }
        return intake.value.write(body, source: source)
    }

    package var bodyByteLimit: Int { state.withLock { $0.options.bodyByteLimit } }
}
