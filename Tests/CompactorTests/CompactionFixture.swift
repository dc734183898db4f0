import Bytes
import Compactor
import DiskIO
import Logging
import Metrics
import Parquet
import Samples
import TestKit
import WAL

/// One sample as a test writes and reads it.
struct TestSample: Hashable, Comparable {
    var labels: [String]  // name, value, name, value ...
    var timestamp: Int64
    var value: Double
    /// Milliseconds since 1970, 0 = unset.
    var start: Int64 = 0

    static func < (left: TestSample, right: TestSample) -> Bool {
        (left.labels.joined(), left.timestamp, left.value) < (right.labels.joined(), right.timestamp, right.value)
    }
}

/// A row of a file, as strings.
struct TestRow: Hashable {
    var metric: String
    var node: String
    var timestamp: Int64
    var labels: String
    var value: String
}

/// A volume on a simulated disk with a log and a compactor, with verbs.
struct CompactionFixture {
    let disk = SimulatedDisk()
    let clock = ManualClock()
    let layout = VolumeLayout(root: "/v")
    var tables = TableLayout.cloudzero
    var promotedLabels: [String] = []
    var writesOthers = true
    static let volume = VolumeID(high: 1, low: 2)
    static let hour: Int64 = 1_782_918_000_000  // 2026-07-01T15:00:00Z

    init() throws {
        for path in ["/v", "/v/wal", "/v/staging", "/v/outbox", "/v/quarantine"] { try disk.makeDirectory(path) }
    }

    var options: CompactorOptions {
        var options = CompactorOptions(
            clusterName: "c1", cloudAccountID: "123", rowsPerFile: 1_000_000, interval: .seconds(600),
            dedupWindow: .seconds(7200), configuration: 9, createdBy: "cirrus version 0.1.0 (build test)")
        options.layout = tables
        options.promotedLabels = promotedLabels
        options.writesOthers = writesOthers
        return options
    }

    func recoverVolume() throws -> RecoveredVolume {
        try RecoveredVolume(layout, in: disk, clocks: clock.clocks, window: .seconds(7200), newVolume: Self.volume)
    }

    func recover() throws -> RecoveredLog { try recoverVolume().log }

    /// Writes each batch as a request of its own, each group of batches as a segment, and an empty newest segment.
    /// - Parameter addOthers: adds to a batch what is no sample; takes the references of its samples.
    func write(
        _ segments: [[[TestSample]]], streams: Streams = .cost, behind recovered: RecoveredLog? = nil,
        addOthers: (inout BatchEncoder, [UInt32]) -> Void = { _, _ in }
    ) throws {
        let environment = LogEnvironment(
            layout: layout, fileSystem: disk, clocks: clock.clocks,
            segment: SegmentOptions(volume: Self.volume, reservedBytes: 1 << 20, configuration: 9), salt: { 5 })
        var appender = LogAppender(try recovered ?? recover(), environment: environment)
        for (index, batches) in segments.enumerated() {
            var encoder = BatchEncoder()
            let records = batches.enumerated().map { number, samples in
                Self.encode(samples, streams, &encoder, fingerprint: UInt64(index * 1000 + number), addOthers)
            }
            _ = appender.append(records, epoch: UInt64(index + 1))
        }
        try appender.rotate(to: UInt64(segments.count + 1))
    }

    private static func encode(
        _ samples: [TestSample], _ streams: Streams, _ encoder: inout BatchEncoder, fingerprint: UInt64,
        _ addOthers: (inout BatchEncoder, [UInt32]) -> Void
    ) -> PendingRecord {
        encoder.startBatch()
        var references: [UInt32] = []
        for sample in samples {
            var labels = ByteWriter()
            labels.varint(UInt64(sample.labels.count / 2))
            for text in sample.labels { labels.lengthPrefixed(text) }
            let key = Hash128(of: labels.bytes.span.bytes, seed: 0)
            let entry =
                encoder.find(key)
                ?? encoder.define(key, streams: streams, labels: Self.numbers(of: sample.labels, in: &encoder))
            guard case .reference(let reference) = entry else { continue }
            references.append(reference)
            encoder.addSample(
                reference, timestamp: sample.timestamp, value: sample.value.bitPattern, startTimestamp: sample.start)
        }
        addOthers(&encoder, references)
        let answer = BatchAnswer(
            status: 204, written: WrittenCounts(samples: samples.count), rejectedSamples: 0, filteredSamples: 0,
            text: "")
        let batch = encoder.encode(
            BatchHeader(
                fingerprint: Hash128(low: fingerprint, high: 0), receivedAt: hour + Int64(fingerprint), source: .v1,
                answer: answer))
        return PendingRecord(payload: batch.payload, isCompressed: batch.isCompressed, rows: batch.rows)
    }

