/// The values of one column in one row group.
package indirect enum ColumnValues: Equatable, Sendable {
    /// Strings the caller has interned: row `i` is `entries[indexes[i]]`. Entries stand in the order they shall be
    /// written if the column's policy makes them a dictionary; each is used, and none is there twice.
    case dictionary(entries: ByteTable, indexes: [UInt32])
    /// One string a row; the writer chooses the encoding.
    case strings(ByteTable)
    /// One number a row; the writer chooses the encoding. Of a DOUBLE its bits, of a BOOLEAN 0 or 1.
    case int64([Int64])
    /// Of a column that is not REQUIRED: how many values each row has, and the values of all rows.
    case nested(counts: [UInt32], ColumnValues)

    /// Rows.
    package var count: Int {
        switch self {
        case .nested(let counts, _): counts.count
        case .dictionary(_, let indexes): indexes.count
        case .strings(let table): table.count
        case .int64(let values): values.count
        }
    }

    /// The values themselves, whatever rows they make.
    package var elements: ColumnValues {
        if case .nested(_, let elements) = self { elements } else { self }
    }

    /// Values of each row; nil where each has one.
    package var counts: [UInt32]? {
        if case .nested(let counts, _) = self { counts } else { nil }
    }

    var kindName: String {
        switch self {
        case .nested(_, let elements): elements.kindName
        case .dictionary, .strings: "strings"
        case .int64: "numbers"
        }
    }
}
