/// A file opened by its footer. Any bytes are taken: what is damaged, or of a kind that we do not read, throws.
package struct ParquetFile<Source: ByteSource> {
    package let metadata: FileMetadata
    let source: Source
    /// First byte of the footer.
    let footerOffset: Int
    let footer: [UInt8]

    /// A thousand row groups of ours take 4 MiB.
    private static var footerByteLimit: Int { 16 << 20 }

    /// - Throws: `.corrupt`, `.notSupported`, `.tooLarge`; what the source throws.
    package init(source: Source) throws {
        let shortest = FileLayout.magic.count + FileLayout.tailByteCount
        guard source.count >= shortest else {
            throw ParquetError(.corrupt("\(source.count) bytes are too few for a parquet file"), at: 0)
        }
        let tail = try source.read(at: source.count - FileLayout.tailByteCount, count: FileLayout.tailByteCount)
        guard tail.count == FileLayout.tailByteCount, [UInt8](tail.suffix(4)) == FileLayout.magic else {
            throw ParquetError(.corrupt("it does not end with PAR1"), at: source.count - 4)
        }
        guard try source.read(at: 0, count: FileLayout.magic.count) == FileLayout.magic else {
            throw ParquetError(.corrupt("it does not begin with PAR1"), at: 0)
        }
        let footerByteCount = tail[0..<4].reversed().reduce(0) { $0 << 8 | Int($1) }
        guard footerByteCount <= Self.footerByteLimit else {
            let reason = ParquetError.Reason.tooLarge(
                what: "footer", size: footerByteCount, limit: Self.footerByteLimit)
            throw ParquetError(reason, at: source.count - 8)
        }
        guard footerByteCount <= source.count - shortest else {
            throw ParquetError(.corrupt("a footer of \(footerByteCount) bytes"), at: source.count - 8)
        }
        footerOffset = source.count - FileLayout.tailByteCount - footerByteCount
        footer = try source.read(at: footerOffset, count: footerByteCount)
        var reader = CompactReader(footer, base: footerOffset)
        metadata = try FileMetadata(from: &reader)
        guard reader.position == footer.count else { throw reader.corrupt("bytes after the footer") }
        self.source = source
        guard FooterChecksums.holds(metadata, footer: footer) else {
            throw ParquetError(.corrupt("the CRC of the footer is not the one stated in it"), at: footerOffset)
        }
        try metadata.validate(bodyEnd: footerOffset)
        try checkIndexes()
    }

    /// What is between the last page and the footer is read only when its CRC is stated.
    private func checkIndexes() throws {
        let start = metadata.pagesEnd
        guard isOurs else { return }
        let stated = metadata[FooterChecksums.indexesKey]
        var holds = (stated == nil) == (metadata[FooterChecksums.footerKey] == nil)
        if holds, let stated {
            var (offset, checksum) = (start, UInt32(0))
            while offset < footerOffset {
                let bytes = try source.read(at: offset, count: min(1 << 20, footerOffset - offset))
                if bytes.isEmpty { break }  // it became shorter
                // SAFETY: UInt8 has no padding.
                checksum = CRC32.of(unsafe bytes.span.bytes, after: checksum)
                offset += bytes.count
            }
            holds = FooterChecksums.hex(checksum) == stated
        }
        guard holds else {
            throw ParquetError(.corrupt("the CRC of the indexes is not the one in the footer"), at: start)
        }
    }

    /// Whether this program wrote it, as far as the footer says so: its keys are copies otherwise.
    package var isOurs: Bool { FooterChecksums.areOurs(metadata) }

    /// Compares the footer's own keys with what the file holds.
    /// - Parameter content: of all values; nil when they were not read.
    /// - Throws: `.corrupt`.
    package func checkKeys(content: ContentHash? = nil) throws(ParquetError) {
        func check(_ key: String, _ found: String?) throws(ParquetError) {
            guard isOurs, let found, let stated = metadata[key], stated != found else { return }
            throw ParquetError(.corrupt("the key \(key) is not \(found)"), at: footerOffset)
        }
        try check("writer.schema", FileMetadata.schemaNames[metadata.schema[0].name])
        try check("cirrus.rows", "\(metadata.rowCount)")
        try check("cirrus.content", content?.hex)
    }

    /// The decoded values of one column in one row group.
    ///
    /// Strings stored with a dictionary come back as `.dictionary`, others as `.strings`; numbers as `.int64`; a column
    /// that is not REQUIRED as `.nested`.
    /// CRCs are checked where pages have them.
    /// - Precondition: `rowGroup` and `column` are in `metadata`.
    package func readColumn(rowGroup: Int, column: Int) throws -> ColumnValues {
        try decodeChunk(rowGroup, column).values
    }

    func decodeChunk(_ rowGroup: Int, _ column: Int) throws -> DecodedChunk {
        let place = "row group \(rowGroup), column \(metadata.leafName(column))"
        let group = metadata.rowGroups[rowGroup]
        let chunk = group.columns[column]
        guard let found = metadata.columns[column] else {
            let type = metadata.leaves[column].typeName
            throw ParquetError(.notSupported("a column of \(type), or its nesting"), in: place)
        }
        guard found.physicalType == chunk.type else {
            throw ParquetError(.corrupt("the column's type is not the schema's"), at: footerOffset, in: place)
        }
        let bytes = try source.read(at: chunk.firstPageOffset, count: chunk.compressedByteCount)
        guard bytes.count == chunk.compressedByteCount else {
            throw ParquetError(.corrupt("the file has become shorter"), at: chunk.firstPageOffset, in: place)
        }
        do throws(ParquetError) {
            return try ColumnChunkReader.decode(chunk, bytes, found, rowCount: group.rowCount)
        } catch {
            throw error.located(in: place)
        }
    }
}