    private static func numbers(of labels: [String], in encoder: inout BatchEncoder) -> [UInt32] {
        stride(from: 0, to: labels.count, by: 2).map { index in
            let (name, value) = (Array(labels[index].utf8), Array(labels[index + 1].utf8))
            let key = Hash128(of: value.span.bytes, seed: xxh3(name.span.bytes, seed: 0))
            return encoder.findLabel(key) ?? encoder.addLabel(key, name: name.span.bytes, value: value.span.bytes)
        }
    }

    /// The sealed segments as a plan; nil when there are none.
    func plan() throws -> CompactionPlan? {
        let directory = SegmentDirectory(layout.wal, in: disk)
        let ids = try directory.segments()
        let endings = try zip(ids, ids.dropFirst()).compactMap { id, next in
            try directory.header(of: next).flatMap { $0.predecessor.segment == id ? $0.predecessor : nil }
        }
        return endings.isEmpty ? nil : CompactionPlan(segments: endings)
    }

    @discardableResult
    func compact() throws -> CompactionReport? {
        guard let plan = try plan() else { return nil }
        return try Compaction(options, volume: Self.volume, layout: layout, in: disk).run(plan)
    }

    /// The compactor of a start.
    func service(
        _ recovered: RecoveredVolume? = nil, rowsPerFile: Int? = nil, isHourly: Bool = false,
        onPublish: @escaping @Sendable (CompactionReport) -> Void = { _ in }
    ) throws -> CompactorService {
        var options = options
        options.isHourly = isHourly
        if let rowsPerFile { options.rowsPerFile = rowsPerFile }
        return CompactorService(
            options, recovered: try recovered ?? recoverVolume(), layout: layout, fileSystem: disk,
            clocks: clock.clocks,
            metrics: CompactorMetrics(MetricsRegistry()),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }, onPublish: onPublish)
    }

    /// Every sample of every file in `outbox/`.
    func publishedRows() throws -> [TestRow] {
        let names = try disk.list(layout.outbox).filter { ReferenceID($0)?.kind.isOfSamples ?? true }
        return try names.flatMap { name in try rows("\(layout.outbox)/\(name)") }
    }

    func rows(_ path: String) throws -> [TestRow] {
        let file = try ParquetFile(source: try StoredFile(path, in: disk))
        var rows: [TestRow] = []
        for group in file.metadata.rowGroups.indices {
            let metric = try strings(file.readColumn(rowGroup: group, column: 6))
            let node = try strings(file.readColumn(rowGroup: group, column: 7))
            let labels = try strings(file.readColumn(rowGroup: group, column: 10))
            let value = try strings(file.readColumn(rowGroup: group, column: 11))
            guard case .int64(let timestamps) = try file.readColumn(rowGroup: group, column: 9) else { return [] }
            for row in timestamps.indices {
                rows.append(
                    TestRow(
                        metric: metric[row], node: node[row], timestamp: timestamps[row], labels: labels[row],
                        value: value[row]))
            }
        }
        return rows
    }

    private func strings(_ values: ColumnValues) -> [String] {
        func text(_ table: ByteTable, _ index: Int) -> String { String(decoding: [UInt8](table[index]), as: UTF8.self) }
        switch values {
        case .dictionary(let entries, let indexes): return indexes.map { text(entries, Int($0)) }
        case .strings(let table): return (0..<table.count).map { text(table, $0) }
        case .int64, .nested: return []
        }
    }
}
