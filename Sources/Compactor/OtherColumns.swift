internal import Bytes
internal import Parquet
internal import RemoteWrite

/// Turns rows of histograms, exemplars and metadata into the columns of their files (docs/formats/parquet.md).
struct OtherColumns {
    /// Bytes of the rows of a row group, and of the labels of their series, at most, one row excepted.
    private static let byteLimit = 8 << 20

    let content: Part.Content
    let series: NativeSeries
    let order: SeriesOrder
    let profile: WriterProfile

    /// Where the row group that begins at `start` ends.
    func rowGroupEnd(_ rows: [OtherRow], from start: Int, room: Int) -> Int {
        let limit = min(rows.count, start + min(profile.rowGroupRowLimit, room))
        var (bytes, labels) = (0, 0)
        for index in start..<limit {
            bytes += rows[index].byteCount
            if content != .metadata {
                labels += series.catalog.labelSet(rows[index].series).count
                if index == start || rows[index - 1].series != rows[index].series {
                    bytes += order.jsonByteCount(rows[index].series)
                }
            }
            if index > start, bytes > Self.byteLimit || labels > NativeSeries.labelLimit { return index }
        }
        return limit
    }

    func columns(_ rows: ArraySlice<OtherRow>) throws -> [ColumnValues] {
        let times = ColumnValues.int64(rows.map(\.timestamp))
        if content == .metadata { return try metadata(rows, times) }
        var spans: [SeriesSpan] = []
        for row in rows {
            if spans.last?.series == row.series {
                spans[spans.count - 1].count += 1
            } else {
                spans.append((row.series, 1))
            }
        }
        let values = try content == .histograms ? histograms(rows) : exemplars(rows)
        return [try series.metrics(spans), times] + values + (try series.columns(spans))
    }

    private func metadata(_ rows: ArraySlice<OtherRow>, _ times: ColumnValues) throws -> [ColumnValues] {
        var columns = [TextColumn](repeating: TextColumn(), count: 4)
        for row in rows {
            var reader = ByteReader(row.content.span)
            var texts: [[UInt8]] = []
            for _ in 0..<3 { texts.append([UInt8](try reader.lengthPrefixed())) }
            texts.append(Array(MetadataType.name(try reader.varint()).utf8))
            for (index, text) in texts.enumerated() { try columns[index].append(text) }
        }
        // Family, help, unit, type, as their rows have them.
        return [columns[0].values, times, columns[3].values, columns[2].values, columns[1].values]
    }

    private func exemplars(_ rows: ArraySlice<OtherRow>) throws -> [ColumnValues] {
        var values: [Int64] = []
        var (counts, names, texts): ([UInt32], TextColumn, TextColumn) = ([], TextColumn(), TextColumn())
        for row in rows {
            var reader = ByteReader(row.content.span)
            values.append(Int64(bitPattern: try reader.u64()))
            var count: UInt32 = 0
            while !reader.isAtEnd {
                try names.append([UInt8](try reader.lengthPrefixed()))
                try texts.append([UInt8](try reader.lengthPrefixed()))
                count += 1
            }
            counts.append(count)
        }
        return [.int64(values), .nested(counts: counts, names.values), .nested(counts: counts, texts.values)]
    }

    private func histograms(_ rows: ArraySlice<OtherRow>) throws -> [ColumnValues] {
        let messages = try rows.map { row in
            // The survey has read it.
            guard let message = HistogramMessage(row.content) else { throw CompactorError(reason: .unstable) }
            return message
        }
        func optional(_ value: (HistogramMessage) -> Int64?) -> ColumnValues {
            let values = messages.map(value)
            return .nested(counts: values.map { $0 == nil ? 0 : 1 }, .int64(values.compactMap(\.self)))
        }
        func list(_ values: (HistogramMessage) -> [Int64]) -> ColumnValues {
            let lists = messages.map(values)
            return .nested(counts: lists.map { UInt32($0.count) }, .int64(lists.flatMap(\.self)))
        }
        func buckets(_ side: (HistogramMessage) -> HistogramMessage.Buckets) -> [ColumnValues] {
            [
                list { side($0).spans.map { Int64($0.offset) } }, list { side($0).spans.map { Int64($0.length) } },
                list { Self.counts(side($0).deltas) }, list { side($0).counts.map(\.word) },
            ]
        }
        var hints = TextColumn()
        for message in messages { try hints.append(Array(ResetHint.name(message.resetHint).utf8)) }
        return [
            optional { $0.startTimestamp.isStart ? $0.startTimestamp : nil },
            .int64(messages.map { Int64($0.schema) }),
            optional { $0.floatCount == nil ? Int64(bitPattern: $0.count) : nil }, optional { $0.floatCount?.word },
            .int64(messages.map(\.sum.word)), .int64(messages.map(\.zeroThreshold.word)),
            optional { $0.floatCount == nil ? Int64(bitPattern: $0.zeroCount) : nil },
            optional { $0.floatCount == nil ? nil : ($0.floatZeroCount ?? 0).word }, hints.values,
        ] + buckets(\.positive) + buckets(\.negative) + [list { $0.customValues.map(\.word) }]
    }

    /// The number in each bucket, where the message has the difference to the bucket before. Wraps: no message is lost.
    private static func counts(_ deltas: [Int64]) -> [Int64] {
        var count: Int64 = 0
        return deltas.map { delta in
            count &+= delta
            return count
        }
    }
}

/// Texts as a column, entries in the order of first use.
private struct TextColumn {
    private var entries = ByteTable()
    private var indexOf: [[UInt8]: UInt32] = [:]
    private var indexes: [UInt32] = []

    var values: ColumnValues { .dictionary(entries: entries, indexes: indexes) }

    mutating func append(_ text: [UInt8]) throws(ParquetError) {
        let index = indexOf[text] ?? UInt32(entries.count)
        if index == entries.count {
            indexOf[text] = index
            try entries.append(text)
        }
        indexes.append(index)
    }
}
