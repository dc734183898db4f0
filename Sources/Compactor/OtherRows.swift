internal import Bytes
internal import Parquet
internal import RemoteWrite
internal import Samples
internal import WAL

/// A histogram, an exemplar or the metadata of a family: they have files of their own.
struct OtherRow {
    /// In the catalog; of metadata, which have none, a hash of the content: equal ones are together.
    let series: UInt32
    /// Milliseconds since 1970; of metadata when they came.
    let timestamp: Int64
    /// A histogram's message; of the others what `encode` makes of them.
    let content: [UInt8]
    /// Bytes in memory, about; of a histogram decoded.
    let byteCount: Int

    init(series: UInt32, timestamp: Int64, content: [UInt8], elementCount: Int = 0) {
        self.series = series
        self.timestamp = timestamp
        self.content = content
        byteCount = content.count + 64 + 8 * elementCount
    }

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
            // SAFETY: UInt8 has no padding; the batch's slices lie within its bytes.
            let message = unsafe batch.bytes.span.bytes.extracting(histogram.message.range)
            guard let (series, part) = home(.histograms, histogram.reference, histogram.timestamp),
                let elements = HistogramMessage.elementCount(message)
            else {
                try body(nil)
                continue
            }
            let row = OtherRow(
                series: series, timestamp: histogram.timestamp, content: [UInt8](message), elementCount: elements)
            try body((part, row))
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
            guard SampleTime.bounds.contains(time) else {
                try body(nil)
                continue
            }
            let content = encode(metadata, of: batch)
            // SAFETY: UInt8 has no padding.
            let hash = xxh3(unsafe content.span.bytes, seed: 0)
            let row = OtherRow(series: UInt32(hash % metadataSeriesCount), timestamp: time, content: content)
            try body((part, row))
        }
    }

    /// So many series metadata are spread over: where an hour's are more than a row group holds, each has some of them.
    private static let metadataSeriesCount: UInt64 = 65_536

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

    /// Family, help, unit, type.
    private static func encode(_ metadata: Batch.Metadata, of batch: Batch) -> [UInt8] {
        var writer = ByteWriter()
        for text in [metadata.family, metadata.help, metadata.unit] { append(text, of: batch, to: &writer) }
        writer.varint(UInt64(metadata.type))
        return writer.bytes
    }

    /// Of a row of metadata.
    private var family: ArraySlice<UInt8> {
        var reader = ByteReader(content.span)
        do throws(ByteError) {
            let family = try reader.lengthPrefixed()
            return content[reader.offset - family.byteCount..<reader.offset]
        } catch {
            preconditionFailure("encode wrote it")
        }
    }

    /// Whether the row of metadata stands before `other`: by family, as the file's footer says, then by the rest.
    func precedes(_ other: OtherRow) -> Bool {
        let (mine, theirs) = (family, other.family)
        return mine == theirs
            ? content.lexicographicallyPrecedes(other.content) : mine.lexicographicallyPrecedes(theirs)
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
        var metadata: Set<Hash128> = []
        try reader.forEachBatchWithOthers { batch, known, segment in
            OtherRow.forEach(batch, known) { found in
                guard let found else {
                    lostRows += 1
                    unreadable.insert(segment)
                    return
                }
                rowCount += 1
                if found.part.content == .metadata {
                    // SAFETY: UInt8 has no padding. Two that are taken for one cost some bytes more in memory.
                    let hash = Hash128(
                        of: unsafe found.row.content.span.bytes, seed: UInt64(bitPattern: found.part.hour))
                    if !metadata.insert(hash).inserted { return }
                }
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
            let isInOrder = part.content == .metadata ? { $0 < $1 } : order.isInRowOrder
            for (number, byteCount) in series.sorted(by: { isInOrder($0.key, $1.key) }) {
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
        var metadata: [Part: Set<[UInt8]>] = [:]
        var duplicates = 0
        try reader.forEachBatchWithOthers { batch, known, _ in
            OtherRow.forEach(batch, known) { item in
                guard let item, let (group, place) = places[item.part]?[item.row.series] else { return }
                // Each segment has all metadata again: the first of an hour is enough, and all that is kept.
                if item.part.content == .metadata,
                    !metadata[item.part, default: []].insert(item.row.content).inserted
                {
                    duplicates += 1
                } else {
                    found[group].append((place, item.row))
                }
            }
        }
        let rows = zip(pass, found).map { group, found in
            let isMetadata = group.part.content == .metadata
            let sorted = found.indices.sorted { left, right in
                let (a, b) = (found[left], found[right])
                if isMetadata { return a.row.precedes(b.row) }
                return (a.place, a.row.timestamp, left) < (b.place, b.row.timestamp, right)
            }
            let distinct = joined(sorted.map { found[$0].row })
            duplicates += found.count - distinct.count
            return distinct
        }
        return (rows, duplicates)
    }

    /// Rows of equal content, series and timestamp once.
    private static func joined(_ rows: [OtherRow]) -> [OtherRow] {
        var distinct: [OtherRow] = []
        var seen: Set<[UInt8]> = []  // at the series and timestamp in work
        for row in rows {
            if let last = distinct.last, (last.series, last.timestamp) == (row.series, row.timestamp) {
                if !seen.insert(row.content).inserted { continue }
            } else {
                seen = [row.content]
            }
            distinct.append(row)
        }
        return distinct
    }
}
