import Compactor
import DiskIO
import HTTPServer
import Ingest
import Logging
import Metrics
import NIOCore
import NIOEmbedded
import NIOHTTP1
import RemoteWrite
import Samples
import TestKit
import WAL

/// The collector's production code without its threads: each of its loops is a method that makes one turn.
final class Collector {
    let metrics: IngestMetrics
    private let loop = EmbeddedEventLoop()
    private let log: LogWriter
    private var appender: LogAppender
    private let intake: Intake
    private let compactor: CompactorService
    private var reserve: DiskReserve
    private(set) var isFull = false
    private let outcomes: OutcomeQueue

    static let options = CompactorOptions(
        clusterName: "c1", cloudAccountID: "123", rowsPerFile: 40, interval: .seconds(60),
        dedupWindow: .seconds(600), configuration: 9, createdBy: "cirrus version 0.1.0 (build test)")

    static let intakeOptions = IngestOptions(
        bodyByteLimit: 1 << 20, decodedByteLimit: 1 << 20, inFlightByteLimit: 1 << 22, inFlightRequestLimit: 100,
        diskReserveBytes: 128 << 10, decode: .standard, seriesPerSegment: 1000, segmentByteLimit: 32 << 10,
        segmentAge: .seconds(30), rowsPerSegment: 40, dedupWindow: .seconds(600), dedupEntryLimit: 1000,
        keepsOthers: false, classify: { _ in .cost })

    static let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }

    /// Finds the log as `czctl collector` does, and opens it.
    init(_ layout: VolumeLayout, _ fileSystem: any FileSystem, _ clocks: Clocks) throws {
        try layout.makeCollectorDirectories(in: fileSystem)
        let volume = try RecoveredVolume(
            layout, in: fileSystem, clocks: clocks, window: Self.options.dedupWindow,
            newVolume: VolumeID(high: 1, low: 2))
        let segmentBytes: UInt64 = 64 << 10
        let environment = LogEnvironment(
            layout: layout, fileSystem: fileSystem, clocks: clocks,
            segment: SegmentOptions(volume: volume.log.volume.id, reservedBytes: segmentBytes, configuration: 9),
            salt: { 0x5EED })
        let registry = MetricsRegistry()
        metrics = IngestMetrics(registry)
        let outcomes = OutcomeQueue()
        self.outcomes = outcomes
        log = LogWriter(clocks: clocks, report: { outcomes.add($0) }, observe: { _ in })
        intake = Intake(
            eventLoop: loop, options: Self.intakeOptions, metrics: metrics, clocks: clocks, log: log,
            seed: volume.log.volume.id.high)
        for (fingerprint, answer) in volume.known { intake.remember(fingerprint, answer) }
        compactor = CompactorService(
            Self.options, recovered: volume, layout: layout, fileSystem: fileSystem, clocks: clocks,
            metrics: CompactorMetrics(registry), logger: Self.logger, onPublish: { _ in })
        reserve = DiskReserve(
            layout, reserveBytes: Self.intakeOptions.diskReserveBytes, segmentBytes: segmentBytes, in: fileSystem)
        appender = LogAppender(volume.log, environment: environment)
        log.rotate(to: 1)
        turn()
    }

    deinit { try? loop.syncShutdownGracefully() }  // nothing is scheduled on it

    /// Takes a request; `answer` is called with its status at some later turn of the log, or at once.
    func write(_ body: [UInt8], answer: @escaping (Int) -> Void) {
        guard !isFull else { return answer(503) }
        let box = NIOLoopBound(answer, eventLoop: loop)
        intake.write(ByteBuffer(bytes: body), source: .v1).whenSuccess { box.value(Int($0.status.code)) }
    }

    /// The log's thread: commits what waits; when nothing does, the witness. Then the intake hears of it.
    func turn(isIdle: Bool = false) {
        repeat {
            _ = log.turn(&appender, isIdle: isIdle)
            let done = outcomes.take()
            if done.isEmpty { return }
            intake.completed(done)
        } while true  // a poisoned group was submitted again; attempts are limited
    }

    /// The clockwork of every second.
    func tick() {
        intake.tick()
        do { isFull = try reserve.check() != nil } catch {}  // a disk that cannot be measured changes nothing
        turn()
    }

    func rotate() {
        intake.rotate()
        turn()
    }

    /// The compaction thread's turn.
    func compact(flushing: Bool) throws { try compactor.check(flushing: flushing) }

    /// SIGTERM.
    func close() { appender.close() }

    var pendingCount: Int { intake.pendingCount }
}
