internal import Digest
internal import DiskIO
internal import Parquet

/// A file that a plan made: complete, durable and verified, still in `staging/`.
package struct CompactedFile: Equatable, Sendable {
    /// The reference id.
    package let name: String
    package let byteCount: UInt64
    /// 64 hex digits.
    package let sha256: String
    package let rows: Int
}

/// What is the same for every file of a plan.
struct FileContext {
    let options: CompactorOptions
    let layout: VolumeLayout
    let fileSystem: any FileSystem
    /// Footer entries: volume, segments and their hashes.
    let keyValues: [(String, String)]
}

/// Writes the rows of parts, one after the other, as files of at most `rowsPerFile` rows.
struct PartWriter {
    private(set) var part: Part?
    private let context: FileContext
    private var open: OpenFile?
    private(set) var files: [CompactedFile] = []
    /// Number of the plan's next file; goes into the footer.
    private var nextNumber: Int { files.count }

    private struct OpenFile {
        let part: Part
        let path: String
        let sink: StagedFile
        var writer: ParquetWriter<StagedFile>
        var content = ContentHash()
        var rows = 0
        var minTimestamp = Int64.max
        var maxTimestamp = Int64.min
    }

    init(_ context: FileContext) { self.context = context }

    /// What is written from now on is of `part`.
    mutating func begin(_ part: Part) throws {
        try finish()
        self.part = part
    }

    /// Rows that the open file still takes.
    var room: Int { context.options.rowsPerFile - (open?.rows ?? 0) }

    /// Writes one row group; the caller keeps it within `room`.
    ///
    /// - Parameter times: the smallest and largest timestamp.
    mutating func write(_ columns: [ColumnValues], times: ClosedRange<Int64>) throws {
        if open == nil, let part { open = try start(part) }
        try open!.writer.write(rowGroup: columns)
        open!.content.add(rowGroup: columns)
        open!.rows += columns[0].count
        open!.minTimestamp = min(open!.minTimestamp, times.lowerBound)
        open!.maxTimestamp = max(open!.maxTimestamp, times.upperBound)
        if room <= 0 { try finish() }
    }

    private func start(_ part: Part) throws -> OpenFile {
        let path = "\(context.layout.staging)/part-\(nextNumber).tmp"
        let sink = try StagedFile(path, in: context.fileSystem)
        let table = Table.of(part.content, context.options)
        // Rows are in the order of whole label sets: without some labels only the metrics are still in order.
        let isFiltered = context.options.labelFilters[part.stream] != nil
        var options = WriterOptions(
            createdBy: context.options.createdBy,
            sortingColumns: Array(table.sorting.prefix(isFiltered ? 1 : .max)), profile: context.options.profile)
        options.bloomFilterColumns = [part.content == .metadata ? "metric_family" : "metric_name"]
        return OpenFile(
            part: part, path: path, sink: sink,
            writer: try ParquetWriter(schema: table.schema, options: options, sink: sink))
    }

    /// Ends the open file: durable, named by its hash, read again and compared with what the log said (I5).
    mutating func finish() throws {
        guard let file = open.take() else { return }
        let keyValues =
            [("writer.schema", Table.of(file.part.content, context.options).name)] + context.keyValues + [
                ("cirrus.part", "\(nextNumber)"), ("cirrus.rows", "\(file.rows)"), ("cirrus.content", file.content.hex),
            ]
        _ = try file.writer.finish(keyValues: keyValues)
        let sha256 = hex(try file.sink.finish())
        let name = ReferenceID(
            kind: file.part.kind, minSampleMilliseconds: file.minTimestamp, maxSampleMilliseconds: file.maxTimestamp,
            hash: String(sha256.prefix(ReferenceID.hashDigitCount)))
        let path = "\(context.layout.staging)/\(name)"
        try context.fileSystem.rename(file.path, to: path)
        try verify(path, name: "\(name)", sha256: sha256, rows: file.rows, content: file.content)
        files.append(
            CompactedFile(name: "\(name)", byteCount: file.sink.byteCount, sha256: sha256, rows: file.rows))
    }

    private func verify(
        _ path: String, name: String, sha256: String, rows: Int, content: ContentHash
    ) throws {
        let stored = try StoredFile(path, in: context.fileSystem)
        func fail(_ detail: String) -> CompactorError {
            CompactorError(reason: .verification(name: name, detail: detail))
        }
        guard hex(try stored.sha256()) == sha256 else { throw fail("its SHA-256 differs") }
        let found = try ParquetFile.verify(stored)
        guard found.rows == rows else { throw fail("it holds \(found.rows) rows instead of \(rows)") }
        guard found.content == content else { throw fail("its content differs") }
    }
}
