internal import Bytes
internal import Compactor
internal import Configuration
internal import DiskIO
internal import Dispatch
internal import HTTPServer
internal import Ingest
internal import Logging
internal import Metrics
internal import NIOCore
internal import NIOPosix
internal import Samples
internal import Synchronization
internal import WAL

/// The collector: intake, log and compaction of one volume, from lock to last seal.
final class CollectorRuntime: Sendable {
    private let environment: ServiceEnvironment
    private let lock: DirectoryLock
    let service: IngestService
    let log: LogWriter
    let compactor: CompactorService
    private let compacted: CompactorMetrics
    let volume: VolumeID

    private init(
        environment: ServiceEnvironment, lock: consuming DirectoryLock, service: IngestService, log: LogWriter,
        compactor: CompactorService, compacted: CompactorMetrics, volume: VolumeID
    ) {
        self.environment = environment
        self.lock = lock
        self.service = service
        self.log = log
        self.compactor = compactor
        self.compacted = compacted
        self.volume = volume
    }

    /// Takes the volume, finishes what a crash interrupted, reads the log and begins to accept.
    /// - Parameters:
    ///   - service: already answering 503 on its server, if there is one.
    ///   - onPublish: files came to `outbox/`.
    static func start(
        _ environment: ServiceEnvironment, service: IngestService,
        onPublish: @escaping @Sendable (CompactionReport) -> Void
    ) async throws -> CollectorRuntime {
        let (layout, fileSystem, clocks) = (environment.layout, environment.fileSystem, environment.clocks)
        let lock = try takeLock(environment)
        try layout.makeCollectorDirectories(in: fileSystem)
        if try fileSystem.exists(layout.collectorShutdownComplete) {
            try fileSystem.remove(layout.collectorShutdownComplete)
        }
        let started = clocks.uptime()
        var generator = SystemRandomNumberGenerator()
        let imports = ImportJournal.Directory(layout, in: fileSystem)
        let unsettled = try imports.unsettled(environment.logger)
        var window = environment.settings.dedup.window
        if !unsettled.isEmpty { window = max(window, ImportJournal.window) }
        let volume = try RecoveredVolume(
            layout, in: fileSystem, clocks: clocks, window: window, newVolume: VolumeID(using: &generator))
        try imports.settle(unsettled, known: volume.known)
        let recovered = volume.log
        report(volume, took: clocks.uptime() - started, environment.logger)
        service.metrics.corruptions.add(
            recovered.segments.reduce(recovered.missing.count) { $0 + $1.damage.count })
        let compacted = CompactorMetrics(environment.registry)
        let compactor = CompactorService(
            environment.compactorOptions, recovered: volume, layout: layout, fileSystem: fileSystem, clocks: clocks,
            metrics: compacted, logger: environment.logger, onPublish: onPublish)
        let logEnvironment = LogEnvironment(
            layout: layout, fileSystem: fileSystem, clocks: clocks,
            segment: SegmentOptions(
                volume: recovered.volume.id,
                reservedBytes: UInt64(environment.settings.wal.segmentByteLimit) + (1 << 20),
                configuration: environment.configurationFingerprint),
            salt: { UInt64.random(in: .min ... .max) })
        var firstBatch: (@Sendable () -> Void)?
        if recovered.newest.verdict == .none { firstBatch = { compactor.flushWhenSealed() } }
        let log = try await service.start(
            recovered, environment: logEnvironment, known: volume.known, onRotate: { compactor.wake() },
            onFirstBatch: firstBatch)
        environment.registry.gauge("cirrus_wal_active_rows", "Rows in the segment that is written now.") {
            Double(log.active?.rows ?? 0)
        }
        compactor.start()
        return CollectorRuntime(
            environment: environment, lock: lock, service: service, log: log, compactor: compactor,
            compacted: compacted, volume: recovered.volume.id)
    }

    private static func takeLock(_ environment: ServiceEnvironment) throws -> DirectoryLock {
        let root = environment.layout.root
        do throws(DiskIO.IOError) {
            return try DirectoryLock(environment.layout.collectorLock, owner: environment.owner)
        } catch {
            guard error.operation == .lock, error.code == Errno.wouldBlock else { throw error }
            let path = environment.layout.collectorLock
            throw CommandFailure(
                .temporary,
                "cannot start on \(root): another collector holds \(path): \(DirectoryLock.owner(of: path))",
                try: "czctl status --data \(root)", because: error)
        }
    }

    private static func report(_ volume: RecoveredVolume, took duration: Duration, _ logger: Logger) {
        for name in volume.damagedManifests {
            logger.error(
                "a commit manifest is damaged; it is in quarantine/, nothing of staging/ was removed",
                metadata: ["name": "\(name)"])
        }
        for segment in volume.log.segments {
            for range in segment.damage {
                var metadata: Logger.Metadata = [
                    "segment": "\(segment.segment)", "from": "\(range.start)", "to": "\(range.end)",
                    "first_record": "\(range.firstLSN)",
                ]
                if let rows = range.rows { metadata["rows"] = "\(rows)" }
                logger.error("the log is damaged; a copy is in quarantine/, the rest is used", metadata: metadata)
            }
        }
        for (segment, error) in volume.log.uncopied {
            logger.error(
                "no copy of a damaged segment could be made; compaction makes it before it goes on",
                metadata: ["segment": "\(segment)", "error": "\(error)"])
        }
        for missing in volume.log.missing {
            logger.error(
                "a segment of the log is gone, and nothing of ours removed it",
                metadata: [
                    "segment": "\(missing.ending.segment)", "rows": "\(missing.ending.rows)",
                    "last_record": "\(missing.ending.lastLSN)",
                ])
        }
        let newest = volume.log.newest
        logger.info(
            "log recovered",
            metadata: [
                "segments": "\(volume.log.segments.count)", "newest": "\(newest.segment)",
                "verdict": "\(newest.verdict)", "volume": "\(volume.log.volume.id)",
                "bytes": "\(volume.log.segments.reduce(0) { $0 + $1.fileBytes })", "seconds": "\(duration.inSeconds)",
            ])
    }

    /// Refuses writes, seals and compacts everything accepted.
    func drain() async throws {
        service.set(.notReady(StatusInputs.draining))
        try await service.rotate(log)
        try await compactor.flush()
    }

    /// Seals and compacts everything accepted so far, and goes on.
    func flush() async throws -> FlushOutcome {
        let (files, rows) = (compacted.files.value, compacted.rowsWritten.value)
        try await service.rotate(log)
        try await compactor.flush()
        return FlushOutcome(files: compacted.files.value - files, rows: compacted.rowsWritten.value - rows)
    }

    /// Seals the log and ends the threads; the server is drained before. The marker tells the shipper that nothing
    /// comes any more.
    func stop() async {
        service.set(.notReady("shutting down"))
        service.stop()
        let (log, compactor) = (log, compactor)
        await withCheckedContinuation { continuation in
            DispatchQueue(label: "cirrus.stop").async {
                log.stop()
                compactor.stop()
                continuation.resume()
            }
        }
        do throws(DiskIO.IOError) {
            try environment.fileSystem.publish(Array("done\n".utf8), at: environment.layout.collectorShutdownComplete)
        } catch {
            environment.logger.warning("the shutdown marker was not written", metadata: ["error": "\(error)"])
        }
    }
}
