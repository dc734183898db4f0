internal import Bytes
internal import Snappy

/// The pages of one column in one row group, encoded.
struct EncodedChunk {
    struct Page {
        /// Of its header, from the start of the chunk.
        var offset: Int
        /// Header and body.
        var byteCount: Int
        var rows: Range<Int>
    }

    /// Pages with their headers, the dictionary page first.
    var bytes: [UInt8] = []
    var uncompressedByteCount = 0
    var hasDictionary = false
    var encoding = Encoding.plain
    var dataPages: [Page] = []
}

/// Encodes column chunks, one after the other; its buffers are reused.
struct ColumnChunkWriter {
    /// Rows for each entry below which a dictionary of numbers is not tried, unless it is small.
    private static let rowsPerEntry = 4
    private static let smallDictionary = 1024

    private let window: WriterOptions.SnappyWindow
    private let dictionaryByteLimit: Int
    private var raw: [UInt8] = []
    private var compressed: [UInt8] = []
    private var tables: [UInt32] = []
    private var header = CompactWriter()

    init(_ options: WriterOptions) {
        window = options.snappyWindow
        dictionaryByteLimit = options.profile.dictionaryByteLimit
    }

    /// - Throws: `.tooLarge` for a page that readers refuse.
    mutating func encode(
        _ values: ColumnValues, as policy: Column.EncodingPolicy, pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        switch values {
        case .dictionary(let entries, let indexes): return try strings(entries, indexes, policy, pages)
        case .strings(let table):
            if policy == .plain || policy == .delta { return try plain(table, pages) }
            let interned = try InternedStrings(table)
            return try strings(interned.entries, interned.indexes, policy, pages)
        case .int64(let numbers): return try int64(numbers, policy, pages)
        }
    }

    private mutating func strings(
        _ entries: ByteTable, _ indexes: [UInt32], _ policy: Column.EncodingPolicy, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        if policy == .dictionary { return try dictionary(entries, indexes, pages) }
        let plain = try plain(entries, indexes, pages)
        guard policy == .smallest, entries.plainByteCount <= dictionaryByteLimit else { return plain }
        let dictionary = try dictionary(entries, indexes, pages)
        return dictionary.bytes.count < plain.bytes.count ? dictionary : plain
    }

    private mutating func int64(
        _ numbers: [Int64], _ policy: Column.EncodingPolicy, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        if policy == .plain { return try plain(numbers, pages) }
        if policy == .delta { return try delta(numbers, pages) }
        if policy == .dictionary { return try dictionary(InternedNumbers(numbers), pages) }
        let delta = try delta(numbers, pages)
        // With more entries than that it was never the smaller, and trying costs more than the rest of the column.
        let entryLimit = max(Self.smallDictionary, numbers.count / Self.rowsPerEntry)
        guard let interned = InternedNumbers(numbers, entryLimit: entryLimit) else { return delta }
        let dictionary = try dictionary(interned, pages)
        return dictionary.bytes.count < delta.bytes.count ? dictionary : delta
    }

    private mutating func dictionary(
        _ entries: ByteTable, _ indexes: [UInt32], _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        let byteCount = entries.plainByteCount
        guard byteCount <= dictionaryByteLimit || entries.count == 1 else {
            throw ParquetError(.tooLarge(what: "dictionary page", size: byteCount, limit: dictionaryByteLimit))
        }
        return try dictionary(entries.plain(0..<entries.count), count: entries.count, indexes, pages)
    }

    private mutating func dictionary(
        _ interned: InternedNumbers, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        // SAFETY: Int64 has no padding. Every platform we run on is little endian, as PLAIN is.
        let plain = unsafe interned.entries.span.bytes
        return try dictionary(plain, count: interned.entries.count, interned.indexes, pages)
    }

    private mutating func dictionary(
        _ entries: RawSpan, count: Int, _ indexes: [UInt32], _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        chunk.hasDictionary = true
        chunk.encoding = .rleDictionary
        try appendPage(PageHeader(type: .dictionary, encoding: .plain, valueCount: count), entries, to: &chunk)
        let width = HybridRLE.width(ofDictionary: count)
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            raw.append(UInt8(width))
            HybridRLE.encode(indexes.span.extracting(rows), width: width, into: &raw)
            try appendRaw(rows, to: &chunk)
        }
        return chunk
    }

    private mutating func plain(_ table: ByteTable, _ pages: [Range<Int>]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for rows in pages { try appendData(rows, table.plain(rows), to: &chunk) }
        return chunk
    }

    private mutating func plain(
        _ entries: ByteTable, _ indexes: [UInt32], _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            entries.appendPlain(indexes.span.extracting(rows), to: &raw)
            try appendRaw(rows, to: &chunk)
        }
        return chunk
    }

    private mutating func plain(_ numbers: [Int64], _ pages: [Range<Int>]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for rows in pages {
            // SAFETY: Int64 has no padding. Every platform we run on is little endian, as PLAIN is.
            try appendData(rows, unsafe numbers.span.extracting(rows).bytes, to: &chunk)
        }
        return chunk
    }

    /// PLAIN when a delta is too wide: the encodings of one chunk are not mixed.
    private mutating func delta(_ numbers: [Int64], _ pages: [Range<Int>]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        chunk.encoding = .deltaBinaryPacked
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            guard DeltaBinaryPacked.encode(numbers.span.extracting(rows), into: &raw) else {
                return try plain(numbers, pages)
            }
            try appendRaw(rows, to: &chunk)
        }
        return chunk
    }

    /// A data page whose body is in `raw`.
    private mutating func appendRaw(_ rows: Range<Int>, to chunk: inout EncodedChunk) throws(ParquetError) {
        // Out of self, which `raw.span` borrows whole.
        var raw: [UInt8] = []
        swap(&raw, &self.raw)
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        try appendData(rows, unsafe raw.span.bytes, to: &chunk)
        swap(&raw, &self.raw)
    }

    private mutating func appendData(
        _ rows: Range<Int>, _ body: RawSpan, to chunk: inout EncodedChunk
    ) throws(ParquetError) {
        let start = chunk.bytes.count
        try appendPage(PageHeader(type: .data, encoding: chunk.encoding, valueCount: rows.count), body, to: &chunk)
        chunk.dataPages.append(EncodedChunk.Page(offset: start, byteCount: chunk.bytes.count - start, rows: rows))
    }

    /// Compresses `body` and appends it behind its header.
    private mutating func appendPage(
        _ page: PageHeader, _ body: RawSpan, to chunk: inout EncodedChunk
    ) throws(ParquetError) {
        let limit = Int(Int32.max)
        guard Snappy.wholeWindowBound(body.byteCount) <= limit else {
            throw ParquetError(.tooLarge(what: "page", size: body.byteCount, limit: limit))
        }
        switch window {
        case .wholePage: Snappy.compressWholeWindow(body, into: &compressed, tables: &tables)
        case .libsnappy: compressed = Snappy.compress(body)
        }
        var page = page
        page.uncompressedByteCount = body.byteCount
        page.compressedByteCount = compressed.count
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        page.checksum = CRC32.of(unsafe compressed.span.bytes)
        header.removeAll()
        page.encode(to: &header)
        chunk.bytes.append(contentsOf: header.bytes)
        chunk.bytes.append(contentsOf: compressed)
        chunk.uncompressedByteCount += header.bytes.count + body.byteCount
    }
}
