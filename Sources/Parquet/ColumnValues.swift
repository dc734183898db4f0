/// The values of one column in one row group.
package enum ColumnValues: Equatable, Sendable {
    /// Strings the caller has interned: row `i` is `entries[indexes[i]]`. Entries stand in the order they shall be
    /// written if the column's policy makes them a dictionary; each is used, and none is there twice.
    case dictionary(entries: ByteTable, indexes: [UInt32])
    /// One string a row; the writer chooses the encoding.
    case strings(ByteTable)
    /// One number a row; the writer chooses the encoding.
    case int64([Int64])

    package var count: Int {
        switch self {
        case .dictionary(_, let indexes): indexes.count
        case .strings(let table): table.count
        case .int64(let values): values.count
        }
    }

    var kindName: String {
        switch self {
        case .dictionary, .strings: "strings"
        case .int64: "numbers"
        }
    }
}
