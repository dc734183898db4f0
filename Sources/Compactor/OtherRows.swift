internal import Bytes
internal import Parquet
internal import RemoteWrite
internal import Samples
internal import WAL

/// A histogram, an exemplar or the metadata of a family: layout `native` has files for them.
struct OtherRow {
    /// In the catalog; 0 of metadata, which have none.
    let series: UInt32
    /// Milliseconds since 1970; of metadata when they came.
    let timestamp: Int64
    /// A histogram's message; of the others what `encode` makes of them.
    let content: [UInt8]

    /// Bytes in memory, about.
    var byteCount: Int { content.count + 64 }

    /// Calls `body` with each row of a batch and the part it belongs to; with nil for one that cannot be in a file: its
    /// series was never defined, it is no message that we read, or readers refuse its time.
    static func forEach(
        _ batch: Batch, _ known: PlanReader.References, _ body: ((part: Part, row: OtherRow)?) throws -> Void
    ) rethrows {
        func home(_ content: Part.Content, _ reference: UInt32, _ time: Int64) -> (series: UInt32, part: Part)? {
            let reference = Int(reference)
            guard reference < known.series.count, known.series[reference] != .max, SampleTime.bounds.contains(time)
            else { return nil }
            // Of both streams the rows are the same: they are stored once.
            let stream = known.streams[reference].contains(.cost) ? Streams.cost : .observability
            return (known.series[reference], Part(stream: stream, hour: Part.hour(of: time), content: content))
        }
        for histogram in batch.histograms {
            let message = Array(batch.bytes[histogram.message.range])
            guard let (series, part) = home(.histograms, histogram.reference, histogram.timestamp),
                HistogramMessage(message) != nil
            else {
                try body(nil)
                continue
            }
            try body((part, OtherRow(series: series, timestamp: histogram.timestamp, content: message)))
        }
        for exemplar in batch.exemplars {
            let place = home(.exemplars, exemplar.reference, exemplar.timestamp)
            try body(
                place.map { series, part in
                    (
                        part,
                        OtherRow(series: series, timestamp: exemplar.timestamp, content: encode(exemplar, of: batch))
                    )
                })
        }
        let time = batch.header.receivedAt
        let part = Part(stream: .cost, hour: Part.hour(of: time), content: .metadata)
        for metadata in batch.metadata {
            let isPossible = SampleTime.bounds.contains(time)
            try body(
                isPossible
                    ? (part, OtherRow(series: 0, timestamp: time, content: encode(metadata, of: batch))) : nil)
        }
    }

    /// Value bits, then names and values of labels in turn.
    private static func encode(_ exemplar: Batch.Exemplar, of batch: Batch) -> [UInt8] {
        var writer = ByteWriter()
        writer.u64(exemplar.value)
        for label in batch.labels(exemplar.labels) {
            append(label.name, of: batch, to: &writer)
            append(label.value, of: batch, to: &writer)
        }
        return writer.bytes
    }

    /// Family, help, unit, type: so that the bytes sort by family.
    private static func encode(_ metadata: Batch.Metadata, of batch: Batch) -> [UInt8] {
        var writer = ByteWriter()
        for text in [metadata.family, metadata.help, metadata.unit] { append(text, of: batch, to: &writer) }
        writer.varint(UInt64(metadata.type))
        return writer.bytes
    }

    private static func append(_ slice: Batch.Slice, of batch: Batch, to writer: inout ByteWriter) {
        // SAFETY: UInt8 has no padding; the batch's slices lie within its bytes.
        writer.lengthPrefixed(unsafe batch.bytes.span.bytes.extracting(slice.range))
    }
}

/// What a plan holds beside samples, and how it is gathered: some megabytes at a time.
struct OtherSurvey {
    /// Rows of some series of a part, in row order: they begin a row group.
    struct Group {
        let part: Part
        let series: [UInt32]
    }

