/// A question to files of samples, of either layout: which rows, in what groups. Its answers add up over files.
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

    /// - Parameter value: nil for a row without, which is counted alone.
    mutating func add(_ value: Double?) {
        count += 1
        guard let value else { return }
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
            guard let column = columns.value else { preconditionFailure("the columns of a query have values") }
            let values = NumberColumn(try file.readColumn(rowGroup: group, column: column))
            try add(try RowMatcher(query, file, group, columns), values)
        }
    }

    private mutating func add(_ rows: RowMatcher, _ values: NumberColumn) throws {
        // Most neighbours are of one group: its place in the table is looked up when the key changes.
        var (key, summary): ([String]?, RowSummary) = (nil, RowSummary())
        for row in 0..<rows.count {
            guard let next = rows.key(row) else { continue }
            if next != key {
                if let key { groups[key] = summary }
                (key, summary) = (next, groups[next] ?? RowSummary())
            }
            summary.add(try values.number(row))
        }
        if let key { groups[key] = summary }
    }
}

/// Where the columns are that a query reads.
package struct QueryColumns: Sendable {
    let metric: Int
    let timestamp: Int
    let timeUnit: SchemaElement.TimeUnit
    /// A text each row (layout `cloudzero`), or the keys of a map, whose values come next (`native`).
    let labels: Int
    let hasLabelMap: Bool
    /// Labels that have a column of their own.
    let promoted: [String: Int]
    /// nil in a file that is not of samples, or for one who asks for no values.
    let value: Int?

    /// - Throws: `.notSupported` for a file that does not have them.
    package init(_ metadata: FileMetadata, withValue: Bool = true) throws(ParquetError) {
        let columns = metadata.columns
        func find(_ name: String, _ kinds: [Column.Kind], orMap: Bool = false) throws(ParquetError) -> Int {
            let index = columns.firstIndex { column in
                guard let column, column.name == name, kinds.contains(column.kind) else { return false }
                return !column.isRepeated || orMap && column.repetition == .mapKey
            }
            guard let index else {
                let names = kinds.map { "\($0)" }.joined(separator: " or ")
                throw ParquetError(.notSupported("a query over a file without a column \(name) of \(names)"))
            }
            return index
        }
        metric = try find("metric_name", [.string])
        timestamp = try find("timestamp", [.timestampMilliseconds, .int64])
        timeUnit = columns[timestamp]?.timeUnit ?? .milliseconds
        labels = try find("labels", [.string], orMap: true)
        hasLabelMap = columns[labels]?.repetition == .mapKey
        value = withValue ? try find("value", [.string, .double]) : nil
        var promoted: [String: Int] = [:]
        for (index, column) in columns.enumerated() {
            guard let column, column.kind == .string, column.repetition == .optional else { continue }
            promoted[column.name] = index
        }
        self.promoted = promoted
    }

    /// False when the bounds of a row group say that no row matches.
    package func mayHold(_ query: RowQuery, _ rowGroup: RowGroup) -> Bool {
        if let times = rowGroup.columns[timestamp].statistics, let low = Self.number(times.min),
            let high = Self.number(times.max)
        {
            let (low, high) = (timeUnit.milliseconds(low), timeUnit.milliseconds(high))
            if low > query.times.upperBound || high < query.times.lowerBound { return false }
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
