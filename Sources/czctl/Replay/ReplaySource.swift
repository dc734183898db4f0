internal import Bytes
internal import DiskIO
internal import Dispatch
internal import Parquet
internal import Samples
internal import Snappy
internal import Synchronization
internal import WAL

/// Reads what a volume holds on a thread of its own, and gives it as remote_write bodies, four ahead at most.
///
/// Memory: one row group, or the series of one segment, and five bodies.
final class ReplaySource: Sendable {
    /// What stood in the way of reading everything.
    struct Findings: Sendable {
        var files = 0
        var segments = 0
        /// Places that are damaged, or of another program version, in words.
        var problems: [String] = []
    }

    /// Thrown where the receiver is given up.
    private struct Ended: Error {}

    private static let aheadLimit = 4

    private let selection: RowSelection
    private let stream: Streams
    private let sampleLimit: Int
    /// Begins at 0: one that ends below the value it was made with traps.
    private let slots = DispatchSemaphore(value: 0)
    private let state = Mutex((findings: Findings(), isEnded: false))
    private let bodies: AsyncStream<WriteBody>
    private let continuation: AsyncStream<WriteBody>.Continuation

    init(_ selection: RowSelection, stream: Streams, sampleLimit: Int) {
        self.selection = selection
        self.stream = stream
        self.sampleLimit = sampleLimit
        (bodies, continuation) = AsyncStream.makeStream()
        for _ in 0..<Self.aheadLimit { slots.signal() }
    }

    var findings: Findings { state.withLock { $0.findings } }

    /// Begins to read.
    /// - Parameters:
    ///   - files: Parquet files, in the order to be sent.
    ///   - layout: whose log follows, and what became files of it meanwhile; nil is files alone.
    func start(files: [String], then layout: VolumeLayout?) {
        DispatchQueue(label: "cirrus.replay").async { [self] in
            do {
                try send(files, layout)
            } catch is Ended {
                // Nobody reads any more.
            } catch {
                note("\(error)")
            }
            continuation.finish()
        }
    }

    /// The reader wants no more.
    func end() {
        state.withLock { $0.isEnded = true }
        slots.signal()
    }

    /// For one reader.
    func next() async -> WriteBody? {
        let body = await bodies.first { _ in true }
        slots.signal()
        return body
    }

    // MARK: On its thread

    private func note(_ problem: String) { state.withLock { $0.findings.problems.append(problem) } }

    private func give(_ batch: inout WriteRequestBody, isLast: Bool) throws {
        guard isLast ? batch.sampleCount > 0 : batch.sampleCount >= sampleLimit else { return }
        slots.wait()
        guard !state.withLock({ $0.isEnded }) else { throw Ended() }
        // SAFETY: UInt8 has no padding.
        let bytes = Snappy.compress(unsafe batch.bytes.span.bytes)
        continuation.yield(WriteBody(bytes: bytes, version: .v1, sampleCount: batch.sampleCount))
        batch.begin()
    }

    private func send(_ files: [String], _ layout: VolumeLayout?) throws {
        for file in files { try send(file: file) }
        guard let layout else { return }
        let fileSystem = PosixFileSystem()
        let directory = SegmentDirectory(layout.wal, in: fileSystem)
        if try fileSystem.exists(layout.wal) {
            // Rows of a plan that is being published are in the log and in files: those come below.
            let log = try LogSurvey(layout, in: fileSystem, live: nil)
            for segment in log.segments where segment.isInLog { try send(segment.id, directory, fileSystem) }
        }
        let sent = Set(files.map(Self.name))
        for file in try Query.files(of: layout, kind) where !sent.contains(Self.name(file)) { try send(file: file) }
    }

    private var kind: ReferenceID.Kind { stream == .cost ? .metrics : .observability }

    private static func name(_ path: String) -> Substring { path.split(separator: "/").last ?? "" }

    private func send(file path: String) throws {
        guard let real = RealPath.of(path) ?? moved(path) else { return note("\(path): it is gone") }
        do {
            let file = try ParquetFile(source: try OpenedFile(real, in: PosixFileSystem()))
            let rows = try ReplayRows(file, selection)
            for group in file.metadata.rowGroups.indices {
                var batch = WriteRequestBody()
                try rows.read(group) { labels, timestamp, value in
                    batch.add(labels, timestamp: timestamp, value: value)
                    try give(&batch, isLast: false)
                }
                try give(&batch, isLast: true)
            }
            state.withLock { $0.findings.files += 1 }
        } catch let error as ParquetError {
            note("\(path): \(error)")
        }
    }

    /// Where the shipper moves a file to.
    private func moved(_ path: String) -> String? {
        let words = path.split(separator: "/", omittingEmptySubsequences: false)
        guard words.count > 2, words[words.count - 2] == "outbox", let name = words.last else { return nil }
        return RealPath.of((words.dropLast(2) + ["uploaded", name]).joined(separator: "/"))
    }

    private func send(_ id: SegmentID, _ directory: SegmentDirectory, _ fileSystem: any FileSystem) throws {
        var series: [UInt32: [UInt8]] = [:]
        do {
            var scanner = try SegmentScanner(
                id, statedEnding: try directory.statedEnding(of: id), directory: directory, in: fileSystem)
            var body = WriteRequestBody()
            let summary = try scanner.scan { record in
                let batch: Batch
                do throws(BatchError) {
                    batch = try Batch(payload: record.payload, isCompressed: record.isCompressed)
                } catch {
                    return note("segment \(id), record \(record.lsn): \(error)")
                }
                define(batch, &series)
                try add(batch, series, &body)
            }
            try give(&body, isLast: true)
            for range in summary.damage {
                note("segment \(id): bytes \(range.start) to \(range.end) are damaged")
            }
            state.withLock { $0.findings.segments += 1 }
        } catch let error as IOError where error.isNotFound {
            // Compacted meanwhile: it is among the files that come last.
        }
    }

    private func define(_ batch: Batch, _ series: inout [UInt32: [UInt8]]) {
        for entry in batch.series where entry.streams.contains(stream) && selection.matches(entry, batch) {
            series[entry.reference] = WriteRequestBody.labels(
                batch.labels(entry.labels).map {
                    (name: Array(batch.bytes[$0.name.range]), value: Array(batch.bytes[$0.value.range]))
                })
        }
    }

    private func add(_ batch: Batch, _ series: [UInt32: [UInt8]], _ body: inout WriteRequestBody) throws {
        for index in batch.references.indices {
            guard selection.query.times.contains(batch.timestamps[index]),
                let labels = series[batch.references[index]]
            else { continue }
            body.add(labels, timestamp: batch.timestamps[index], value: batch.values[index])
            try give(&body, isLast: false)
        }
    }
}
