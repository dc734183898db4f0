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
        (verdict, damage) = try Self.check(source, metadata, path: path, sha256: sha256)
        if headLimit > 0 {
            do {
                head = try Self.head(opened, limit: headLimit)
            } catch is ParquetError where damage != nil {
                head = []  // the damage is told already
            }
        }
    }

    /// Every byte of a file of ours; the bytes of others are theirs to judge.
    private static func check(
        _ source: OpenedFile, _ metadata: FileMetadata, path: String, sha256: String
    ) throws -> (String, String?) {
        guard metadata.createdBy.hasPrefix("cirrus ") else { return ("foreign", nil) }
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

    private static func head(_ file: ParquetFile<OpenedFile>, limit: Int) throws -> [Row] {
        let leaves = file.metadata.leaves
        var rows: [Row] = []
        for (group, rowGroup) in file.metadata.rowGroups.enumerated() where rows.count < limit {
            let taken = min(limit - rows.count, rowGroup.rowCount)
            let first = rows.count
            rows += [Row](repeating: [], count: taken)
            for column in leaves.indices {
                let values = try file.readColumn(rowGroup: group, column: column)
                let cells = Self.cells(values, taken, leaves[column])
                for row in 0..<taken { rows[first + row].append(cells[row]) }
            }
        }
        return rows
    }

    /// The first `count` rows; a list in brackets, an absent value as nothing.
    private static func cells(_ values: ColumnValues, _ count: Int, _ leaf: SchemaElement) -> [String] {
        if case .nested(let counts, let elements) = values {
            var next = 0
            return counts.prefix(count).map { count in
                let cells = (next..<next + Int(count)).map { cell(elements, $0, leaf) }
                next += Int(count)
                return leaf.repetition == 1 ? cells.joined() : "[\(cells.joined(separator: ", "))]"
            }
        }
        return (0..<count).map { cell(values, $0, leaf) }
    }

    private static func cell(_ values: ColumnValues, _ row: Int, _ leaf: SchemaElement) -> String {
        switch values {
        case .dictionary(let entries, let indexes): text(entries, Int(indexes[row]))
        case .strings(let table): text(table, row)
        case .int64(let numbers): leaf.number(numbers[row])
        case .nested: ""  // within another: no column is
        }
    }

    private static func text(_ table: ByteTable, _ index: Int) -> String {
        String(decoding: table.string(index), as: UTF8.self)
    }
}

extension ParquetInspection.Column {
    /// One column over some chunks of it.
    fileprivate init(_ name: String, _ leaf: SchemaElement, _ chunks: [ColumnChunk]) {
        self.name = name
        type = leaf.typeText
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
        if leaf.type == .int64 {
            let numbers = known.filter { $0.count == 8 }.map { bytes in
                Int64(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
            }
            guard numbers.count == known.count, let value = smallest ? numbers.min() : numbers.max() else { return nil }
            return leaf.number(value)
        }
        if leaf.type == .double {
            let numbers = known.filter { $0.count == 8 }.map { bytes in
                Double(bitPattern: bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) })
            }
            guard numbers.count == known.count else { return nil }
            return (smallest ? numbers.min() : numbers.max()).map { "\($0)" }
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
    /// A value of 64 bits in words.
    fileprivate func number(_ word: Int64) -> String {
        if isTimestamp { return HumanText.time(word) }
        if type == .double { return "\(Double(word: word))" }
        return type == .boolean ? "\(word != 0)" : "\(word)"
    }

    /// `BYTE_ARRAY/UTF8`, `INT64/TS(ms)`
    fileprivate var typeText: String {
        let physical = ["BOOLEAN", "INT32", "INT64", "INT96", "FLOAT", "DOUBLE", "BYTE_ARRAY", "FIXED_LEN_BYTE_ARRAY"]
        let number = type.map { Int($0.rawValue) } ?? -1
        let name = physical.indices.contains(number) ? physical[number] : "type \(number)"
        if isTimestamp { return name + "/TS(ms)" }
        return logicalType == .string || convertedType == 0 ? name + "/UTF8" : name
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
