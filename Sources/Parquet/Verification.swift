extension ParquetFile {
    /// Reads every byte of a file of ours and proves that it says one thing only: page CRCs, sizes, counts,
    /// statistics, indexes and bloom filters are those of the decoded values, structures are encoded as we encode them,
    /// and no byte lies between the parts. One column chunk in memory at a time.
    ///
    /// Of the key-values, `writer.schema`, `cirrus.rows` and `cirrus.content` are compared with the values. Not
    /// provable from the file alone, and left to the hash of the whole file: the others, `created_by`, and other root
    /// names.
    /// - Throws: `.corrupt` with place and offset; `.notSupported` for files of other writers, which may be whole.
    package static func verify(
        _ source: Source, statisticsByteLimit: Int = 64
    ) throws -> (rows: Int, content: ContentHash) {
        let file = try ParquetFile(source: source)
        var verification = Verification(statisticsByteLimit: statisticsByteLimit)
        try verification.checkFooter(file)
        for rowGroup in file.metadata.rowGroups.indices {
            try verification.checkRowGroup(rowGroup, of: file)
        }
        try verification.checkTrailer(file)
        try file.checkKeys(content: verification.content)
        return (file.metadata.rowCount, verification.content)
    }
}

private struct Verification {
    let statisticsByteLimit: Int
    var content = ContentHash()
    /// First byte that no part has claimed yet.
    private var position = FileLayout.magic.count
    private var bloomFilters: [BloomFilter?] = []
    private var columnIndexes: [ColumnIndex?] = []
    private var offsetIndexes: [OffsetIndex] = []

    init(statisticsByteLimit: Int) { self.statisticsByteLimit = statisticsByteLimit }

    private func require(
        _ holds: Bool, _ cause: @autoclosure () -> String, at offset: Int? = nil, in place: String? = nil
    ) throws(ParquetError) {
        guard holds else { throw ParquetError(.corrupt(cause()), at: offset ?? position, in: place) }
    }

    func checkFooter<Source>(_ file: ParquetFile<Source>) throws(ParquetError) {
        let metadata = file.metadata
        var writer = CompactWriter()
        metadata.encode(to: &writer)
        guard file.isOurs || writer.bytes == file.footer else {
            throw ParquetError(.notSupported("the verification of a file of another writer"))
        }
        try require(writer.bytes == file.footer, "the footer is not encoded as we do", at: file.footerOffset)
        let leaves = metadata.leaves
        for (leaf, column) in zip(leaves, metadata.columns) {
            try require(
                column != nil, "column \(leaf.name) has a type that we do not write", at: file.footerOffset)
        }
        let schema = Schema(root: metadata.schema[0].name, columns: metadata.columns.compactMap(\.self))
        try require(schema.elements == metadata.schema, "a schema that we do not write", at: file.footerOffset)
        for rowGroup in metadata.rowGroups {
            let sorting = rowGroup.sortingColumns
            try require(
                sorting == metadata.rowGroups[0].sortingColumns
                    && sorting.allSatisfy { leaves.indices.contains($0.column) },
                "row groups are sorted by different columns", at: file.footerOffset)
        }
    }

    mutating func checkRowGroup<Source>(_ index: Int, of file: ParquetFile<Source>) throws {
        let rowGroup = file.metadata.rowGroups[index]
        let place = "row group \(index)"
        try require(rowGroup.rowCount > 0, "a row group without rows", in: place)
        try require(rowGroup.fileOffset == position, "the row group does not begin where its bytes do", in: place)
        try require(rowGroup.ordinal ?? index == index, "the row group's ordinal is another", in: place)
        var (byteCount, compressedByteCount) = (0, 0)
        var pageRows: [Range<Int>]?
        for (column, chunk) in rowGroup.columns.enumerated() {
            let place = "row group \(index), column \(file.metadata.leafName(column))"
            guard let ours = file.metadata.columns[column] else { continue }  // the footer was checked
            try require(chunk.path == ours.path, "the column has another path", in: place)
            try require(chunk.firstPageOffset == position, "the column does not begin where its bytes do", in: place)
            let decoded = try file.decodeChunk(index, column)
            try require(decoded.pageRows == pageRows ?? decoded.pageRows, "pages end at different rows", in: place)
            pageRows = decoded.pageRows
            do throws(ParquetError) {
                try check(chunk, ours, decoded)
            } catch {
                throw error.located(in: place)
            }
            try checkHeaders(decoded)
            content.add(column: column, decoded.values)
            position += chunk.compressedByteCount
            // Sizes come from the file: sums may not fit.
            byteCount = byteCount.addingReportingOverflow(chunk.uncompressedByteCount).partialValue
            compressedByteCount += chunk.compressedByteCount
        }
        try require(
            rowGroup.byteCount == byteCount && rowGroup.compressedByteCount == compressedByteCount,
            "the row group's sizes are not its columns'", in: place)
    }

