internal import Bytes
internal import Parquet

/// Turns a run of collected rows into the columns of the layout (docs/formats/parquet.md).
struct RowGroupColumns {
    let part: Part
    let catalog: SeriesCatalog
    let order: SeriesOrder
    let clusterName: String
    let cloudAccountID: String
    let profile: WriterProfile
    let layout: TableLayout
    let promotedLabels: [String]
    /// Whether a label of this name stays; nil = all stay.
    let keepsLabel: (@Sendable (RawSpan) -> Bool)?

    /// Columns of the rows `rows` of `collected`.
    func columns(_ collected: RowCollector, rows: Range<Int>) throws -> [ColumnValues] {
        let spans = seriesSpans(collected, rows)
        switch layout {
        case .cloudzero: return try cloudzero(collected, rows, spans)
        case .native:
            let series = NativeSeries(catalog: catalog, promotedLabels: promotedLabels, keepsLabel: keepsLabel)
            let values = collected.values(rows)
            return [
                try series.metrics(spans), .int64(collected.timestamps(rows)), .int64(values),
                .int64(values.map { $0 == Self.staleMarker ? 1 : 0 }), collected.startTimestamps(rows),
            ] + (try series.columns(spans))
        }
    }

    /// The NaN by which Prometheus says that a series has ended (model/value/value.go).
    private static let staleMarker: Int64 = 0x7FF0_0000_0000_0002

    private func cloudzero(
        _ collected: RowCollector, _ rows: Range<Int>, _ spans: [SeriesSpan]
    ) throws -> [ColumnValues] {
        let time = part.time
        let constants = [
            clusterName, cloudAccountID, CivilTime.padded(time.year, 4), CivilTime.padded(time.month, 2),
            CivilTime.padded(time.day, 2), CivilTime.padded(time.hour, 2),
        ]
        let firstEntry = [UInt32](repeating: 0, count: rows.count)
        var columns: [ColumnValues] = try constants.map {
            .dictionary(entries: try ByteTable([Array($0.utf8)]), indexes: firstEntry)
        }
        columns.append(try symbols(spans, rows.count) { catalog.metric[Int($0)] })
        columns.append(try symbols(spans, rows.count) { catalog.node[Int($0)] })
        columns.append(.int64(collected.createdAt(rows)))
        columns.append(.int64(collected.timestamps(rows)))
        columns.append(try labels(spans, rows.count))
        columns.append(try DecimalText.column(collected.values(rows)))
        return columns
    }

    /// Raw bytes of the labels of a row group at most, one label set excepted: they are in memory whole. With ten
    /// samples a series a row group has less.
    private var labelByteLimit: Int { profile.dictionaryByteLimit * 3 / 8 }

    /// Where the row group that begins at `start` ends: `room` and the limits of rows, of label bytes and, where labels
    /// are a map, of its elements hold.
    func rowGroupEnd(_ collected: RowCollector, from start: Int, room: Int) -> Int {
        let limit = min(collected.rowCount, start + min(profile.rowGroupRowLimit, room))
        var byteCount = 0
        var labelRoom = NativeSeries.labelLimit
        var end = start
        for span in seriesSpans(collected, start..<limit) {
            byteCount += order.jsonByteCount(span.series) + 4  // with its length
            if end > start, byteCount > labelByteLimit { break }
            let labels = layout == .cloudzero ? 0 : catalog.labelSet(span.series).count
            let count = labels == 0 ? span.count : min(span.count, max(end == start ? 1 : 0, labelRoom / labels))
            end += count
            if count < span.count { break }
            labelRoom -= count * labels
        }
        return end
    }

    /// The series of `rows`, and how many rows each has there.
    private func seriesSpans(_ collected: RowCollector, _ rows: Range<Int>) -> [SeriesSpan] {
        var spans: [SeriesSpan] = []
        var start = 0
        for (series, end) in zip(collected.series, collected.ends) {
            let count = min(end, rows.upperBound) - max(start, rows.lowerBound)
            if count > 0 { spans.append((series, count)) }
            start = end
            if start >= rows.upperBound { break }
        }
        return spans
    }

    /// A column of one symbol a series.
    private func symbols(_ spans: [SeriesSpan], _ rowCount: Int, _ symbol: (UInt32) -> UInt32) throws -> ColumnValues {
        var column = SymbolColumn(catalog, reserving: rowCount)
        for span in spans { try column.append(symbol(span.series), count: span.count) }
        return column.values
    }

    /// One entry a series, in entity order (parquet.md §6).
    private func labels(_ spans: [SeriesSpan], _ rowCount: Int) throws -> ColumnValues {
        let entityOrder = spans.indices.sorted { order.isInEntityOrder(spans[$0].series, spans[$1].series) }
        var entries = ByteTable(
            reserving: spans.count, bytes: spans.reduce(0) { $0 + order.jsonByteCount($1.series) })
        var indexOfSpan = [UInt32](repeating: 0, count: spans.count)
        var keptNames: [UInt32: Bool] = [:]
        var indexOfSet: [[UInt8]: UInt32] = [:]  // series differ, but not always in the labels that stay
        for span in entityOrder {
            let series = spans[span].series
            if keepsLabel == nil {
                indexOfSpan[span] = UInt32(entries.count)
                try entries.append { order.appendJSON(series, to: &$0) }
                continue
            }
            var json: [UInt8] = []
            catalog.appendJSON(series, to: &json) { keeps($0, &keptNames) }
            if let known = indexOfSet[json] {
                indexOfSpan[span] = known
                continue
            }
            indexOfSpan[span] = UInt32(entries.count)
            indexOfSet[json] = UInt32(entries.count)
            try entries.append(json)
        }
        var indexes: [UInt32] = []
        indexes.append(addingCapacity: rowCount) { room in
            for (position, span) in spans.enumerated() {
                room.append(repeating: indexOfSpan[position], count: span.count)
            }
        }
        return .dictionary(entries: entries, indexes: indexes)
    }

    private func keeps(_ name: UInt32, _ known: inout [UInt32: Bool]) -> Bool {
        guard let keepsLabel else { return true }
        if let kept = known[name] { return kept }
        let text = Array(catalog.text(name))
        // SAFETY: UInt8 has no padding.
        let kept = unsafe keepsLabel(text.span.bytes)
        known[name] = kept
        return kept
    }
}
