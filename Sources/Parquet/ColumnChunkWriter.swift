internal import Bytes
internal import Snappy

/// The pages of one column in one row group, encoded.
struct EncodedChunk {
    struct Page {
        /// Of its header, from the start of the chunk.
        var offset: Int
        /// Header and body.
        var byteCount: Int
        var content: PageContent
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
    /// Of the column in work.
    private var isRepeated = false
    /// A chunk above it need not be finished: a smaller one is there.
    private var byteLimit = Int.max

    init(_ options: WriterOptions) {
        window = options.snappyWindow
        dictionaryByteLimit = options.profile.dictionaryByteLimit
    }

    /// - Throws: `.tooLarge` for a page that readers refuse.
    mutating func encode(
        _ values: ColumnValues, of column: Column, pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        isRepeated = column.isRepeated
        // A dictionary without entries is none.
        let policy = values.count == 0 ? .plain : column.encoding
        switch values {
        case .dictionary(let entries, let indexes): return try strings(entries, indexes, policy, pages)
        case .strings(let table):
            if policy == .plain || policy == .delta { return try plain(table, pages) }
            let interned = try InternedStrings(table)
            return try strings(interned.entries, interned.indexes, policy, pages)
        case .int64(let numbers): return try words(numbers, column.kind, policy, pages)
        case .nested: throw ParquetError(.invalidTable("a column nested twice"))
        }
    }

    private mutating func strings(
        _ entries: ByteTable, _ indexes: [UInt32], _ policy: Column.EncodingPolicy, _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        if policy == .dictionary { return try dictionary(entries, indexes, pages) }
        guard policy == .smallest, entries.plainByteCount <= dictionaryByteLimit else {
            return try plain(entries, indexes, pages)
        }
        return try smaller(
            entryCount: entries.count, valueCount: indexes.count,
            dictionary: { writer throws(ParquetError) in try writer.dictionary(entries, indexes, pages) },
            other: { writer throws(ParquetError) in try writer.plain(entries, indexes, pages) })
    }

    /// The dictionary if it takes fewer bytes. The likelier one comes first: the other ends once it has more.
    private mutating func smaller(
        entryCount: Int, valueCount: Int,
        dictionary: (inout Self) throws(ParquetError) -> EncodedChunk,
        other: (inout Self) throws(ParquetError) -> EncodedChunk
    ) throws(ParquetError) -> EncodedChunk {
        let isDictionaryFirst = entryCount <= valueCount / Self.rowsPerEntry
        let first = try isDictionaryFirst ? dictionary(&self) : other(&self)
        byteLimit = first.bytes.count
        defer { byteLimit = .max }
        let second = try isDictionaryFirst ? other(&self) : dictionary(&self)
        if second.bytes.count == first.bytes.count { return isDictionaryFirst ? second : first }
        return second.bytes.count < first.bytes.count ? second : first
    }

    private mutating func words(
        _ numbers: [Int64], _ kind: Column.Kind, _ policy: Column.EncodingPolicy, _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        if kind == .boolean { return try bits(numbers, pages) }
        if policy == .plain { return try plain(numbers, pages) }
        if policy == .dictionary { return try dictionary(InternedNumbers(numbers), pages) }
        func other(_ writer: inout Self) throws(ParquetError) -> EncodedChunk {
            try kind == .double ? writer.plain(numbers, pages) : writer.delta(numbers, pages)
        }
        if policy == .delta { return try other(&self) }
        // With more entries than that it was never the smaller, and trying costs more than the rest of the column.
        let entryLimit = max(Self.smallDictionary, numbers.count / Self.rowsPerEntry)
        guard let interned = InternedNumbers(numbers, entryLimit: entryLimit) else { return try other(&self) }
        return try smaller(
            entryCount: interned.entries.count, valueCount: numbers.count,
            dictionary: { writer throws(ParquetError) in try writer.dictionary(interned, pages) }, other: other)
    }

    private mutating func dictionary(
        _ entries: ByteTable, _ indexes: [UInt32], _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        let byteCount = entries.plainByteCount
        guard byteCount <= dictionaryByteLimit || entries.count == 1 else {
            throw ParquetError(.tooLarge(what: "dictionary page", size: byteCount, limit: dictionaryByteLimit))
        }
        return try dictionary(entries.plain(0..<entries.count), count: entries.count, indexes, pages)
    }