    private mutating func check(
        _ chunk: ColumnChunk, _ column: Column, _ decoded: DecodedChunk
    ) throws(ParquetError) {
        let hasDictionary = decoded.dictionaryPage != nil
        let encoding = decoded.dataPages[0].header.encoding
        let byteCount = decoded.pages.reduce(0) { $0 + $1.storedHeader.count + $1.header.uncompressedByteCount }
        try require(chunk.uncompressedByteCount == byteCount, "the column's raw size is not its pages'")
        try require(!decoded.hasSlack, "bytes after the last value of a page")
        try require(decoded.dataPages.allSatisfy { $0.header.encoding == encoding }, "a column of two encodings")
        try require(
            chunk.encodings
                == ColumnChunk.encodings(of: column, hasDictionary ? [.plain, .rleDictionary] : [encoding]),
            "the column's encodings are not its pages'")
        var counts = [ColumnChunk.EncodingCount(page: .data, encoding: encoding, count: decoded.dataPages.count)]
        if hasDictionary {
            counts.insert(ColumnChunk.EncodingCount(page: .dictionary, encoding: .plain, count: 1), at: 0)
        }
        try require(chunk.encodingCounts == counts, "the column's encoding statistics are not its pages'")

        let pages = Levels.pages(of: decoded.values, decoded.pageRows, isRepeated: column.isRepeated)
        let bounds = ChunkBounds(decoded.values, column.kind, pages: pages, byteLimit: statisticsByteLimit)
        try require(bounds.usesEveryEntry, "a dictionary entry that no row uses")
        try require(chunk.statistics == bounds.statistics, "the column's statistics are not its values'")
        try require(
            chunk.stringByteCount == bounds.stringByteCounts.map { $0.reduce(0, +) },
            "the column's string size is not its values'")
        columnIndexes.append(bounds.columnIndex(column.kind))
        let locations = zip(decoded.dataPages, decoded.pageRows).map { page, rows in
            OffsetIndex.Location(
                offset: position + page.bytes.lowerBound, byteCount: page.bytes.count, firstRow: rows.lowerBound)
        }
        offsetIndexes.append(OffsetIndex(pages: locations, stringByteCounts: bounds.stringByteCounts))
        if chunk.bloomFilter != nil, case .dictionary(let entries, _) = decoded.values.elements {
            bloomFilters.append(BloomFilter(entries))
        } else {
            bloomFilters.append(nil)
        }
    }

    /// Page headers are not under a CRC: they must be the bytes that we write for what they say.
    private func checkHeaders(_ decoded: DecodedChunk) throws(ParquetError) {
        for page in decoded.pages {
            let offset = position + page.bytes.lowerBound
            var writer = CompactWriter()
            page.header.encode(to: &writer)
            try require(page.storedHeader == writer.bytes, "a page header is not encoded as we do", at: offset)
            try require(page.header.checksum != nil, "a page without CRC", at: offset)
            try require(page.header.levelEncodings == [.rle, .rle], "levels of another encoding", at: offset)
            try require(page.header.encoding != .plainDictionary, "an encoding that we do not write", at: offset)
        }
    }

    /// Bloom filters, column indexes, offset indexes: nothing between them, and the footer next.
    mutating func checkTrailer<Source>(_ file: ParquetFile<Source>) throws {
        let chunks = file.metadata.rowGroups.flatMap(\.columns)
        for (chunk, filter) in zip(chunks, bloomFilters) {
            try check(chunk.bloomFilter, filter.map { $0.encode(to:) }, "bloom filter", file)
        }
        for (chunk, index) in zip(chunks, columnIndexes) {
            try check(chunk.columnIndex, index.map { $0.encode(to:) }, "column index", file)
        }
        for (chunk, index) in zip(chunks, offsetIndexes) {
            try check(chunk.offsetIndex, index.encode(to:), "offset index", file)
        }
        try require(position == file.footerOffset, "bytes between the indexes and the footer")
    }

    private mutating func check<Source>(
        _ extent: ColumnChunk.Extent?, _ encode: ((inout CompactWriter) -> Void)?, _ name: String,
        _ file: ParquetFile<Source>
    ) throws {
        guard let encode, let extent else {
            return try require((encode == nil) == (extent == nil), "the \(name) is missing, or one too many")
        }
        var writer = CompactWriter()
        encode(&writer)
        try require(extent.offset == position && extent.byteCount == writer.bytes.count, "the \(name) lies elsewhere")
        let stored = try file.source.read(at: position, count: extent.byteCount)
        try require(stored == writer.bytes, "the \(name) is not the values'")
        position += extent.byteCount
    }
}