    /// Bytes of a group, unless a single series has more in an hour.
    private static let groupByteLimit = 8 << 20
    /// Bytes of the groups that are gathered in one pass.
    private static let passByteLimit = 32 << 20

    /// Bytes of each series' rows.
    private var byteCounts: [Part: [UInt32: Int]] = [:]
    private(set) var rowCount = 0
    /// Rows that cannot be in a file.
    private(set) var lostRows = 0
    /// Segments that hold such rows: they are kept.
    private(set) var unreadable: Set<SegmentID> = []

    init(_ reader: PlanReader) throws {
        try reader.forEachBatchWithOthers { batch, known, segment in
            OtherRow.forEach(batch, known) { found in
                guard let found else {
                    lostRows += 1
                    unreadable.insert(segment)
                    return
                }
                rowCount += 1
                byteCounts[found.part, default: [:]][found.row.series, default: 0] += found.row.byteCount
            }
        }
    }

    /// The groups of each pass, in the order of their files.
    func passes(_ order: SeriesOrder) -> [[Group]] {
        var passes: [[Group]] = []
        var passBytes = Int.max
        func add(_ part: Part, _ series: [UInt32], _ byteCount: Int) {
            guard !series.isEmpty else { return }
            if passBytes > Self.passByteLimit - byteCount {
                passes.append([])
                passBytes = 0
            }
            passes[passes.count - 1].append(Group(part: part, series: series))
            passBytes += byteCount
        }
        for (part, series) in byteCounts.sorted(by: { $0.key < $1.key }) {
            var (group, groupBytes): ([UInt32], Int) = ([], 0)
            for (number, byteCount) in series.sorted(by: { order.isInRowOrder($0.key, $1.key) }) {
                if groupBytes > Self.groupByteLimit - byteCount {
                    add(part, group, groupBytes)
                    (group, groupBytes) = ([], 0)
                }
                group.append(number)
                groupBytes += byteCount
            }
            add(part, group, groupBytes)
        }
        return passes
    }

    /// The rows of each group in order, equal ones joined; and how many were equal to another.
    static func collect(_ pass: [Group], _ reader: PlanReader) throws -> (rows: [[OtherRow]], duplicates: Int) {
        var places: [Part: [UInt32: (group: Int, place: Int)]] = [:]
        for (number, group) in pass.enumerated() {
            for (place, series) in group.series.enumerated() {
                places[group.part, default: [:]][series] = (number, place)
            }
        }
        var found = pass.map { _ in [(place: Int, row: OtherRow)]() }
        try reader.forEachBatchWithOthers { batch, known, _ in
            OtherRow.forEach(batch, known) { item in
                guard let item, let (group, place) = places[item.part]?[item.row.series] else { return }
                found[group].append((place, item.row))
            }
        }
        var duplicates = 0
        let rows = zip(pass, found).map { group, found in
            let isMetadata = group.part.content == .metadata
            let sorted = found.indices.sorted { left, right in
                let (a, b) = (found[left], found[right])
                if isMetadata, a.row.content != b.row.content {
                    return a.row.content.lexicographicallyPrecedes(b.row.content)
                }
                return (a.place, a.row.timestamp, left) < (b.place, b.row.timestamp, right)
            }
            let distinct = joined(sorted.map { found[$0].row }, isMetadata: isMetadata)
            duplicates += found.count - distinct.count
            return distinct
        }
        return (rows, duplicates)
    }

    /// Rows of equal content, series and timestamp once; of metadata the first of equal content.
    private static func joined(_ rows: [OtherRow], isMetadata: Bool) -> [OtherRow] {
        var distinct: [OtherRow] = []
        var seen: Set<[UInt8]> = []  // at the series and timestamp in work
        for row in rows {
            if let last = distinct.last, isMetadata || (last.series, last.timestamp) == (row.series, row.timestamp) {
                if !seen.insert(row.content).inserted { continue }
            } else {
                seen = [row.content]
            }
            distinct.append(row)
        }
        return distinct
    }
}
