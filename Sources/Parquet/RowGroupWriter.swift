/// All of a writer but its sink: not generic, so that the compiler sees its hot loops whole.
struct RowGroupWriter {
    /// What goes behind the row groups, kept for each column chunk.
    private struct Kept {
        var bloomFilter: BloomFilter?
        var columnIndex: ColumnIndex?
        var offsetIndex: OffsetIndex?
    }

    private let schema: Schema
    private let options: WriterOptions
    private var chunkWriter: ColumnChunkWriter
    private(set) var metadata: FileMetadata
    private(set) var position = FileLayout.magic.count
    private var current = RowGroup()
    private var kept: [Kept] = []

    init(schema: Schema, options: WriterOptions) throws(ParquetError) {
        guard !schema.columns.isEmpty else { throw ParquetError(.invalidTable("the schema has no columns")) }
        guard schema.pairsMaps else { throw ParquetError(.invalidTable("a map without its keys or values")) }
        for column in options.sortingColumns where !schema.columns.indices.contains(column.column) {
            throw ParquetError(.invalidTable("sorting column \(column.column) is not in the schema"))
        }
        for name in options.bloomFilterColumns where !schema.columns.contains(where: { $0.name == name }) {
            throw ParquetError(.invalidTable("bloom filter column \(name) is not in the schema"))
        }
        self.schema = schema
        self.options = options
        chunkWriter = ColumnChunkWriter(options)
        metadata = FileMetadata(schema: schema.elements, createdBy: options.createdBy)
    }

    private func place(_ column: Int) -> String {
        "row group \(metadata.rowGroups.count), column \(schema.columns[column].name)"
    }

    /// Checks the table and cuts it into pages; no pages for no rows.
    mutating func begin(_ values: [ColumnValues]) throws(ParquetError) -> [Range<Int>] {
        guard values.count == schema.columns.count else {
            throw ParquetError(.invalidTable("\(values.count) columns for a schema of \(schema.columns.count)"))
        }
        let rowCount = values[0].count
        for (index, column) in values.enumerated() {
            guard column.count == rowCount else {
                throw ParquetError(
                    .invalidTable("\(column.count) rows where the first column has \(rowCount)"), in: place(index))
            }
            try check(column, index)
            guard schema.columns[index].repetition != .mapValue || column.counts == values[index - 1].counts else {
                throw ParquetError(.invalidTable("keys without values"), in: place(index))
            }
        }
        current = RowGroup(
            rowCount: rowCount, sortingColumns: options.sortingColumns, fileOffset: position,
            // An i16 in the format, and optional.
            ordinal: metadata.rowGroups.count <= Int(Int16.max) ? metadata.rowGroups.count : nil)
        return PagePlan.pages(of: values, in: schema, rowCount: rowCount, options)
    }

    private func check(_ values: ColumnValues, _ column: Int) throws(ParquetError) {
        let repetition = schema.columns[column].repetition
        guard (values.counts == nil) == (repetition == .required),
            repetition != .optional || values.counts?.allSatisfy({ $0 <= 1 }) == true,
            values.counts.map({ $0.reduce(0) { $0 + Int($1) } }) ?? values.count == values.elements.count
        else { throw ParquetError(.invalidTable("rows of other numbers of values"), in: place(column)) }
        switch (values.elements, schema.columns[column].physicalType) {
        case (.int64, .int64), (.int64, .double), (.int64, .boolean), (.strings, .byteArray): return
        case (.dictionary(let entries, let indexes), .byteArray):
            var largest: UInt32 = 0
            for index in indexes { largest = max(largest, index) }
            guard indexes.isEmpty || Int(largest) < entries.count else {
                throw ParquetError(
                    .invalidTable("index \(largest) into a dictionary of \(entries.count)"), in: place(column))
            }
        default:
            throw ParquetError(.invalidTable("\(values.kindName) for a column of another type"), in: place(column))
        }
    }

    /// The bytes of one column chunk, which the caller writes next.
    mutating func encode(
        _ values: ColumnValues, column index: Int, pages: [Range<Int>]
    ) throws(ParquetError) -> [UInt8] {
        let column = schema.columns[index]
        let pages = Levels.pages(of: values, pages, isRepeated: column.isRepeated)
        let bounds = ChunkBounds(values, column.kind, pages: pages, byteLimit: options.statisticsByteLimit)
        guard bounds.usesEveryEntry else {
            throw ParquetError(.invalidTable("a dictionary entry that no row uses"), in: place(index))
        }
        let encoded: EncodedChunk
        do throws(ParquetError) {
            encoded = try chunkWriter.encode(values.elements, of: column, pages: pages)
        } catch {
            throw error.located(in: place(index))
        }
        append(encoded, column, bounds, values.elements)
        return encoded.bytes
    }

