/// Where the data pages of a row group end: at the same row in every column, since readers that skip pages by the
/// column index have mixed up rows where they did not (parquet-java#3747).
enum PagePlan {
    /// Row ranges: each at most `pageRowLimit` rows, and at most `pageByteLimit` raw bytes in any column unless it is
    /// a single row.
    static func pages(
        of values: [ColumnValues], in schema: Schema, rowCount: Int, _ options: WriterOptions
    ) -> [Range<Int>] {
        // Numbers take 8 bytes, indexes 4 at most.
        let rowLimit = max(1, min(options.pageRowLimit, options.pageByteLimit / 8))
        var pages: [Range<Int>] = []
        var start = 0
        while start < rowCount {
            var end = min(start + rowLimit, rowCount)
            for (column, values) in zip(schema.columns, values) {
                switch values {
                case .strings(let table): end = lastEnd(table, from: start, to: end, byteLimit: options.pageByteLimit)
                case .dictionary(let entries, let indexes) where column.encoding != .dictionary:
                    end = lastEnd(entries, indexes.span, from: start, to: end, byteLimit: options.pageByteLimit)
                case .nested(let counts, _):
                    end = lastEnd(counts, from: start, to: end, valueLimit: options.pageByteLimit / 8)
                default: break
                }
            }
            pages.append(start..<end)
            start = end
        }
        return pages
    }

    /// The largest end in `start + 1...end` whose rows have at most `valueLimit` values. Of strings without dictionary
    /// the bytes are not looked at: no such column of ours is nested.
    private static func lastEnd(_ counts: [UInt32], from start: Int, to end: Int, valueLimit: Int) -> Int {
        var valueCount = 0
        for row in start..<end {
            valueCount += max(1, Int(counts[row]))
            if valueCount > valueLimit { return max(row, start + 1) }
        }
        return end
    }

    /// The largest end in `start + 1...end` whose strings take at most `byteLimit` bytes in PLAIN.
    private static func lastEnd(_ table: ByteTable, from start: Int, to end: Int, byteLimit: Int) -> Int {
        var (fits, fails) = (start + 1, end + 1)
        while fits + 1 < fails {
            let middle = (fits + fails) / 2
            if table.plainByteCount(start..<middle) <= byteLimit { fits = middle } else { fails = middle }
        }
        return fits
    }

    /// As above; row `i` is `entries[indexes[i]]`.
    private static func lastEnd(
        _ entries: ByteTable, _ indexes: Span<UInt32>, from start: Int, to end: Int, byteLimit: Int
    ) -> Int {
        var byteCount = 0
        for row in start..<end {
            byteCount += entries.length(Int(indexes[row])) + ByteTable.lengthByteCount
            if byteCount > byteLimit { return max(row, start + 1) }
        }
        return end
    }
}