extension FileMetadata {
    /// What `writer.schema` says of a file whose root has the name (docs/formats/parquet.md).
    fileprivate static let schemaNames = [
        "ParquetMetric": "cloudzero-v1", "Sample": "native-samples-v1", "Histogram": "native-histograms-v1",
        "Exemplar": "native-exemplars-v1", "Metadata": "native-metadata-v1",
    ]

    /// Columns, in the order of each row group's chunks.
    package var leaves: [SchemaElement] { schema.filter { $0.childCount == nil } }

    /// `labels.key` of a map.
    package func leafName(_ column: Int) -> String {
        guard let found = columns[column] else { return leaves[column].name }
        switch found.repetition {
        case .required, .optional, .list: return found.name
        case .mapKey, .mapValue: return "\(found.name).\(leaves[column].name)"
        }
    }

    /// First byte behind the pages of all row groups.
    fileprivate var pagesEnd: Int {
        rowGroups.flatMap(\.columns).reduce(FileLayout.magic.count) {
            max($0, $1.firstPageOffset + $1.compressedByteCount)
        }
    }

    /// Checks that every count and place is possible in a file whose pages and indexes end at `bodyEnd`.
    func validate(bodyEnd: Int) throws(ParquetError) {
        guard let children = schema.first?.childCount, children > 0, !leaves.isEmpty else {
            throw ParquetError(.corrupt("the schema has no columns"), at: bodyEnd)
        }
        var rows = 0
        for (index, rowGroup) in rowGroups.enumerated() {
            let place = "row group \(index)"
            guard rowGroup.columns.count == leaves.count else {
                throw ParquetError(
                    .corrupt("\(rowGroup.columns.count) columns for \(leaves.count) leaves"), at: bodyEnd, in: place)
            }
            for (column, chunk) in rowGroup.columns.enumerated() where !chunk.isPossible(bodyEnd: bodyEnd) {
                throw ParquetError(
                    .corrupt("an offset or size outside the file"), at: bodyEnd,
                    in: "\(place), column \(leafName(column))")
            }
            let (sum, overflow) = rows.addingReportingOverflow(rowGroup.rowCount)
            guard !overflow else { throw ParquetError(.corrupt("too many rows"), at: bodyEnd, in: place) }
            rows = sum
        }
        guard rows == rowCount else {
            throw ParquetError(.corrupt("\(rows) rows in row groups where the footer says \(rowCount)"), at: bodyEnd)
        }
    }
}

extension ColumnChunk {
    fileprivate func isPossible(bodyEnd: Int) -> Bool {
        func fits(_ extent: Extent?) -> Bool {
            guard let extent else { return true }
            return extent.offset >= FileLayout.magic.count && extent.offset <= bodyEnd
                && extent.byteCount <= bodyEnd - extent.offset
        }
        let pages = Extent(offset: firstPageOffset, byteCount: compressedByteCount)
        return fits(pages) && fits(bloomFilter) && fits(offsetIndex) && fits(columnIndex)
            && dataPageOffset >= firstPageOffset && dataPageOffset - firstPageOffset <= compressedByteCount
            && dictionaryPageOffset != dataPageOffset
    }
}