    private mutating func append(
        _ encoded: EncodedChunk, _ column: Column, _ bounds: ChunkBounds, _ values: ColumnValues
    ) {
        var chunk = ColumnChunk()
        chunk.type = column.physicalType
        chunk.encodings = ColumnChunk.encodings(
            of: column, encoded.hasDictionary ? [.plain, .rleDictionary] : [encoded.encoding])
        chunk.path = column.path
        chunk.valueCount = encoded.dataPages.reduce(0) { $0 + $1.content.valueCount }
        chunk.uncompressedByteCount = encoded.uncompressedByteCount
        chunk.compressedByteCount = encoded.bytes.count
        chunk.dataPageOffset = position + encoded.dataPages[0].offset
        chunk.dictionaryPageOffset = encoded.hasDictionary ? position : nil
        chunk.statistics = bounds.statistics
        if encoded.hasDictionary {
            chunk.encodingCounts.append(ColumnChunk.EncodingCount(page: .dictionary, encoding: .plain, count: 1))
        }
        chunk.encodingCounts.append(
            ColumnChunk.EncodingCount(page: .data, encoding: encoded.encoding, count: encoded.dataPages.count))
        chunk.stringByteCount = bounds.stringByteCounts.map { $0.reduce(0, +) }
        let locations = encoded.dataPages.map {
            OffsetIndex.Location(
                offset: position + $0.offset, byteCount: $0.byteCount, firstRow: $0.content.rows.lowerBound)
        }
        kept.append(
            Kept(
                bloomFilter: bloomFilter(column, values), columnIndex: bounds.columnIndex(column.kind),
                offsetIndex: OffsetIndex(pages: locations, stringByteCounts: bounds.stringByteCounts)))
        current.columns.append(chunk)
        current.byteCount += encoded.uncompressedByteCount
        current.compressedByteCount += encoded.bytes.count
        position += encoded.bytes.count
    }

    private func bloomFilter(_ column: Column, _ values: ColumnValues) -> BloomFilter? {
        guard options.bloomFilterColumns.contains(column.name), case .dictionary(let entries, _) = values else {
            return nil
        }
        return BloomFilter(entries)
    }

    mutating func end() {
        metadata.rowCount += current.rowCount
        metadata.rowGroups.append(current)
    }

    /// The bytes behind the last row group: bloom filters, column indexes, offset indexes, footer.
    mutating func finish(_ keyValues: [(String, String)]) throws(ParquetError) -> [UInt8] {
        var writer = CompactWriter()
        try place(\.bloomFilter, stating: \.bloomFilter, BloomFilter.encode, to: &writer)
        try place(\.columnIndex, stating: \.columnIndex, ColumnIndex.encode, to: &writer)
        try place(\.offsetIndex, stating: \.offsetIndex, OffsetIndex.encode, to: &writer)
        metadata.keyValues = keyValues.map { FileMetadata.KeyValue(key: $0.0, value: $0.1) }
        if options.checksumsFooter { FooterChecksums.add(to: &metadata, indexes: writer.bytes) }
        let footerStart = writer.bytes.count
        metadata.encode(to: &writer)
        let footerByteCount = writer.bytes.count - footerStart
        guard footerByteCount <= Int(Int32.max) else {
            throw ParquetError(.tooLarge(what: "footer", size: footerByteCount, limit: Int(Int32.max)))
        }
        writer.raw(UInt32(footerByteCount))
        position += writer.bytes.count + FileLayout.magic.count
        return writer.bytes + FileLayout.magic
    }

    /// Appends one structure of each column chunk, and states in the footer where it lies.
    private mutating func place<Structure>(
        _ structure: KeyPath<Kept, Structure?>, stating place: WritableKeyPath<ColumnChunk, ColumnChunk.Extent?>,
        _ encode: (Structure) -> (inout CompactWriter) -> Void, to writer: inout CompactWriter
    ) throws(ParquetError) {
        for (index, item) in kept.enumerated() {
            guard let part = item[keyPath: structure] else { continue }
            let offset = writer.bytes.count
            encode(part)(&writer)
            let extent = ColumnChunk.Extent(offset: position + offset, byteCount: writer.bytes.count - offset)
            guard extent.byteCount <= Int(Int32.max) else {
                throw ParquetError(.tooLarge(what: "page index", size: extent.byteCount, limit: Int(Int32.max)))
            }
            let (rowGroup, column) = index.quotientAndRemainder(dividingBy: schema.columns.count)
            metadata.rowGroups[rowGroup].columns[column][keyPath: place] = extent
        }
    }
}

extension ColumnChunk {
    /// What the footer lists for pages of these encodings: that of levels, too, where there are some.
    static func encodings(of column: Column, _ encodings: [Encoding]) -> [Encoding] {
        encodings + (column.repetition == .required ? [] : [.rle])
    }
}
