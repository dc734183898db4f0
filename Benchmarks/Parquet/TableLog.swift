import Bytes
import Compactor
import DiskIO
import Logging
import Metrics
import Samples
import WAL

/// A table's rows as requests in a log: one a `created_at`, at most 2,000 rows each.
struct TableLog {
    private static let requestRowLimit = 2000
    private static let segmentByteLimit = 16 << 20
    private static let volume = VolumeID(high: 1, low: 2)
    /// Rows of the table again, later by as much as the table is long.
    private static let copyShift: Int64 = 600_000

    private let table: BenchTable
    /// Names and values of each series in turn.
    private let labels: [[[UInt8]]]
    private let keys: [Hash128]

    init(_ table: BenchTable) {
        self.table = table
        labels = table.series.map { Self.strings($0.labels) }
        keys = table.series.map { Hash128(of: $0.labels.span.bytes, seed: 1) }
    }

    /// The strings of an object, in turn.
    private static func strings(_ json: [UInt8]) -> [[UInt8]] {
        var strings: [[UInt8]] = []
        var at = json.startIndex
        while let open = json[at...].firstIndex(of: UInt8(ascii: "\"")) {
            var text: [UInt8] = []
            at = open + 1
            while json[at] != UInt8(ascii: "\"") {
                if json[at] != UInt8(ascii: "\\") {
                    text.append(json[at])
                    at += 1
                } else if json[at + 1] == UInt8(ascii: "u") {
                    text.append(UInt8(String(decoding: json[at + 2..<at + 6], as: UTF8.self), radix: 16)!)
                    at += 6
                } else {
                    text.append(json[at + 1])
                    at += 2
                }
            }
            at += 1
            strings.append(text)
        }
        return strings
    }

    func write(to root: String, rows: Int) throws {
        let layout = VolumeLayout(root: root)
        let fileSystem = PosixFileSystem()
        try layout.makeCollectorDirectories(in: fileSystem)
        let recovered = try RecoveredVolume(
            layout, in: fileSystem, clocks: .system, window: .seconds(7200), newVolume: Self.volume)
        var appender = LogAppender(
            recovered.log,
            environment: LogEnvironment(
                layout: layout, fileSystem: fileSystem, clocks: .system,
                segment: SegmentOptions(
                    volume: Self.volume, reservedBytes: UInt64(Self.segmentByteLimit) + (1 << 20), configuration: 0),
                salt: { 7 }))
        var encoder = BatchEncoder()
        var epoch: UInt64 = 1
        var byteCount = 0
        var row = 0
        var request: UInt64 = 0
        while row < rows {
            if byteCount >= Self.segmentByteLimit {
                epoch += 1
                byteCount = 0
                encoder.startSegment()
            }
            request += 1
            let end = endOfRequest(from: row, limit: rows)
            let record = encode(row..<end, number: request, &encoder)
            byteCount += record.payload.count
            guard case .durable = appender.append([record], epoch: epoch) else { fatalError("cannot write the log") }
            row = end
        }
        try appender.rotate(to: epoch + 1)
    }

    private func endOfRequest(from start: Int, limit: Int) -> Int {
        let created = table.createdAt[start % table.rowCount]
        var end = start + 1
        while end < limit, end % table.rowCount != 0, end - start < Self.requestRowLimit,
            table.createdAt[end % table.rowCount] == created
        {
            end += 1
        }
        return end
    }

    private func encode(_ rows: Range<Int>, number: UInt64, _ encoder: inout BatchEncoder) -> PendingRecord {
        encoder.startBatch()
        let shift = Int64(rows.lowerBound / table.rowCount) * Self.copyShift
        for row in rows {
            let row = row % table.rowCount
            let series = Int(table.references[row])
            let known =
                encoder.find(keys[series])
                ?? encoder.define(keys[series], streams: .cost, labels: numbers(of: labels[series], in: &encoder))
            guard case .reference(let reference) = known else { fatalError("no series is filtered") }
            encoder.addSample(
                reference, timestamp: table.timestamps[row] + shift, value: table.values[row], startTimestamp: 0)
        }
        let answer = BatchAnswer(
            status: 204, written: WrittenCounts(samples: rows.count), rejectedSamples: 0, filteredSamples: 0, text: "")
        let batch = encoder.encode(
            BatchHeader(
                fingerprint: Hash128(low: number, high: 0),
                receivedAt: table.createdAt[rows.lowerBound % table.rowCount] + shift, source: .v1, answer: answer))
        return PendingRecord(payload: batch.payload, isCompressed: batch.isCompressed, rows: batch.rows)
    }

    private func numbers(of labels: [[UInt8]], in encoder: inout BatchEncoder) -> [UInt32] {
        stride(from: 0, to: labels.count, by: 2).map { index in
            let (name, value) = (labels[index], labels[index + 1])
            let key = Hash128(of: value.span.bytes, seed: xxh3(name.span.bytes, seed: 0))
            return encoder.findLabel(key) ?? encoder.addLabel(key, name: name.span.bytes, value: value.span.bytes)
        }
    }
}

/// Compaction of all that is sealed, as the service does it.
enum LogCompaction {
    static func run(_ root: String, rowsPerFile: Int, _ tables: TableLayout) throws {
        let layout = VolumeLayout(root: root)
        let fileSystem = PosixFileSystem()
        let recovered = try RecoveredVolume(
            layout, in: fileSystem, clocks: .system, window: .seconds(7200), newVolume: VolumeID(high: 0, low: 0))
        var options = CompactorOptions(
            clusterName: "prod-us-east-1", cloudAccountID: "123456789012", rowsPerFile: rowsPerFile,
            interval: .seconds(1), dedupWindow: .seconds(7200), configuration: 0,
            createdBy: "cirrus version 0.0.0 (build bench)")
        options.layout = tables
        options.promotedLabels = ["namespace", "pod", "container", "node"]
        let registry = MetricsRegistry()
        let metrics = CompactorMetrics(registry)
        let service = CompactorService(
            options, recovered: recovered, layout: layout, fileSystem: fileSystem, clocks: .system,
            metrics: metrics, logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }, onPublish: { _ in })
        let meter = Meter()
        try service.check(flushing: true)
        var bytes = 0
        for name in try fileSystem.list(layout.outbox) {
            bytes += Int(try fileSystem.status("\(layout.outbox)/\(name)")?.byteCount ?? 0)
        }
        meter.report(rows: Int(metrics.rowsWritten.value), bytes: bytes)
    }
}
