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
        var list: [UInt32] = []  // its memory goes from page to page
        return pages.map { rows in
            let end = counts[rows].reduce(start) { $0 + Int($1) }
            defer { start = end }
            // A row without a value has levels, too.
            let levelCount = counts[rows].reduce(0) { $0 + Int(max(1, $1)) }
            var levels: [UInt8] = []
            if isRepeated {
                list.removeAll(keepingCapacity: true)
                list.append(addingCapacity: levelCount) { repetition in
                    for count in counts[rows] {
                        repetition.append(0)
                        repetition.append(repeating: 1, count: Int(max(1, count)) - 1)
                    }
                }
                append(list, to: &levels)
            }
            list.removeAll(keepingCapacity: true)
            list.append(addingCapacity: levelCount) { definition in
                for count in counts[rows] {
                    definition.append(repeating: count == 0 ? 0 : 1, count: Int(max(1, count)))
                }
            }
            append(list, to: &levels)
            return PageContent(rows: rows, values: start..<end, valueCount: levelCount, levels: levels)
        }
    }

    /// Behind their length, a u32 LE.
    private static func append(_ levels: [UInt32], to output: inout [UInt8]) {
        var encoded: [UInt8] = []
        HybridRLE.encode(levels.span, width: width, into: &encoded)
        for byte in 0..<lengthByteCount { output.append(UInt8(truncatingIfNeeded: encoded.count >> (8 * byte))) }
        output += encoded
    }

    /// Those of a page, whose memory the next one uses again.
    struct Decoded {
        fileprivate var repetition: [UInt32] = []
        fileprivate var definition: [UInt32] = []
    }

    /// Takes the levels of a page of `count` values from the front of `body`, and adds its rows to `counts`.
    /// - Returns: rows, values that are there, and where these begin.
    static func decode(
        _ body: RawSpan, count: Int, isRepeated: Bool, _ levels: inout Decoded, into counts: inout [UInt32]
    ) throws(ParquetError) -> (rows: Int, values: Int, end: Int) {
        var end = 0
        levels.repetition.removeAll(keepingCapacity: true)
        if isRepeated {
            try take(body, from: &end, count, into: &levels.repetition)
        } else {
            levels.repetition.append(contentsOf: repeatElement(0, count: count))
        }
        try take(body, from: &end, count, into: &levels.definition)
        guard levels.repetition.first == 0 else { throw ParquetError(.notSupported("a row over two pages")) }
        let before = counts.count
        var valueCount: UInt32 = 0  // of the row in work
        for (index, (isMore, isDefined)) in zip(levels.repetition, levels.definition).enumerated() {
            if isMore == 0 {
                if index > 0 { counts.append(valueCount) }
                valueCount = isDefined
            } else {
                guard isDefined == 1, valueCount > 0 else {
                    throw ParquetError(.corrupt("a list goes on without a value"))
                }
                valueCount += 1
            }
        }
        counts.append(valueCount)
        return (counts.count - before, levels.definition.reduce(0) { $0 + Int($1) }, end)
    }

    private static func take(
        _ body: RawSpan, from start: inout Int, _ count: Int, into levels: inout [UInt32]
    ) throws(ParquetError) {
        guard body.byteCount - start >= lengthByteCount else {
            throw ParquetError(.corrupt("a page without its levels"))
        }
        // SAFETY: four bytes from start are within the page.
        let length = unsafe Int(body.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt32.self).littleEndian)
        start += lengthByteCount
        guard length <= body.byteCount - start else { throw ParquetError(.corrupt("levels longer than their page")) }
        levels.removeAll(keepingCapacity: true)
        try HybridRLE.decode(
            body.extracting(start..<start + length), width: width, count: count, below: 2, into: &levels)
        start += length
    }
}
