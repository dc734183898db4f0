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

    private init(
        environment: ServiceEnvironment, lock: consuming DirectoryLock, service: IngestService, log: LogWriter,
        compactor: CompactorService
    ) {
        self.environment = environment
        self.lock = lock
        self.service = service
        self.log = log
        self.compactor = compactor
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
        let window = environment.settings.dedup.window
        let doneBefore = clocks.wallMilliseconds() - window.components.seconds * 1000
        // Manifests first, then segments (design.md §3).
        let manifests = try Publication(layout, in: fileSystem).recover(doneBefore: doneBefore)
        for name in manifests.damaged {
            environment.logger.error(
                "a commit manifest is damaged; it is in quarantine/, nothing of staging/ was removed",
                metadata: ["name": "\(name)"])
        }
        var known = manifests.requests.map { ($0.fingerprint, $0.answer) }
        var generator = SystemRandomNumberGenerator()
        let recovered = try Recovery(layout, in: fileSystem).run(
            usedBelow: manifests.highestSegment, newVolume: VolumeID(using: &generator)
        ) { _, record in
            // A batch of another program version is reported by the compaction that meets it.
            guard let header = try? Batch(payload: record.payload, isCompressed: record.isCompressed).header,
                header.receivedAt >= doneBefore
            else { return }
            known.append((header.fingerprint, header.answer))
        }
        report(recovered, environment.logger)
        let compactor = CompactorService(
            environment.compactorOptions, recovered: recovered, layout: layout, fileSystem: fileSystem, clocks: clocks,
            metrics: CompactorMetrics(environment.registry), logger: environment.logger, onPublish: onPublish)
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
            recovered, environment: logEnvironment, known: known, onRotate: { compactor.wake() },
            onFirstBatch: firstBatch)
        compactor.start()
        return CollectorRuntime(
            environment: environment, lock: lock, service: service, log: log, compactor: compactor)
    }

    private static func takeLock(_ environment: ServiceEnvironment) throws -> DirectoryLock {
        let root = environment.layout.root
        guard try environment.fileSystem.status(root)?.isDirectory == true else {
            throw CommandFailure(
                .notFound, "cannot start on \(root): there is no such directory",
                try: "mkdir -p \(root), or set database.storage_path")
        }
        do throws(DiskIO.IOError) {
            return try DirectoryLock(environment.layout.collectorLock, owner: environment.owner)
        } catch {
            guard error.operation == .lock, error.code == Errno.wouldBlock else { throw error }
            throw CommandFailure(
                .temporary, "cannot start on \(root): another collector holds \(environment.layout.collectorLock)",
                try: "cat \(environment.layout.collectorLock)")
        }
    }

    private static func report(_ recovered: RecoveredLog, _ logger: Logger) {
        for segment in recovered.segments where !segment.damage.isEmpty {
            for range in segment.damage {
                logger.error(
                    "the log is damaged; a copy is in quarantine/, the rest is used",
                    metadata: [
                        "segment": "\(segment.segment)", "from": "\(range.start)", "to": "\(range.end)",
                        "rows": "\(range.rows.map(String.init) ?? "unknown")",
                    ])
            }
        }
        logger.info(
            "log recovered",
            metadata: [
                "segments": "\(recovered.segments.count)", "newest": "\(recovered.newest.segment)",
                "verdict": "\(recovered.newest.verdict)", "volume": "\(recovered.volume.id)",
            ])
    }

    /// Refuses writes, seals and compacts everything accepted.
    func drain() async throws {
        service.set(.notReady("draining"))
        try await service.rotate(log)
        try await compactor.flush()
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
