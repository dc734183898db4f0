import Parquet

/// Bytes of hex digits; anything else is left out.
func bytes(hex text: String) -> [UInt8] {
    let digits = text.compactMap(\.hexDigitValue)
    return stride(from: 0, to: digits.count, by: 2).map { UInt8(digits[$0] << 4 | digits[$0 + 1]) }
}

/// Random numbers of a seed: a failing seed fails again (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
        return mixed ^ mixed >> 31
    }

    mutating func upTo(_ limit: Int) -> Int { Int.random(in: 0...limit, using: &self) }
    mutating func chance(_ percent: Int) -> Bool { upTo(99) < percent }

    /// Text of up to `limit` bytes; in a fifth of all cases with characters of several bytes.
    mutating func text(_ limit: Int) -> [UInt8] {
        let length = upTo(limit)
        guard chance(20) else { return (0..<length).map { _ in UInt8.random(in: 32...126, using: &self) } }
        let scalars: [Unicode.Scalar] = ["a", "é", "\u{D7FF}", "\u{E000}", "😀", "\u{10FFFF}", "\u{7F}"]
        var bytes: [UInt8] = []
        while bytes.count + 4 <= length { bytes += [UInt8](String(scalars[upTo(scalars.count - 1)]).utf8) }
        return bytes
    }
}

/// Strings interned in order of first use, as a caller of the writer does it.
func interned(_ rows: [[UInt8]]) throws -> ColumnValues {
    var places: [[UInt8]: UInt32] = [:]
    var entries = ByteTable()
    var indexes: [UInt32] = []
    for row in rows {
        if places[row] == nil {
            places[row] = UInt32(entries.count)
            try entries.append(row)
        }
        indexes.append(places[row] ?? 0)
    }
    return .dictionary(entries: entries, indexes: indexes)
}

extension ColumnValues {
    /// The strings of the rows, whatever their representation.
    var rows: [[UInt8]] {
        switch self {
        case .strings(let table): (0..<table.count).map { table.string($0) }
        case .dictionary(let entries, let indexes): indexes.map { entries.string(Int($0)) }
        case .int64: []
        case .nested(_, let elements): elements.rows
        }
    }
}

/// A file of `rowGroups`, and the hash of what went in.
func written(
    _ schema: Schema, _ options: WriterOptions, _ rowGroups: [[ColumnValues]], keyValues: [(String, String)] = []
) throws -> (bytes: [UInt8], content: ContentHash, metadata: FileMetadata) {
    var writer = try ParquetWriter(schema: schema, options: options, sink: MemoryFile())
    var content = ContentHash()
    for rowGroup in rowGroups {
        try writer.write(rowGroup: rowGroup)
        content.add(rowGroup: rowGroup)
    }
    let file = try writer.finish(keyValues: keyValues)
    return (file.sink.bytes, content, file.metadata)
}
