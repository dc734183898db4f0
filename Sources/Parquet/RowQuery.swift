/// A question to files of layout `cloudzero`: which rows, in what groups. Its answers add up over files.
package struct RowQuery: Sendable {
    /// A label, or `__name__` for the metric's name, and what it must be. An absent label is empty.
    package struct LabelFilter: Equatable, Sendable {
        package var name: String
        package var value: String
        package var isEqual: Bool

        package init(name: String, value: String, isEqual: Bool) {
            self.name = name
            self.value = value
            self.isEqual = isEqual
        }
    }

    package enum Key: Hashable, Sendable {
        case metric, node
        case label(String)
        /// `2026-07-01T15`, UTC.
        case hour
    }

    package var filters: [LabelFilter] = []
    /// Milliseconds since 1970.
    package var times: ClosedRange<Int64> = .min ... .max
    package var keys: [Key] = []

    package init() {}
}

/// What the values of some rows come to. A NaN, such as the mark of a series' end, is counted and otherwise left out.
package struct RowSummary: Equatable, Sendable {
    package private(set) var count = 0
    package private(set) var nanCount = 0
    package private(set) var sum = 0.0
    /// nil while every value was NaN.
    package private(set) var min: Double?
    package private(set) var max: Double?

    package init() {}

    mutating func add(_ value: Double) {
        count += 1
        guard !value.isNaN else {
            nanCount += 1
            return
        }
        sum += value
        min = Swift.min(min ?? value, value)
        max = Swift.max(max ?? value, value)
    }
}

/// The answer to a query over any number of files.
package struct QueryAnswer: Sendable {
    /// Values of the query's keys, and the rows that have them.
    package private(set) var groups: [[String]: RowSummary] = [:]
    package private(set) var files = 0
    package private(set) var rowsRead = 0
    private let query: RowQuery

    package init(_ query: RowQuery) { self.query = query }

    /// Adds the rows of one file; row groups whose bounds exclude every row are not read.
    /// - Throws: `ParquetError`: damage, or a file of another layout; what the source throws.
    package mutating func add(_ file: ParquetFile<some ByteSource>) throws {
        let columns = try QueryColumns(file.metadata)
        files += 1
        for (group, rowGroup) in file.metadata.rowGroups.enumerated() where columns.mayHold(query, rowGroup) {
            rowsRead += rowGroup.rowCount
            try add(try RowMatcher(query, file, group, columns))
        }
    }

    private mutating func add(_ rows: RowMatcher) throws {
        // Most neighbours are of one group: its place in the table is looked up when the key changes.
        var (key, summary): ([String]?, RowSummary) = (nil, RowSummary())
        for row in 0..<rows.count {
            guard let next = rows.key(row) else { continue }
            if next != key {
                if let key { groups[key] = summary }
                (key, summary) = (next, groups[next] ?? RowSummary())
            }
            summary.add(try rows.value(row))
        }
        if let key { groups[key] = summary }
    }
}

/// Where the columns are that a query reads.
struct QueryColumns {
    let metric: Int
    let node: Int
    let timestamp: Int
    let labels: Int
    let value: Int

    init(_ metadata: FileMetadata) throws(ParquetError) {
        let leaves = metadata.leaves
        func find(_ name: String, _ type: PhysicalType) throws(ParquetError) -> Int {
            guard let index = leaves.firstIndex(where: { $0.name == name && $0.type == type }) else {
                throw ParquetError(.notSupported("a query over a file without the column \(name)"))
            }
            return index
        }
        metric = try find("metric_name", .byteArray)
        node = try find("node_name", .byteArray)
        timestamp = try find("timestamp", .int64)
        labels = try find("labels", .byteArray)
        value = try find("value", .byteArray)
    }

    /// False when the bounds of a row group say that no row matches.
    func mayHold(_ query: RowQuery, _ rowGroup: RowGroup) -> Bool {
        if let times = rowGroup.columns[timestamp].statistics, let low = Self.number(times.min),
            let high = Self.number(times.max), low > query.times.upperBound || high < query.times.lowerBound
        {
            return false
        }
        guard let names = rowGroup.columns[metric].statistics else { return true }
        return query.filters.allSatisfy { filter in
            guard filter.isEqual, filter.name == "__name__" else { return true }
            let wanted = [UInt8](filter.value.utf8)
            let isBelow = names.min.map { wanted.lexicographicallyPrecedes($0) } ?? false
            let isAbove = names.max.map { $0.lexicographicallyPrecedes(wanted) } ?? false
            return !isBelow && !isAbove
        }
    }

