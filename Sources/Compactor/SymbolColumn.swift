internal import Parquet

/// Rows of one series beside each other.
typealias SeriesSpan = (series: UInt32, count: Int)

/// Symbols of a catalog as a column, entries in the order of first use.
struct SymbolColumn {
    private let catalog: SeriesCatalog
    private var entries = ByteTable()
    private var indexOf: [UInt32: UInt32] = [:]
    private var indexes: [UInt32] = []
    private var last: (symbol: UInt32, index: UInt32)?

    init(_ catalog: SeriesCatalog, reserving count: Int = 0) {
        self.catalog = catalog
        indexes.reserveCapacity(count)
    }

    var values: ColumnValues { .dictionary(entries: entries, indexes: indexes) }

    mutating func append(_ symbol: UInt32, count: Int = 1) throws(ParquetError) {
        let index = try index(of: symbol)
        indexes.append(addingCapacity: count) { $0.append(repeating: index, count: count) }
    }

    /// As `append` of each in turn, all of them `count` times.
    mutating func append(_ symbols: [UInt32], count: Int) throws(ParquetError) {
        var set: [UInt32] = []
        for symbol in symbols { set.append(try index(of: symbol)) }
        indexes.append(addingCapacity: set.count * count) { room in
            for _ in 0..<count {
                for index in set { room.append(index) }
            }
        }
    }

    private mutating func index(of symbol: UInt32) throws(ParquetError) -> UInt32 {
        if let last, last.symbol == symbol { return last.index }
        let index = indexOf[symbol] ?? UInt32(entries.count)
        if index == entries.count {
            indexOf[symbol] = index
            try entries.append(Array(catalog.text(symbol)))
        }
        last = (symbol, index)
        return index
    }
}
