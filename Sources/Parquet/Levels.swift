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

/// Repetition and definition levels: which values make a row (Dremel; parquet-format's README). All of ours are 0 or 1;
/// others have definition levels up to 3, where a list and what is in it may be null.
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

    /// Values of each row; where these may be null, whether each is one (a 1) or not.
    struct Counts {
        var rows: [UInt32] = []
        var elements: [UInt32] = []
    }

    /// Takes the levels of a page from the front of `body`, and adds its rows to `counts`.
    /// - Returns: rows, values that are there, and where these begin.
    static func decode(
        _ body: RawSpan, _ page: PageHeader, _ column: Column, _ levels: inout Decoded, into counts: inout Counts
    ) throws(ParquetError) -> (rows: Int, values: Int, end: Int) {
        // fastparquet names BIT_PACKED where there are no repetition levels.
        guard page.levelEncodings[0] == .rle, !column.isRepeated || page.levelEncodings[1] == .rle else {
            throw ParquetError(.notSupported("levels that are BIT_PACKED"))
        }
        var end = 0
        let stated = page.levelByteCounts
        let definitionLimit = column.definitionLimit
        levels.repetition.removeAll(keepingCapacity: true)
        if column.isRepeated {
            try take(body, from: &end, stated?.repetition, page.valueCount, limit: 1, into: &levels.repetition)
        } else {
            levels.repetition.append(contentsOf: repeatElement(0, count: page.valueCount))
        }
        try take(
            body, from: &end, stated?.definition, page.valueCount, limit: definitionLimit, into: &levels.definition)
        guard levels.repetition.first == 0 else { throw ParquetError(.notSupported("a row over two pages")) }
        let listed = UInt32(definitionLimit - (column.isElementOptional ? 1 : 0))
        let before = counts.rows.count
        var (valueCount, elementCount) = (0, UInt32(0))  // of the page, of the row in work
        for (index, (isMore, level)) in zip(levels.repetition, levels.definition).enumerated() {
            let isListed: UInt32 = level >= listed ? 1 : 0
            if isMore == 0 {
                if index > 0 { counts.rows.append(elementCount) }
                elementCount = isListed
            } else {
                guard isListed == 1, elementCount > 0 else {
                    throw ParquetError(.corrupt("a list goes on without a value"))
                }
                elementCount += 1
            }
            let isValue = level == definitionLimit
            if isValue { valueCount += 1 }
            if column.isElementOptional, isListed == 1 { counts.elements.append(isValue ? 1 : 0) }
        }
        counts.rows.append(elementCount)
        return (counts.rows.count - before, valueCount, end)
    }

    /// - Parameter length: in a page of version 2; in others it stands before the levels.
    private static func take(
        _ body: RawSpan, from start: inout Int, _ length: Int?, _ count: Int, limit: Int, into levels: inout [UInt32]
    ) throws(ParquetError) {
        let length = if let length { length } else { try Self.length(body, &start) }
        guard length <= body.byteCount - start else { throw ParquetError(.corrupt("levels longer than their page")) }
        levels.removeAll(keepingCapacity: true)
        try HybridRLE.decode(
            body.extracting(start..<start + length), width: HybridRLE.width(ofDictionary: limit + 1), count: count,
            below: limit + 1, into: &levels)
        start += length
    }

    /// A u32 LE.
    static func length(_ body: RawSpan, _ start: inout Int) throws(ParquetError) -> Int {
        guard body.byteCount - start >= lengthByteCount else {
            throw ParquetError(.corrupt("a page without its levels"))
        }
        // SAFETY: four bytes from start are within the page.
        let length = unsafe Int(body.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt32.self).littleEndian)
        start += lengthByteCount
        return length
    }
}

extension Column {
    /// Of a value that is there.
    var definitionLimit: Int {
        guard isRepeated else { return repetition == .optional ? 1 : 0 }
        return 1 + (isGroupOptional ? 1 : 0) + (isElementOptional ? 1 : 0)
    }
}
