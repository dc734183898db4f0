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
    private let window: WriterOptions.SnappyWindow
    private var raw: [UInt8] = []
    private var compressed: [UInt8] = []
    private var header = CompactWriter()

    init(window: WriterOptions.SnappyWindow) { self.window = window }

    /// - Throws: `.tooLarge` for a page that readers refuse.
    mutating func encode(
        _ values: ColumnValues, as policy: Column.EncodingPolicy, pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        switch values {
        case .dictionary(let entries, let indexes): try dictionary(entries, indexes, pages)
        case .strings(let table): try strings(table, policy, pages)
        case .int64(let numbers): try int64(numbers, policy, pages)
        }
    }

    private mutating func strings(
        _ table: ByteTable, _ policy: Column.EncodingPolicy, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        if policy == .plain || policy == .delta { return try plain(table, pages) }
        let interned = try InternedStrings(table)
        if policy == .dictionary { return try dictionary(interned.entries, interned.indexes, pages) }
        let plain = try plain(table, pages)
        let dictionaryByteCount = PlainEncoding.byteCount(interned.entries, 0..<interned.entries.count)
        guard dictionaryByteCount <= WriterOptions.dictionaryByteLimit else { return plain }
        let dictionary = try dictionary(interned.entries, interned.indexes, pages)
        return dictionary.bytes.count < plain.bytes.count ? dictionary : plain
    }

    private mutating func int64(
        _ numbers: [Int64], _ policy: Column.EncodingPolicy, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        if policy == .plain { return try plain(numbers, pages) }
        if policy == .delta { return try delta(numbers, pages) }
        let interned = InternedNumbers(numbers)
        let dictionary = try dictionary(interned, pages)
        if policy == .dictionary { return dictionary }
        let delta = try delta(numbers, pages)
        return dictionary.bytes.count < delta.bytes.count ? dictionary : delta
    }

    private mutating func dictionary(
        _ entries: ByteTable, _ indexes: [UInt32], _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        let byteCount = PlainEncoding.byteCount(entries, 0..<entries.count)
        guard byteCount <= WriterOptions.dictionaryByteLimit || entries.count == 1 else {
            throw ParquetError(
                .tooLarge(what: "dictionary page", size: byteCount, limit: WriterOptions.dictionaryByteLimit))
        }
        raw.removeAll(keepingCapacity: true)
        PlainEncoding.encode(entries, 0..<entries.count, into: &raw)
        return try dictionary(count: entries.count, indexes, pages)
    }

    private mutating func dictionary(
        _ interned: InternedNumbers, _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        raw.removeAll(keepingCapacity: true)
        PlainEncoding.encode(interned.entries.span, into: &raw)
        return try dictionary(count: interned.entries.count, interned.indexes, pages)
    }

    /// With the dictionary page's body in `raw`.
    private mutating func dictionary(
        count: Int, _ indexes: [UInt32], _ pages: [Range<Int>]
    ) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        chunk.hasDictionary = true
        chunk.encoding = .rleDictionary
        try appendPage(PageHeader(type: .dictionary, encoding: .plain, valueCount: count), to: &chunk)
        let width = HybridRLE.width(ofDictionary: count)
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            raw.append(UInt8(width))
            HybridRLE.encode(indexes.span.extracting(rows), width: width, into: &raw)
            try appendData(rows, to: &chunk)
        }
        return chunk
    }

    private mutating func plain(_ table: ByteTable, _ pages: [Range<Int>]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            PlainEncoding.encode(table, rows, into: &raw)
            try appendData(rows, to: &chunk)
        }
        return chunk
    }

    private mutating func plain(_ numbers: [Int64], _ pages: [Range<Int>]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for rows in pages {
            raw.removeAll(keepingCapacity: true)
            PlainEncoding.encode(numbers.span.extracting(rows), into: &raw)
            try appendData(rows, to: &chunk)
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
            try appendData(rows, to: &chunk)
        }
        return chunk
    }

    private mutating func appendData(_ rows: Range<Int>, to chunk: inout EncodedChunk) throws(ParquetError) {
        let start = chunk.bytes.count
        try appendPage(PageHeader(type: .data, encoding: chunk.encoding, valueCount: rows.count), to: &chunk)
        chunk.dataPages.append(EncodedChunk.Page(offset: start, byteCount: chunk.bytes.count - start, rows: rows))
    }

    /// Compresses `raw` and appends it behind its header.
    private mutating func appendPage(_ page: PageHeader, to chunk: inout EncodedChunk) throws(ParquetError) {
        let limit = Int(Int32.max)
        guard Snappy.wholeWindowBound(raw.count) <= limit else {
            throw ParquetError(.tooLarge(what: "page", size: raw.count, limit: limit))
        }
        // Out of self, which `raw.span` borrows whole.
        var compressed: [UInt8] = []
        swap(&compressed, &self.compressed)
        switch window {
        // SAFETY: UInt8 has no padding and every bit pattern is valid, here and below.
        case .wholePage: Snappy.compressWholeWindow(unsafe raw.span.bytes, into: &compressed)
        case .libsnappy: compressed = unsafe Snappy.compress(raw.span.bytes)
        }
        var page = page
        page.uncompressedByteCount = raw.count
        page.compressedByteCount = compressed.count
        page.checksum = CRC32.of(unsafe compressed.span.bytes)
        header.removeAll()
        page.encode(to: &header)
        chunk.bytes.append(contentsOf: header.bytes)
        chunk.bytes.append(contentsOf: compressed)
        chunk.uncompressedByteCount += header.bytes.count + raw.count
        swap(&compressed, &self.compressed)
    }
}
