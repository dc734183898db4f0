internal import Bytes
internal import Snappy

/// One column chunk, decoded.
struct DecodedChunk {
    struct Page {
        let header: PageHeader
        /// Header and body, within the chunk.
        let bytes: Range<Int>
        let storedHeader: [UInt8]
        var rowCount = 0
    }

    var values = ColumnValues.int64([])
    var dictionaryPage: Page?
    var dataPages: [Page] = []

    /// In the order of the file.
    var pages: [Page] { (dictionaryPage.map { [$0] } ?? []) + dataPages }

    /// Rows of each data page.
    var pageRows: [Range<Int>] {
        var start = 0
        return dataPages.map { page in
            defer { start += page.rowCount }
            return start..<start + page.rowCount
        }
    }
}

/// Decodes the pages of one chunk. No input traps or allocates much more than it holds.
struct ColumnChunkReader {
    /// Rows of a row group at most, and values of a column; ours have 2^18 or 2^20 rows, and a page of a few bytes
    /// could claim 2^31.
    static let rowLimit = 1 << 24
    /// A Snappy element of 3 bytes gives 64 at most.
    private static let snappyRatioLimit = 22

    private let chunk: ColumnChunk
    private let bytes: [UInt8]
    private let column: Column
    private let rowCount: Int
    private var position = 0
    /// Values of each row, of a column that is not REQUIRED.
    private var counts: [UInt32] = []
    private var levels = Levels.Decoded()
    private var raw: [UInt8] = []
    private var decoded = DecodedChunk()

    static func decode(
        _ chunk: ColumnChunk, _ bytes: [UInt8], _ column: Column, rowCount: Int
    ) throws(ParquetError) -> DecodedChunk {
        var reader = ColumnChunkReader(chunk, bytes, column, rowCount)
        do throws(ParquetError) {
            try reader.decode()
        } catch {
            throw error.located(at: chunk.firstPageOffset + reader.position)
        }
        return reader.decoded
    }

    private init(_ chunk: ColumnChunk, _ bytes: [UInt8], _ column: Column, _ rowCount: Int) {
        self.chunk = chunk
        self.bytes = bytes
        self.column = column
        self.rowCount = rowCount
    }

    private mutating func decode() throws(ParquetError) {
        guard chunk.codec == .snappy || chunk.codec == .uncompressed else {
            throw ParquetError(.notSupported("\(chunk.codec)"))
        }
        guard rowCount <= Self.rowLimit, chunk.valueCount <= Self.rowLimit else {
            let size = max(rowCount, chunk.valueCount)
            throw ParquetError(.tooLarge(what: "row group", size: size, limit: Self.rowLimit))
        }
        guard chunk.valueCount == rowCount || column.isRepeated else {
            throw ParquetError(.corrupt("\(chunk.valueCount) values for \(rowCount) rows"))
        }
        if column.kind == .string { try decodeStrings() } else { try decodeNumbers() }
        if column.repetition != .required {
            guard counts.count == rowCount else {
                throw ParquetError(.corrupt("values of \(counts.count) rows for \(rowCount) rows"))
            }
            decoded.values = .nested(counts: counts, decoded.values)
        }
        guard position == bytes.count else { throw ParquetError(.corrupt("bytes after the last page of a column")) }
    }

    private mutating func decodeStrings() throws(ParquetError) {
        if let page = try dictionaryPage() {
            // Labels are the largest pages: they stay where they were inflated.
            var body: [UInt8] = []
            swap(&body, &raw)
            let entries = try ByteTable(plain: body, count: page.valueCount)
            decoded.values = .dictionary(entries: entries, indexes: try decodeIndexes(below: entries.count))
        } else {
            var table = ByteTable()
            try forEachDataPage { page, count, body throws(ParquetError) in
                guard page.encoding == .plain else { throw ParquetError(.notSupported("\(page.encoding) of strings")) }
                try table.append(plain: body, count: count)
            }
            decoded.values = .strings(table)
        }
    }

    private mutating func decodeNumbers() throws(ParquetError) {
        var numbers: [Int64] = []
        numbers.reserveCapacity(min(rowCount, WriterProfile.compact.rowGroupRowLimit))
        if let page = try dictionaryPage() {
            guard column.kind != .boolean else { throw ParquetError(.notSupported("a dictionary of booleans")) }
            var entries: [Int64] = []
            try withBody { body throws(ParquetError) in
                try PlainEncoding.decode(body, count: page.valueCount, into: &entries)
            }
            numbers = try decodeIndexes(below: entries.count).map { entries[Int($0)] }
        } else {
            let kind = column.kind
            try forEachDataPage { page, count, body throws(ParquetError) in
                switch page.encoding {
                case .plain where kind == .boolean: try PlainEncoding.decodeBits(body, count: count, into: &numbers)
                case .plain: try PlainEncoding.decode(body, count: count, into: &numbers)
                case .deltaBinaryPacked where kind != .boolean && kind != .double:
                    try DeltaBinaryPacked.decode(body, count: count, into: &numbers)
                default: throw ParquetError(.notSupported("\(page.encoding) of numbers"))
                }
            }
        }
        decoded.values = .int64(numbers)
    }