    private mutating func dictionary(
        _ interned: InternedNumbers, _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        // SAFETY: Int64 has no padding. Every platform we run on is little endian, as PLAIN is.
        let plain = unsafe interned.entries.span.bytes
        return try dictionary(plain, count: interned.entries.count, interned.indexes, pages)
    }

    private mutating func dictionary(
        _ entries: RawSpan, count: Int, _ indexes: [UInt32], _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        chunk.hasDictionary = true
        chunk.encoding = .rleDictionary
        try appendPage(PageHeader(type: .dictionary, encoding: .plain, valueCount: count), entries, to: &chunk)
        let width = indexWidth(ofDictionary: count)
        for page in pages where chunk.bytes.count <= byteLimit {
            beginRaw(page)
            raw.append(UInt8(width))
            HybridRLE.encode(indexes.span.extracting(page.values), width: width, into: &raw)
            try appendRaw(page, to: &chunk)
        }
        return chunk
    }

    /// Bits of an index. The label sets of a series' rows are equal, and Snappy finds what repeats in bytes: of lists
    /// and maps an index takes whole ones.
    private func indexWidth(ofDictionary count: Int) -> Int {
        let width = HybridRLE.width(ofDictionary: count)
        return isRepeated ? (width + 7) / 8 * 8 : width
    }

    private mutating func plain(_ table: ByteTable, _ pages: [PageContent]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for page in pages { try appendData(page, table.plain(page.values), to: &chunk) }
        return chunk
    }

    private mutating func plain(
        _ entries: ByteTable, _ indexes: [UInt32], _ pages: [PageContent]
    ) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for page in pages where chunk.bytes.count <= byteLimit {
            beginRaw(page)
            entries.appendPlain(indexes.span.extracting(page.values), to: &raw)
            try appendRaw(page, to: &chunk)
        }
        return chunk
    }

    private mutating func plain(_ numbers: [Int64], _ pages: [PageContent]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for page in pages where chunk.bytes.count <= byteLimit {
            // SAFETY: Int64 has no padding. Every platform we run on is little endian, as PLAIN is.
            try appendData(page, unsafe numbers.span.extracting(page.values).bytes, to: &chunk)
        }
        return chunk
    }

    /// PLAIN of booleans: a bit each.
    private mutating func bits(_ numbers: [Int64], _ pages: [PageContent]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        for page in pages {
            beginRaw(page)
            PlainEncoding.encodeBits(numbers.span.extracting(page.values), into: &raw)
            try appendRaw(page, to: &chunk)
        }
        return chunk
    }

    /// PLAIN when a delta is too wide: the encodings of one chunk are not mixed.
    private mutating func delta(_ numbers: [Int64], _ pages: [PageContent]) throws(ParquetError) -> EncodedChunk {
        var chunk = EncodedChunk()
        chunk.encoding = .deltaBinaryPacked
        for page in pages where chunk.bytes.count <= byteLimit {
            beginRaw(page)
            guard DeltaBinaryPacked.encode(numbers.span.extracting(page.values), into: &raw) else {
                return try plain(numbers, pages)
            }
            try appendRaw(page, to: &chunk)
        }
        return chunk
    }

    private mutating func beginRaw(_ page: PageContent) {
        raw.removeAll(keepingCapacity: true)
        raw += page.levels
    }

    /// A data page whose body is in `raw`, levels included.
    private mutating func appendRaw(_ page: PageContent, to chunk: inout EncodedChunk) throws(ParquetError) {
        // Out of self, which `raw.span` borrows whole.
        var raw: [UInt8] = []
        swap(&raw, &self.raw)
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        try appendBody(page, unsafe raw.span.bytes, to: &chunk)
        swap(&raw, &self.raw)
    }

    /// A data page of encoded values.
    private mutating func appendData(
        _ page: PageContent, _ values: RawSpan, to chunk: inout EncodedChunk
    ) throws(ParquetError) {
        if page.levels.isEmpty { return try appendBody(page, values, to: &chunk) }
        beginRaw(page)
        raw.append(values)
        try appendRaw(page, to: &chunk)
    }

    private mutating func appendBody(
        _ page: PageContent, _ body: RawSpan, to chunk: inout EncodedChunk
    ) throws(ParquetError) {
        let start = chunk.bytes.count
        try appendPage(
            PageHeader(type: .data, encoding: chunk.encoding, valueCount: page.valueCount), body, to: &chunk)
        chunk.dataPages.append(EncodedChunk.Page(offset: start, byteCount: chunk.bytes.count - start, content: page))
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
