internal import Bytes

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
    /// Whether bytes follow the values of a PLAIN page, as in pages of fastparquet.
    var hasSlack = false

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

/// Decodes the pages of one chunk. No input traps; what is allocated is bounded by what the chunk holds, and for what
/// a few bytes may claim, runs of equal values and pages that Zstandard or gzip made, by the limits here and of
/// `PageInflation`.
struct ColumnChunkReader {
    /// Rows of a row group at most; ours have 2^18 or 2^20, and a run of a few bytes could claim 2^31.
    static let rowLimit = 1 << 22
    /// Of a list or map; ours have as many elements as there may be rows.
    private static let valueLimit = 2 * rowLimit

    private let chunk: ColumnChunk
    private let bytes: [UInt8]
    private let column: Column
    private let rowCount: Int
    private var position = 0
    /// Values of each row, of a column that is not REQUIRED.
    private var counts = Levels.Counts()
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
        let valueLimit = column.isRepeated ? Self.valueLimit : Self.rowLimit
        guard rowCount <= Self.rowLimit, chunk.valueCount <= valueLimit else {
            let size = max(rowCount, chunk.valueCount)
            throw ParquetError(.tooLarge(what: "row group", size: size, limit: Self.rowLimit))
        }
        guard chunk.valueCount == rowCount || column.isRepeated else {
            throw ParquetError(.corrupt("\(chunk.valueCount) values for \(rowCount) rows"))
        }
        if column.kind == .string { try decodeStrings() } else { try decodeNumbers() }
        if column.repetition != .required {
            guard counts.rows.count == rowCount else {
                throw ParquetError(.corrupt("values of \(counts.rows.count) rows for \(rowCount) rows"))
            }
            if column.isElementOptional { decoded.values = .nested(counts: counts.elements, decoded.values) }
            decoded.values = .nested(counts: counts.rows, decoded.values)
        }
        guard position == bytes.count else { throw ParquetError(.corrupt("bytes after the last page of a column")) }
    }

    /// Indexes to make room for: as many as our row groups have. What a file claims beyond it, it must first have.
    private var expectedCount: Int {
        min(chunk.valueCount, WriterProfile.compact.rowGroupRowLimit * (column.isRepeated ? 4 : 1))
    }

    private mutating func decodeStrings() throws(ParquetError) {
        var table = ByteTable()
        var indexes: [UInt32]?
        if let page = try dictionaryPage() {
            // Labels are the largest pages: they stay where they were inflated.
            var body: [UInt8] = []
            swap(&body, &raw)
            table = try ByteTable(plain: body, count: page.valueCount)
            indexes = []
            indexes?.reserveCapacity(expectedCount)
        }
        let entryCount = table.count
        var hasSlack = false
        try forEachDataPage { page, count, body throws(ParquetError) in
            let start = table.count
            switch page.encoding {
            case .plain: if try table.append(plain: body, count: count) < body.byteCount { hasSlack = true }
            case .deltaLengthByteArray: try table.append(deltaLength: body, count: count)
            case .deltaByteArray: try table.append(deltaPrefix: body, count: count)
            case .rleDictionary, .plainDictionary:
                guard indexes != nil else { throw ParquetError(.corrupt("indexes without a dictionary")) }
                // Out of its optional for the call, so that it is not copied.
                var found: [UInt32] = []
                swap(&found, &indexes!)
                try Self.decodeIndexes(body, count: count, below: entryCount, into: &found)
                swap(&found, &indexes!)
            default: throw ParquetError(.notSupported("\(page.encoding) of strings"))
            }
            // A dictionary that became too large is followed by pages without: their strings are entries, too.
            if start < table.count { indexes?.append(contentsOf: UInt32(start)..<UInt32(table.count)) }
        }
        decoded.hasSlack = hasSlack
        decoded.values = indexes.map { .dictionary(entries: table, indexes: $0) } ?? .strings(table)
    }

    private mutating func decodeNumbers() throws(ParquetError) {
        var numbers: [Int64] = []
        numbers.reserveCapacity(expectedCount)
        let (kind, type) = (column.kind, column.physicalType)
        var entries: [Int64]?
        if let page = try dictionaryPage() {
            guard kind != .boolean else { throw ParquetError(.notSupported("a dictionary of booleans")) }
            var values: [Int64] = []
            try withBody { body throws(ParquetError) in
                try PlainEncoding.decode(body, type, count: page.valueCount, into: &values)
            }
            entries = values
        }
        var indexes: [UInt32] = []
        var hasSlack = false
        try forEachDataPage { page, count, body throws(ParquetError) in
            switch page.encoding {
            case .plain:
                let byteCount = kind == .boolean ? (count + 7) / 8 : count * type.byteCount
                hasSlack = hasSlack || body.byteCount > byteCount
                let plain = body.extracting(first: min(byteCount, body.byteCount))
                if kind == .boolean {
                    try PlainEncoding.decodeBits(plain, count: count, into: &numbers)
                } else {
                    try PlainEncoding.decode(plain, type, count: count, into: &numbers)
                }
            case .rle where kind == .boolean: try Self.decodeRuns(body, count: count, into: &numbers)
            case .byteStreamSplit where kind != .boolean:
                try PlainEncoding.decodeSplit(body, type, count: count, into: &numbers)
            case .deltaBinaryPacked where type == .int64:
                try DeltaBinaryPacked.decode(body, count: count, into: &numbers)
            case .deltaBinaryPacked where type == .int32:
                var wide: [Int64] = []
                try DeltaBinaryPacked.decode(body, count: count, into: &wide)
                for value in wide { numbers.append(Int64(Int32(truncatingIfNeeded: value))) }
            case .rleDictionary, .plainDictionary:
                guard let entries else { throw ParquetError(.corrupt("indexes without a dictionary")) }
                indexes.removeAll(keepingCapacity: true)
                try Self.decodeIndexes(body, count: count, below: entries.count, into: &indexes)
                for index in indexes { numbers.append(entries[Int(index)]) }
            default: throw ParquetError(.notSupported("\(page.encoding) of numbers"))
            }
        }
        decoded.hasSlack = hasSlack
        decoded.values = .int64(numbers)
    }

    private static func decodeIndexes(
        _ body: RawSpan, count: Int, below limit: Int, into indexes: inout [UInt32]
    ) throws(ParquetError) {
        guard body.byteCount > 0 else { throw ParquetError(.corrupt("a page of indexes without their width")) }
        // SAFETY: byteCount > 0.
        let width = unsafe Int(body.unsafeLoad(fromUncheckedByteOffset: 0, as: UInt8.self))
        try HybridRLE.decode(
            body.extracting(droppingFirst: 1), width: width, count: count, below: limit, into: &indexes)
    }

    /// Booleans behind the length of their runs.
    private static func decodeRuns(_ body: RawSpan, count: Int, into numbers: inout [Int64]) throws(ParquetError) {
        var start = 0
        guard try Levels.length(body, &start) == body.byteCount - start else {
            throw ParquetError(.corrupt("booleans of another length than their page"))
        }
        var values: [UInt32] = []
        try HybridRLE.decode(body.extracting(droppingFirst: start), width: 1, count: count, below: 2, into: &values)
        for value in values { numbers.append(Int64(value)) }
    }

    /// The first page, with its body in `raw`, if the footer says that it is a dictionary.
    private mutating func dictionaryPage() throws(ParquetError) -> PageHeader? {
        guard chunk.dictionaryPageOffset != nil else { return nil }
        let page = try nextPage()
        let isOld = page.header.encoding == .plainDictionary && chunk.encodings.contains(.plainDictionary)
        guard page.header.type == .dictionary, page.header.encoding == .plain || isOld else {
            throw ParquetError(.corrupt("no dictionary page where the footer says one is"))
        }
        guard chunk.firstPageOffset + position == chunk.dataPageOffset else {
            throw ParquetError(.corrupt("the first data page is not where the footer says"))
        }
        decoded.dictionaryPage = page
        return page.header
    }

    /// Calls `body` with the header of each data page that has values, how many these are, and these.
    private mutating func forEachDataPage(
        _ body: (PageHeader, Int, RawSpan) throws(ParquetError) -> Void
    ) throws(ParquetError) {
        var missing = chunk.valueCount
        while missing > 0 {
            var page = try nextPage()
            guard page.header.type == .data || page.header.type == .dataV2 else {
                throw ParquetError(.corrupt("a page that is not of data"))
            }
            let count = page.header.valueCount
            guard count > 0, count <= missing else {
                throw ParquetError(.corrupt("a page of \(count) values where \(missing) are missing"))
            }
            guard chunk.encodings.contains(page.header.encoding) else {
                throw ParquetError(.corrupt("a page in \(page.header.encoding), which the footer does not name"))
            }
            page.rowCount = count
            if column.repetition == .required {
                let end = page.header.levelByteCounts.map { $0.repetition + $0.definition } ?? 0
                try withBody { span throws(ParquetError) in
                    try body(page.header, count, span.extracting(droppingFirst: end))
                }
            } else {
                // Out of self, which the body's span borrows whole.
                var counts = Levels.Counts()
                var levels = Levels.Decoded()
                swap(&counts, &self.counts)
                swap(&levels, &self.levels)
                try withBody { span throws(ParquetError) in
                    let found = try Levels.decode(span, page.header, column, &levels, into: &counts)
                    page.rowCount = found.rows
                    guard found.values > 0 else { return }  // such a page may leave out what would come before them
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
        // Out of self, which a span of its own would borrow whole.
        let bytes = bytes
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        let stored = unsafe bytes.span.bytes.extracting(bodyStart..<end)
        if let checksum = header.checksum, CRC32.of(stored) != checksum {
            throw ParquetError(.corrupt("the CRC of a page is not the one in its header"))
        }
        try PageInflation.inflate(stored, header, chunk.codec, into: &raw)
        position = end
        return DecodedChunk.Page(
            header: header, bytes: start..<end, storedHeader: [UInt8](bytes[start..<bodyStart]))
    }
}
