internal import Bytes

/// One data page of a column.
struct PageContent: Equatable {
    let rows: Range<Int>
    /// Of the column's elements.
    let values: Range<Int>
    /// As `num_values` counts them: a row without a value counts, too.
    let valueCount: Int
    /// As they stand before the values; empty in a REQUIRED column.
    let levels: [UInt8]

    var nullCount: Int { valueCount - values.count }
}

/// Repetition and definition levels: which values make a row. All of ours are 0 or 1 (Dremel; parquet-format's README).
enum Levels {
    private static let width = 1
    private static let lengthByteCount = 4

    /// The pages of a column that end at the rows of `pages`.
    static func pages(of values: ColumnValues, _ pages: [Range<Int>], isRepeated: Bool) -> [PageContent] {
        guard let counts = values.counts else {
            return pages.map { PageContent(rows: $0, values: $0, valueCount: $0.count, levels: []) }
        }
        var start = 0
        return pages.map { rows in
            var repetition: [UInt32] = []
            var definition: [UInt32] = []
            var end = start
            for count in counts[rows] {
                repetition.append(0)
                definition.append(count == 0 ? 0 : 1)
                for _ in 1..<max(1, count) {
                    repetition.append(1)
                    definition.append(1)
                }
                end += Int(count)
            }
            defer { start = end }
            var levels: [UInt8] = []
            if isRepeated { append(repetition, to: &levels) }
            append(definition, to: &levels)
            return PageContent(rows: rows, values: start..<end, valueCount: definition.count, levels: levels)
        }
    }

    /// Behind their length, a u32 LE.
    private static func append(_ levels: [UInt32], to output: inout [UInt8]) {
        var encoded: [UInt8] = []
        HybridRLE.encode(levels.span, width: width, into: &encoded)
        for byte in 0..<lengthByteCount { output.append(UInt8(truncatingIfNeeded: encoded.count >> (8 * byte))) }
        output += encoded
    }

    /// Takes the levels of a page of `count` values from the front of `body`, and adds its rows to `counts`.
    /// - Returns: rows, values that are there, and where these begin.
    static func decode(
        _ body: RawSpan, count: Int, isRepeated: Bool, into counts: inout [UInt32]
    ) throws(ParquetError) -> (rows: Int, values: Int, end: Int) {
        var end = 0
        let repetition = isRepeated ? try take(body, from: &end, count) : [UInt32](repeating: 0, count: count)
        let definition = try take(body, from: &end, count)
        guard repetition.first == 0 else { throw ParquetError(.notSupported("a row over two pages")) }
        let before = counts.count
        for (isMore, isDefined) in zip(repetition, definition) {
            if isMore == 0 {
                counts.append(isDefined)
            } else {
                guard isDefined == 1, counts[counts.count - 1] > 0 else {
                    throw ParquetError(.corrupt("a list goes on without a value"))
                }
                counts[counts.count - 1] += 1
            }
        }
        return (counts.count - before, Int(definition.reduce(0, +)), end)
    }

    private static func take(
        _ body: RawSpan, from start: inout Int, _ count: Int
    ) throws(ParquetError) -> [UInt32] {
        guard body.byteCount - start >= lengthByteCount else {
            throw ParquetError(.corrupt("a page without its levels"))
        }
        // SAFETY: four bytes from start are within the page.
        let length = unsafe Int(body.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt32.self).littleEndian)
        start += lengthByteCount
        guard length <= body.byteCount - start else { throw ParquetError(.corrupt("levels longer than their page")) }
        var levels: [UInt32] = []
        levels.reserveCapacity(count)
        try HybridRLE.decode(
            body.extracting(start..<start + length), width: width, count: count, below: 2, into: &levels)
        start += length
        return levels
    }
}
