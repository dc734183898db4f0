internal import Bytes
internal import Snappy

/// One column chunk, decoded.
struct DecodedChunk {
    struct Page {
        let header: PageHeader
        /// Header and body, within the chunk.
        let bytes: Range<Int>
        let storedHeader: [UInt8]
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
            defer { start += page.header.valueCount }
            return start..<start + page.header.valueCount
        }
    }
}

/// Decodes the pages of one chunk of a REQUIRED flat column. No input traps or allocates much more than it holds.
struct ColumnChunkReader {
    /// Rows of a row group at most; ours have 2^18 or 2^20, and a page of a few bytes could claim 2^31.
    static let rowLimit = 1 << 24
    /// A Snappy element of 3 bytes gives 64 at most.
    private static let snappyRatioLimit = 22

    private let chunk: ColumnChunk
    private let bytes: [UInt8]
    private let rowCount: Int
    private var position = 0
    private var raw: [UInt8] = []
    private var decoded = DecodedChunk()

    static func decode(_ chunk: ColumnChunk, _ bytes: [UInt8], rowCount: Int) throws(ParquetError) -> DecodedChunk {
        var reader = ColumnChunkReader(chunk, bytes, rowCount)
        do throws(ParquetError) {
            try reader.decode()
        } catch {
            throw error.located(at: chunk.firstPageOffset + reader.position)
        }
        return reader.decoded
    }

    private init(_ chunk: ColumnChunk, _ bytes: [UInt8], _ rowCount: Int) {
        self.chunk = chunk
        self.bytes = bytes
        self.rowCount = rowCount
    }

    private mutating func decode() throws(ParquetError) {
        guard chunk.codec == .snappy || chunk.codec == .uncompressed else {
            throw ParquetError(.notSupported("\(chunk.codec)"))
        }
        guard rowCount <= Self.rowLimit else {
            throw ParquetError(.tooLarge(what: "row group", size: rowCount, limit: Self.rowLimit))
        }
        guard chunk.valueCount == rowCount else {
            throw ParquetError(.corrupt("\(chunk.valueCount) values for \(rowCount) rows"))
        }
        switch chunk.type {
        case .byteArray: try decodeStrings()
        case .int64: try decodeNumbers()
        default: throw ParquetError(.notSupported("physical type \(chunk.type.rawValue)"))
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
            try forEachDataPage { page, body throws(ParquetError) in
                guard page.encoding == .plain else { throw ParquetError(.notSupported("\(page.encoding) of strings")) }
                try table.append(plain: body, count: page.valueCount)
            }
            decoded.values = .strings(table)
        }
    }

    private mutating func decodeNumbers() throws(ParquetError) {
        var numbers: [Int64] = []
        numbers.reserveCapacity(min(rowCount, WriterProfile.compact.rowGroupRowLimit))
        if let page = try dictionaryPage() {
            var entries: [Int64] = []
            try withBody { body throws(ParquetError) in
                try PlainEncoding.decode(body, count: page.valueCount, into: &entries)
            }
            numbers = try decodeIndexes(below: entries.count).map { entries[Int($0)] }
        } else {
            try forEachDataPage { page, body throws(ParquetError) in
                switch page.encoding {
                case .plain: try PlainEncoding.decode(body, count: page.valueCount, into: &numbers)
                case .deltaBinaryPacked: try DeltaBinaryPacked.decode(body, count: page.valueCount, into: &numbers)
                default: throw ParquetError(.notSupported("\(page.encoding) of numbers"))
                }
            }
        }
        decoded.values = .int64(numbers)
    }

    private mutating func decodeIndexes(below limit: Int) throws(ParquetError) -> [UInt32] {
        var indexes: [UInt32] = []
        // Our row groups at most: what a file claims beyond it, it must first have.
        indexes.reserveCapacity(min(rowCount, WriterProfile.compact.rowGroupRowLimit))
        try forEachDataPage { page, body throws(ParquetError) in
            guard page.encoding == .rleDictionary else {
                throw ParquetError(.notSupported("\(page.encoding) beside a dictionary"))
            }
            guard body.byteCount > 0 else { throw ParquetError(.corrupt("a page of indexes without their width")) }
            // SAFETY: byteCount > 0.
            let width = unsafe Int(body.unsafeLoad(fromUncheckedByteOffset: 0, as: UInt8.self))
            try HybridRLE.decode(
                body.extracting(droppingFirst: 1), width: width, count: page.valueCount, below: limit, into: &indexes)
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

    private mutating func forEachDataPage(
        _ body: (PageHeader, RawSpan) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        var missing = rowCount
        while missing > 0 {
            let page = try nextPage()
            guard page.header.type == .data else { throw ParquetError(.corrupt("a page that is not of data")) }
            guard page.header.valueCount > 0, page.header.valueCount <= missing else {
                throw ParquetError(.corrupt("a page of \(page.header.valueCount) values where \(missing) are missing"))
            }
            decoded.dataPages.append(page)
            try withBody { span throws(ParquetError) in try body(page.header, span) }
            missing -= page.header.valueCount
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
