internal import Digest
internal import DiskIO
internal import Parquet

/// What a Parquet file says of itself, and whether that is so: `czctl.inspect.parquet/v1`.
struct ParquetInspection: Encodable {
    struct Column: Encodable {
        let name: String
        let type: String
        let encodings: [String]
        let codec: String
        /// As stored.
        var bytes = 0
        var rawBytes = 0
        /// nil when a chunk does not say.
        var nulls: Int?
        var min: String?
        var max: String?
    }

    struct Group: Encodable {
        let rows: Int
        let bytes: Int
        let rawBytes: Int
        let columns: [Column]
    }

    struct KeyValue: Encodable {
        let key: String
        let value: String
    }

    struct Unreadable: Encodable {
        let column: String
        let cause: String
    }

    /// Cells in the order of the columns.
    typealias Row = [String]

    let schema = "czctl.inspect.parquet/v1"
    let file: String
    let bytes: Int
    let rows: Int
    let rowGroups: Int
    let createdBy: String
    let sha256: String
    /// Raw bytes of all pages to stored ones.
    let ratio: Double
    let keyValues: [KeyValue]
    let columns: [Column]
    private(set) var groups: [Group]?
    private(set) var head: [Row]?
    /// Columns that `head` does not show, and why; nil when there are none.
    private(set) var unreadable: [Unreadable]?
    /// `good`, `damaged`, or `foreign`: of another writer, only its footer was read.
    let verdict: String
    /// What is wrong, and where.
    let damage: String?

    /// - Throws: `ParquetError` when the footer cannot be read; `IOError`.
    init(_ path: String, shown: String, withGroups: Bool, headLimit: Int) throws {
        let source = try OpenedFile(path, in: PosixFileSystem())
        let opened = try ParquetFile(source: source)
        let metadata = opened.metadata
        let leaves = metadata.leaves
        file = shown
        bytes = source.count
        rows = metadata.rowCount
        rowGroups = metadata.rowGroups.count
        createdBy = metadata.createdBy
        sha256 = hex(try source.sha256())
        // Floating: sums of what a file claims may not fit an integer.
        let stored = metadata.rowGroups.reduce(0) { $0 + Double($1.compressedByteCount) }
        ratio = stored > 0 ? metadata.rowGroups.reduce(0) { $0 + Double($1.byteCount) } / stored : 1
        keyValues = metadata.keyValues.map { KeyValue(key: $0.key, value: $0.value) }
        columns = leaves.indices.map { index in
            Column(metadata.leafName(index), leaves[index], metadata.rowGroups.map { $0.columns[index] })
        }
        if withGroups {
            groups = metadata.rowGroups.map { group in
                Group(
                    rows: group.rowCount, bytes: group.compressedByteCount, rawBytes: group.byteCount,
                    columns: leaves.indices.map {
                        Column(metadata.leafName($0), leaves[$0], [group.columns[$0]])
                    })
            }
        }
        (verdict, damage) = try Self.check(source, isOurs: opened.isOurs, path: path, sha256: sha256)
        if headLimit > 0 {
            do {
                head = try readHead(opened, limit: headLimit)
            } catch is ParquetError where damage != nil {
                head = []  // the damage is told already
            }
        }
    }

    /// Every byte of a file of ours; the bytes of others are theirs to judge.
    private static func check(
        _ source: OpenedFile, isOurs: Bool, path: String, sha256: String
    ) throws -> (String, String?) {
        guard isOurs else { return ("foreign", nil) }
        let name = path.lastIndex(of: "/").map { String(path[path.index(after: $0)...]) } ?? path
        do {
            _ = try ParquetFile.verify(source)
        } catch let error as ParquetError {
            return ("damaged", "\(error)")
        }
        if let id = ReferenceID(name), !sha256.hasPrefix(id.hash) {
            return ("damaged", "its SHA-256 begins with \(sha256.prefix(32)), its name says \(id.hash)")
        }
        return ("good", nil)
    }

    /// A column that we do not read is a question mark in every row, and told of once.
    private mutating func readHead(_ file: ParquetFile<OpenedFile>, limit: Int) throws -> [Row] {
        var rows: [Row] = []
        var causes: [Int: ParquetError] = [:]
        for (group, rowGroup) in file.metadata.rowGroups.enumerated() where rows.count < limit {
            let taken = min(limit - rows.count, rowGroup.rowCount)
            let first = rows.count
            rows += [Row](repeating: [], count: taken)
            for column in rowGroup.columns.indices {
                let cells: [String]
                do {
                    var reader = try ParquetCells(file, rowGroup: group, column: column)
                    cells = (0..<taken).map { _ in reader.next().shown }
                } catch let error as ParquetError where !error.isDamage {
                    causes[column] = causes[column] ?? error
                    cells = [String](repeating: "?", count: taken)
                }
                for row in 0..<taken { rows[first + row].append(cells[row]) }
            }
        }
        guard !causes.isEmpty else { return rows }
        unreadable = causes.sorted { $0.key < $1.key }.map { column, error in
            Unreadable(column: file.metadata.leafName(column), cause: "\(error)")
        }
        return rows
    }
}

