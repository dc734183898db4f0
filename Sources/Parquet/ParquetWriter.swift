/// Writes one file, front to back: row groups as they come, then bloom filters, indexes and footer.
///
/// Holds one column chunk, and some kilobytes of metadata a row group. After a throw the file is incomplete for good.
package struct ParquetWriter<Sink: ByteSink> {
    private var sink: Sink
    private var rowGroups: RowGroupWriter
    private var hasFailed = false

    package init(schema: Schema, options: WriterOptions, sink: Sink) throws {
        self.sink = sink
        rowGroups = try RowGroupWriter(schema: schema, options: options)
        try self.sink.write(FileLayout.magic)
    }

    /// Rows and bytes so far.
    package var rowCount: Int { rowGroups.metadata.rowCount }
    package var byteCount: Int { rowGroups.position }

    /// Writes one row group: `values` has one entry a column of the schema, all with the same number of rows.
    /// No rows: nothing is written, since readers stumble over empty row groups.
    ///
    /// - Throws: `.invalidTable`, `.tooLarge`; what the sink throws.
    package mutating func write(rowGroup values: [ColumnValues]) throws {
        guard !hasFailed else { throw ParquetError(.writerFailed) }
        hasFailed = true
        let pages = try rowGroups.begin(values)
        if !pages.isEmpty {
            for column in values.indices {
                try sink.write(try rowGroups.encode(values[column], column: column, pages: pages))
            }
            rowGroups.end()
        }
        hasFailed = false
    }

    /// Writes what follows the row groups. The file is valid only after this.
    package consuming func finish(keyValues: [(String, String)]) throws -> (sink: Sink, metadata: FileMetadata) {
        guard !hasFailed else { throw ParquetError(.writerFailed) }
        try sink.write(try rowGroups.finish(keyValues))
        return (sink, rowGroups.metadata)
    }
}

/// Fixed parts of a file: magic, …, footer, its length as u32 LE, magic.
enum FileLayout {
    static let magic = [UInt8]("PAR1".utf8)
    /// Length and magic behind the footer.
    static let tailByteCount = 8
}