    private mutating func decodeIndexes(below limit: Int) throws(ParquetError) -> [UInt32] {
        var indexes: [UInt32] = []
        // As many as our row groups have: what a file claims beyond it, it must first have.
        let usual = WriterProfile.compact.rowGroupRowLimit * (column.isRepeated ? 4 : 1)
        indexes.reserveCapacity(min(chunk.valueCount, usual))
        try forEachDataPage { page, count, body throws(ParquetError) in
            guard page.encoding == .rleDictionary else {
                throw ParquetError(.notSupported("\(page.encoding) beside a dictionary"))
            }
            guard body.byteCount > 0 else { throw ParquetError(.corrupt("a page of indexes without their width")) }
            // SAFETY: byteCount > 0.
            let width = unsafe Int(body.unsafeLoad(fromUncheckedByteOffset: 0, as: UInt8.self))
            try HybridRLE.decode(
                body.extracting(droppingFirst: 1), width: width, count: count, below: limit, into: &indexes)
        }
        return indexes
    }

    /// The first page, with its body in `raw`, if the footer says that it is a dictionary.
    private mutating func dictionaryPage() throws(ParquetError) -> PageHeader? {
        guard chunk.dictionaryPageOffset != nil else { return nil }
        let page = try nextPage()
        guard page.header.type == .dictionary, page.header.encoding == .plain else {
            throw ParquetError(.corrupt("no dictionary page where the footer says one is"))
        }
        guard chunk.firstPageOffset + position == chunk.dataPageOffset else {
            throw ParquetError(.corrupt("the first data page is not where the footer says"))
        }
        decoded.dictionaryPage = page
        return page.header
    }

    /// Calls `body` with the header of each data page, how many values are there, and these.
    private mutating func forEachDataPage(
        _ body: (PageHeader, Int, RawSpan) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        var missing = chunk.valueCount
        while missing > 0 {
            var page = try nextPage()
            guard page.header.type == .data else { throw ParquetError(.corrupt("a page that is not of data")) }
            let count = page.header.valueCount
            guard count > 0, count <= missing else {
                throw ParquetError(.corrupt("a page of \(count) values where \(missing) are missing"))
            }
            page.rowCount = count
            if column.repetition == .required {
                try withBody { span throws(ParquetError) in try body(page.header, count, span) }
            } else {
                // Out of self, which the body's span borrows whole.
                var counts: [UInt32] = []
                var levels = Levels.Decoded()
                swap(&counts, &self.counts)
                swap(&levels, &self.levels)
                try withBody { span throws(ParquetError) in
                    let found = try Levels.decode(
                        span, count: count, isRepeated: column.isRepeated, &levels, into: &counts)
                    page.rowCount = found.rows
                    try body(page.header, found.values, span.extracting(droppingFirst: found.end))
                }
                swap(&counts, &self.counts)
                swap(&levels, &self.levels)
            }
            decoded.dataPages.append(page)
            missing -= count
        }
    }

    private func withBody(_ body: (RawSpan) throws(ParquetError) -> Void) throws(ParquetError) {
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        try body(unsafe raw.span.bytes)
    }

    /// Checks and inflates the page at `position` into `raw`.
    private mutating func nextPage() throws(ParquetError) -> DecodedChunk.Page {
        let start = position
        var reader = CompactReader(bytes, from: position, base: chunk.firstPageOffset)
        let header = try PageHeader(from: &reader)
        let bodyStart = reader.position
        guard header.compressedByteCount <= bytes.count - bodyStart else {
            throw ParquetError(.corrupt("a page longer than its column"))
        }
        let end = bodyStart + header.compressedByteCount
        try inflate(header, bodyStart..<end)
        position = end
        return DecodedChunk.Page(
            header: header, bytes: start..<end, storedHeader: [UInt8](bytes[start..<bodyStart]))
    }

    private mutating func inflate(_ header: PageHeader, _ range: Range<Int>) throws(ParquetError) {
        // Out of self, which a span of its own would borrow whole.
        let bytes = bytes
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        let stored = unsafe bytes.span.bytes.extracting(range)
        if let checksum = header.checksum, CRC32.of(stored) != checksum {
            throw ParquetError(.corrupt("the CRC of a page is not the one in its header"))
        }
        guard chunk.codec == .snappy else {
            guard range.count == header.uncompressedByteCount else {
                throw ParquetError(.corrupt("an uncompressed page of two sizes"))
            }
            raw = [UInt8](stored)
            return
        }
        guard header.uncompressedByteCount / Self.snappyRatioLimit <= range.count else {
            throw ParquetError(.corrupt("a page of \(range.count) bytes cannot hold \(header.uncompressedByteCount)"))
        }
        var inflated: [UInt8] = []
        swap(&inflated, &raw)
        do throws(SnappyError) {
            try Snappy.decompress(stored, limit: header.uncompressedByteCount, into: &inflated)
        } catch {
            throw ParquetError(.corrupt("a page is not a Snappy block of its size"))
        }
        guard inflated.count == header.uncompressedByteCount else {
            throw ParquetError(.corrupt("a page inflates to \(inflated.count) bytes"))
        }
        swap(&inflated, &raw)
    }
}