extension ParquetInspection.Column {
    /// One column over some chunks of it.
    fileprivate init(_ name: String, _ leaf: SchemaElement, _ chunks: [ColumnChunk]) {
        self.name = name
        type = leaf.typeName
        var encodings: [String] = []
        var codecs: [String] = []
        for chunk in chunks {
            for encoding in chunk.dataEncodings where !encodings.contains(encoding) { encodings.append(encoding) }
            if !codecs.contains("\(chunk.codec)") { codecs.append("\(chunk.codec)") }
        }
        self.encodings = encodings
        codec = codecs.joined(separator: ", ")
        // Sizes come from the file: sums may not fit.
        bytes = chunks.reduce(0) { $0.addingReportingOverflow($1.compressedByteCount).partialValue }
        rawBytes = chunks.reduce(0) { $0.addingReportingOverflow($1.uncompressedByteCount).partialValue }
        let counts = chunks.map { $0.statistics?.nullCount }
        nulls = counts.contains(nil) ? nil : counts.reduce(0) { $0.addingReportingOverflow($1 ?? 0).partialValue }
        let bounds = chunks.map(\.statistics)
        min = Self.bound(bounds.map { $0?.min }, of: leaf, smallest: true)
        max = Self.bound(bounds.map { $0?.max }, of: leaf, smallest: false)
    }

    /// nil when a chunk has no bound.
    private static func bound(_ bounds: [[UInt8]?], of leaf: SchemaElement, smallest: Bool) -> String? {
        let known = bounds.compactMap(\.self)
        guard known.count == bounds.count else { return nil }
        if let numbers = leaf.numbers(known) {
            let ordered = numbers.min { leaf.precedes($0, $1) == smallest && $0 != $1 }
            return ordered.map { leaf.cell($0).shown }
        }
        if leaf.type == .boolean {
            return known.contains(smallest ? [0] : [1]) ? "\(!smallest)" : "\(smallest)"
        }
        let ordered = known.min { smallest ? $0.lexicographicallyPrecedes($1) : $1.lexicographicallyPrecedes($0) }
        return ordered.map { String(decoding: $0, as: UTF8.self) }
    }
}

extension ColumnChunk {
    /// Encodings of the data pages: the dictionary's own and the levels' say nothing.
    fileprivate var dataEncodings: [String] {
        let ofPages = encodingCounts.filter { $0.page == .data || $0.page == .dataV2 }.map { "\($0.encoding)" }
        return ofPages.isEmpty ? encodings.filter { $0 != .rle }.map { "\($0)" } : ofPages
    }
}

extension SchemaElement {
    /// Bounds in PLAIN as words; nil for what are no numbers.
    fileprivate func numbers(_ bounds: [[UInt8]]) -> [Int64]? {
        let byteCount: Int
        switch type {
        case .int32, .float: byteCount = 4
        case .int64, .double: byteCount = 8
        default: return nil
        }
        return bounds.allSatisfy { $0.count == byteCount } ? bounds.map(word) : []
    }

    private func word(_ plain: [UInt8]) -> Int64 {
        let bits = plain.reversed().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
        switch type {
        case .int32: return Int64(Int32(truncatingIfNeeded: bits))
        case .float: return Double(Float(bitPattern: UInt32(truncatingIfNeeded: bits))).word
        default: return Int64(bitPattern: bits)
        }
    }

    fileprivate func precedes(_ first: Int64, _ second: Int64) -> Bool {
        type == .float || type == .double ? Double(word: first) < Double(word: second) : first < second
    }
}

extension OpenedFile {
    /// Of the whole file.
    func sha256() throws -> [UInt8] {
        var digest = Digest(.sha256)
        var offset = 0
        while offset < count {
            let bytes = try read(at: offset, count: min(1 << 20, count - offset))
            if bytes.isEmpty { break }  // it became shorter
            // SAFETY: UInt8 has no padding.
            digest.update(unsafe bytes.span.bytes)
            offset += bytes.count
        }
        return digest.finish()
    }
}