    private static func number(_ plain: [UInt8]?) -> Int64? {
        guard let plain, plain.count == 8 else { return nil }
        return Int64(bitPattern: plain.reversed().reduce(0) { $0 << 8 | UInt64($1) })
    }
}

/// The rows of one row group that a query wants. Strings are judged once for each dictionary entry.
private struct RowMatcher {
    private let times: [Int64]
    private let wantedTimes: ClosedRange<Int64>
    private let values: ColumnValues
    private let keys: [KeyColumn]
    private let filters: [(column: Texts, isWanted: [Bool])]

    /// One part of the key: a text for each entry, or the hour.
    private enum KeyColumn {
        case texts(Texts, [String])
        case hour
    }

    /// A column of strings as entries and the entry of each row.
    private struct Texts {
        let entries: ByteTable
        /// nil: each row is its own entry.
        let indexes: [UInt32]?

        init(_ values: ColumnValues) {
            switch values {
            case .dictionary(let entries, let indexes): (self.entries, self.indexes) = (entries, indexes)
            case .strings(let table): (entries, indexes) = (table, nil)
            case .int64: (entries, indexes) = (ByteTable(), [])
            }
        }

        func entry(_ row: Int) -> Int { indexes.map { Int($0[row]) } ?? row }
    }

    var count: Int { times.count }

    init(_ query: RowQuery, _ file: ParquetFile<some ByteSource>, _ group: Int, _ columns: QueryColumns) throws {
        func read(_ column: Int) throws -> ColumnValues { try file.readColumn(rowGroup: group, column: column) }
        guard case .int64(let times) = try read(columns.timestamp) else {
            throw ParquetError(.notSupported("times that are not numbers"))
        }
        self.times = times
        wantedTimes = query.times
        values = try read(columns.value)
        let metrics = Texts(try read(columns.metric))
        let usesLabels =
            query.filters.contains { $0.name != "__name__" }
            || query.keys.contains { if case .label = $0 { true } else { false } }
        let labels = usesLabels ? Texts(try read(columns.labels)) : nil
        let nodes = query.keys.contains(.node) ? Texts(try read(columns.node)) : nil
        let sets = try labels.map { labels in
            try (0..<labels.entries.count).map { entry throws(ParquetError) in
                guard let pairs = LabelsText.pairs(labels.entries[entry]) else {
                    throw ParquetError(.corrupt("labels that are not an object of strings"))
                }
                return pairs
            }
        }
        func labelValues(_ name: String) -> [[UInt8]] {
            let name = [UInt8](name.utf8)
            return (sets ?? []).map { set in set.first { $0.name == name }?.value ?? [] }
        }
        filters = query.filters.map { filter in
            let wanted = [UInt8](filter.value.utf8)
            guard let labels, filter.name != "__name__" else {
                let names = (0..<metrics.entries.count).map { metrics.entries.string($0) }
                return (column: metrics, isWanted: names.map { ($0 == wanted) == filter.isEqual })
            }
            return (column: labels, isWanted: labelValues(filter.name).map { ($0 == wanted) == filter.isEqual })
        }
        func texts(_ column: Texts) -> KeyColumn {
            let entries = column.entries
            return .texts(column, (0..<entries.count).map { String(decoding: entries.string($0), as: UTF8.self) })
        }
        keys = query.keys.map { key in
            switch key {
            case .metric: texts(metrics)
            case .node: texts(nodes ?? metrics)
            case .label(let name):
                .texts(labels ?? metrics, labelValues(name).map { String(decoding: $0, as: UTF8.self) })
            case .hour: .hour
            }
        }
    }

    /// The key of a row; nil for a row that is not wanted.
    func key(_ row: Int) -> [String]? {
        guard wantedTimes.contains(times[row]) else { return nil }
        for filter in filters where !filter.isWanted[filter.column.entry(row)] { return nil }
        return keys.map { key in
            switch key {
            case .texts(let column, let texts): return texts[column.entry(row)]
            case .hour:
                let time = CivilTime(milliseconds: times[row])
                return "\(time.dateText)T\(CivilTime.padded(time.hour, 2))"
            }
        }
    }

    func value(_ row: Int) throws(ParquetError) -> Double {
        let text: [UInt8]
        switch values {
        case .dictionary(let entries, let indexes): text = entries.string(Int(indexes[row]))
        case .strings(let table): text = table.string(row)
        case .int64(let numbers): return Double(numbers[row])
        }
        guard let value = Double(String(decoding: text, as: UTF8.self)) else {
            throw ParquetError(.corrupt("a value that is not a number"))
        }
        return value
    }
}
