package import Bytes
package import DiskIO
package import HTTPServer
internal import Metrics
package import NIOCore
internal import NIOHTTP1
internal import RemoteWrite
package import Samples
internal import Snappy
package import WAL

/// The one owner of decoding and of the active segment's series: bound to one event loop, so it needs no lock.
///
/// A request is inflated, decoded and encoded here in one turn, handed to the log's thread, and answered when its group
/// is on disk (I1). Its compressed body is kept until then: when a segment is poisoned, the requests in flight are
/// encoded again for the next (I10).
package final class Intake {
    /// Attempts to get one request to disk before it is refused with a 503.
    private static let attemptLimit = 3
    /// Inflated bytes whose storage is kept for the next request: that of a rare large one goes back.
    private static let keptBytes = 8 << 20
    /// How far labels, which a segment has once for each of its series, may take it beyond its size.
    private static let growthFactor = 8
    private static let growthByteLimit = 128 << 20

    private struct Pending {
        let body: ByteBuffer
        let source: WriteProtocol
        let fingerprint: Hash128
        let answer: BatchAnswer
        let result: DecodeResult
        let epoch: UInt64
        let payloadBytes: Int
        let attempt: Int
        let rows: Int
        let streamRows: StreamRows
        var waiters: [EventLoopPromise<HTTPResponse>]
    }

    private let eventLoop: any EventLoop
    private var options: IngestOptions
    private let metrics: IngestMetrics
    private let clocks: Clocks
    private let log: LogWriter
    private let seed: UInt64

    private var encoder = BatchEncoder()
    private var decoder: RequestDecoder
    private var inflated: [UInt8] = []
    private var retransmits: RetransmitIndex
    private var inFlight: [Hash128: UInt64] = [:]
    private var pending: [UInt64: Pending] = [:]
    private var nextToken: UInt64 = 1

    private var epoch: UInt64 = 1
    private var epochBytes = 0
    private var epochValueBytes = 0
    private var epochRows = 0
    private var epochStarted: Duration

    /// Called once a segment was given up for the next: its data can be compacted.
    package var onRotate: @Sendable () -> Void = {}
    /// Called once, when the first batch of a new volume is durable: a new install should be seen upstream in a minute.
    package var onFirstBatch: (@Sendable () -> Void)?
    /// Bytes that wait for the disk beside the bodies: more, or fewer when negative.
    package var onHold: (Int) -> Void = { _ in }
    package private(set) var lastReceived: Duration?

    package init(
        eventLoop: any EventLoop, options: IngestOptions, metrics: IngestMetrics, clocks: Clocks, log: LogWriter,
        seed: UInt64
    ) {
        self.eventLoop = eventLoop
        self.options = options
        self.metrics = metrics
        self.clocks = clocks
        self.log = log
        self.seed = seed
        decoder = Self.decoder(options, seed: seed)
        retransmits = RetransmitIndex(window: options.dedupWindow, entryLimit: options.dedupEntryLimit)
        epochStarted = clocks.uptime()
    }

    private static func decoder(_ options: IngestOptions, seed: UInt64) -> RequestDecoder {
        RequestDecoder(
            limits: options.decode, seed: seed, keepsOthers: options.keepsOthers, classify: options.classify)
    }

    /// Takes over limits and filters, and ends the active segment: a series it knows keeps the streams it was given,
    /// and its labels are not looked at again.
    package func apply(_ options: IngestOptions) {
        eventLoop.assertInEventLoop()
        self.options = options
        decoder = Self.decoder(options, seed: seed)
        rotate()
        // A segment without rows may know series all the same: of requests that were refused or filtered.
        encoder.startSegment()
    }

    /// Requests that wait for the disk.
    package var pendingCount: Int { pending.count }

    /// A batch found in the log or in a manifest at start: a retransmit of it gets this answer.
    package func remember(_ fingerprint: Hash128, _ answer: BatchAnswer) {
        retransmits.insert(fingerprint, answer, now: clocks.uptime())
    }

    // MARK: One request

    package func write(_ body: ByteBuffer, source: WriteProtocol) -> EventLoopFuture<HTTPResponse> {
        eventLoop.assertInEventLoop()
        lastReceived = clocks.uptime()
        let promise = eventLoop.makePromise(of: HTTPResponse.self)
        if let refusal = inflate(body) {
            promise.succeed(refusal)
            return promise.futureResult
        }
        // SAFETY: UInt8 has no padding.
        let fingerprint = Hash128(of: unsafe inflated.span.bytes, seed: seed &+ UInt64(source.rawValue))
        if let answer = retransmits.find(fingerprint) {
            countRetransmits(1, of: answer)
            promise.succeed(WriteAnswer.response(answer))
        } else if let token = inFlight[fingerprint] {
            pending[token]!.waiters.append(promise)
        } else {
            store(body, source: source, fingerprint: fingerprint, attempt: 1, waiters: [promise])
        }
        if inflated.count > Self.keptBytes { inflated = [] }
        return promise.futureResult
    }

    private func countRetransmits(_ requests: Int, of answer: BatchAnswer) {
        let samples = requests * (answer.written.samples + answer.rejectedSamples)
        metrics.duplicateRequests.add(requests)
        metrics.received.add(samples)
        metrics.retransmitted.add(samples)
    }

    /// Inflates `body` into `inflated`; the answer when that cannot be.
    private func inflate(_ body: ByteBuffer) -> HTTPResponse? {
        do throws(SnappyError) {
            var failure: SnappyError?
            // SAFETY: the bytes are the buffer's own, borrowed for this closure.
            unsafe body.withUnsafeReadableBytes { raw in
                let span = unsafe RawSpan(_unsafeBytes: raw)
                do throws(SnappyError) {
                    try Snappy.decompress(span, limit: options.decodedByteLimit, into: &inflated)
                } catch {
                    failure = error
                }
            }
            if let failure { throw failure }
            return nil
        } catch {
            return refusal(error)
        }
    }

    private func refusal(_ error: SnappyError) -> HTTPResponse {
        switch error {
        case .malformed:
            metrics.requestsRefused["snappy"]?.add()
            return .text(
                .badRequest, "cannot inflate request body: not a snappy block; compress it in snappy's raw format")
        case .tooLarge(let declared, let limit):
            metrics.requestsRefused["decoded_limit"]?.add()
            return .text(
                .badRequest,
                "cannot inflate request body: it declares \(declared) bytes, limits.decoded_bytes is \(limit); "
                    + "send fewer samples a request")
        }
    }

    /// Decodes what `inflated` holds and gives it to the log.
    private func store(
        _ body: ByteBuffer, source: WriteProtocol, fingerprint: Hash128, attempt: Int,
        waiters: [EventLoopPromise<HTTPResponse>]
    ) {
        encoder.startBatch()
        if options.futureTolerance > .zero {
            decoder.futureTolerance = options.futureTolerance
            let latest = clocks.wallMilliseconds() + Int64(options.futureTolerance.inSeconds * 1000)
            decoder.latestTimestamp = min(latest, SampleTime.bounds.upperBound)
        }
        let started = clocks.uptime()
        let result: DecodeResult
        do throws(DecodeError) {
            // SAFETY: UInt8 has no padding.
            result = try decoder.decode(unsafe inflated.span.bytes, source: source, into: &encoder)
        } catch {
            encoder.startBatch()
            metrics.requestsRefused["protobuf"]?.add()
            metrics.decoding.failed.observe(clocks.uptime() - started)
            for waiter in waiters { waiter.succeed(.text(.badRequest, "\(error)")) }
            return
        }
        metrics.decoding.done.observe(clocks.uptime() - started)
        let answer = BatchAnswer(
            status: result.text.isEmpty ? 204 : 400, written: result.written, rejectedSamples: result.rejectedCount,
            filteredSamples: result.filteredSamples, text: result.text)
        guard !encoder.isEmpty || result.filteredSamples > 0 else {
            count(result)
            countRetransmits(waiters.count - 1, of: answer)
            for waiter in waiters { waiter.succeed(WriteAnswer.response(answer)) }
            return
        }
        let header = BatchHeader(
            fingerprint: fingerprint, receivedAt: clocks.wallMilliseconds(), source: source, answer: answer)
        let batch = encoder.encode(header)
        guard batch.payload.count <= WALFormat.payloadByteLimit, batch.inflatedByteCount <= Batch.byteLimit else {
            // No reader would take its record. The series it defined are in none.
            rotate()
            encoder.startSegment()
            metrics.requestsRefused["decoded_limit"]?.add()
            let text =
                "cannot store write request: its record has \(batch.payload.count) bytes, \(batch.inflatedByteCount) "
                + "inflated; \(WALFormat.payloadByteLimit) and \(Batch.byteLimit) are the most; "
                + "send fewer samples a request"
            for waiter in waiters { waiter.succeed(.text(.badRequest, text)) }
            return
        }
        let token = nextToken
        nextToken += 1
        inFlight[fingerprint] = token
        pending[token] = Pending(
            body: body, source: source, fingerprint: fingerprint, answer: answer, result: result, epoch: epoch,
            payloadBytes: batch.payload.count, attempt: attempt, rows: batch.rows, streamRows: batch.streamRows,
            waiters: waiters)
        onHold(batch.payload.count)
        let record = PendingRecord(payload: batch.payload, isCompressed: batch.isCompressed, rows: batch.rows)
        log.submit(Submission(token: token, epoch: epoch, record: record))
        epochBytes += batch.payload.count
        epochValueBytes += batch.valueByteCount
        epochRows += batch.rows
        if isSegmentFull { rotate() }
    }

    /// Labels do not fill a segment: the next would begin with the same again.
    private var isSegmentFull: Bool {
        let limit = options.segmentByteLimit
        return epochValueBytes >= limit
            || epochBytes >= max(limit, min(limit * Self.growthFactor, Self.growthByteLimit))
            || epochRows >= options.rowsPerSegment || encoder.seriesCount >= options.seriesPerSegment
    }

    /// Counts a request that is answered for good: one refused with a 503 comes again, and is counted then.
    private func count(_ result: DecodeResult) {
        metrics.requestSamples.observe(Double(result.written.samples + result.rejectedCount))
        metrics.received.add(result.written.samples + result.rejectedCount)
        metrics.oldReceived.add(result.written.samples)
        metrics.filtered.add(result.filteredSamples)
        for (reason, count) in result.rejected { metrics.rejected[reason]?.add(count) }
        if !options.keepsOthers {
            metrics.othersDropped.add(result.written.histograms + result.written.exemplars + result.written.metadata)
        }
    }

    // MARK: Outcomes

    /// What became of a group; called on the event loop.
    package func completed(_ outcomes: [(token: UInt64, outcome: AppendOutcome)]) {
        eventLoop.assertInEventLoop()
        for (token, outcome) in outcomes {
            guard let request = pending.removeValue(forKey: token) else { continue }
            inFlight[request.fingerprint] = nil
            onHold(-request.payloadBytes)
            switch outcome {
            case .durable:
                count(request.result)
                countRetransmits(request.waiters.count - 1, of: request.answer)
                metrics.stored.add(request.rows)
                metrics.oldReceivedCost.add(request.streamRows.cost)
                metrics.oldReceivedObservability.add(request.streamRows.observability)
                metrics.filteredByList["cost"]?.add(request.answer.written.samples - request.streamRows.cost)
                if options.hasObservability {
                    metrics.filteredByList["observability"]?.add(
                        request.answer.written.samples - request.streamRows.observability)
                }
                retransmits.insert(request.fingerprint, request.answer, now: clocks.uptime())
                for waiter in request.waiters { waiter.succeed(WriteAnswer.response(request.answer)) }
                if let first = onFirstBatch.take() {
                    rotate()
                    first()
                }
            case .poisoned where request.attempt < Self.attemptLimit:
                if request.epoch == epoch { startEpoch() }
                // It was inflated once, so it can be again.
                if let refusal = inflate(request.body) {
                    for waiter in request.waiters { waiter.succeed(refusal) }
                } else {
                    store(
                        request.body, source: request.source, fingerprint: request.fingerprint,
                        attempt: request.attempt + 1, waiters: request.waiters)
                }
            case .poisoned(let error), .unavailable(let error):
                if request.epoch == epoch { startEpoch() }
                metrics.requestsRefused["disk"]?.add()
                for waiter in request.waiters { waiter.succeed(WriteAnswer.unavailable("\(error)")) }
            }
        }
    }

    // MARK: Segments

    /// Ends the active segment, if it holds anything, so that it can be compacted.
    package func rotate() {
        guard epochRows > 0 || epochBytes > 0 else { return }
        startEpoch()
        log.rotate(to: epoch)
        onRotate()
    }

    /// Once a second: ends a segment that is old enough, and opens one where there is none.
    package func tick() {
        let now = clocks.uptime()
        if log.active == nil {
            // A segment could not be opened: without a next one the last is never sealed, even if nobody sends.
            startEpoch()
            log.rotate(to: epoch)
        } else if now - epochStarted >= options.segmentAge {
            rotate()
        }
        retransmits.expire(now: now)
    }

    private func startEpoch() {
        epoch += 1
        epochBytes = 0
        epochValueBytes = 0
        epochRows = 0
        epochStarted = clocks.uptime()
        encoder.startSegment()
    }
}
