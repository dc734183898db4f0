/// The rows of one row group that a query wants. Strings are judged once for each dictionary entry.
struct RowMatcher {
    private let times: [Int64]
    private let wantedTimes: ClosedRange<Int64>
    private let values: ColumnValues
    private let hasTextValues: Bool
    private let keys: [KeyColumn]
    private let filters: [(column: Texts, isWanted: [Bool])]

    /// One part of the key: a text for each entry, or the hour.
    private enum KeyColumn {
        case texts(Texts, [String])
        case hour
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
        hasTextValues = columns.hasTextValues
        var reader = LabelReader(columns, read)
        filters = try query.filters.map { filter in
            let column = try reader.label(filter.name)
            let wanted = [UInt8](filter.value.utf8)
            return (column: column, isWanted: column.entries.map { ($0 == wanted) == filter.isEqual })
        }
        keys = try query.keys.map { key in
            let name: String
            switch key {
            case .metric: name = "__name__"
            case .node: name = "node"
            case .label(let label): name = label
            case .hour: return .hour
            }
            let column = try reader.label(name)
            return .texts(column, column.entries.map { String(decoding: $0, as: UTF8.self) })
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
        case .int64(let numbers): return Double(word: numbers[row])
        case .nested: throw ParquetError(.notSupported("values that are lists"))
        }
        guard let value = Double(String(decoding: text, as: UTF8.self)) else {
            throw ParquetError(.corrupt("a value that is not a number"))
        }
        return value
    }
}

/// A text for each row of a row group: entries, and the entry of each row.
private struct Texts {
    let entries: [[UInt8]]
    /// nil: each row is its own entry.
    let indexes: [UInt32]?

    init(_ entries: [[UInt8]], _ indexes: [UInt32]?) { (self.entries, self.indexes) = (entries, indexes) }

    /// - Throws: `.notSupported` unless each row has one string.
    init(_ values: ColumnValues) throws(ParquetError) {
        switch values {
        case .dictionary(let entries, let indexes): self.init((0..<entries.count).map(entries.string), indexes)
        case .strings(let table): self.init((0..<table.count).map(table.string), nil)
        case .int64, .nested: throw ParquetError(.notSupported("texts that are numbers or lists"))
        }
    }

    func entry(_ row: Int) -> Int { indexes.map { Int($0[row]) } ?? row }
}

/// The labels of a row group's rows, by name. Columns are read when the first label asks for them.
private struct LabelReader {
    private let columns: QueryColumns
    private let read: (Int) throws -> ColumnValues
    private var jsonSets: (sets: [[(name: [UInt8], value: [UInt8])]], indexes: [UInt32]?)?
    private var map: (counts: [UInt32], keys: Texts, values: Texts)?

    init(_ columns: QueryColumns, _ read: @escaping (Int) throws -> ColumnValues) {
        self.columns = columns
        self.read = read
    }

    /// The values of a label, empty where a row has none; `__name__` is the metric's name.
    mutating func label(_ name: String) throws -> Texts {
        if name == "__name__" { return try Texts(read(columns.metric)) }
        if columns.hasLabelMap {
            guard let promoted = columns.promoted[name] else { return try mapped([UInt8](name.utf8)) }
            let values = try read(promoted)
            guard let counts = values.counts else { return try Texts(values) }
            return Self.padded(try Texts(values.elements), rows: counts.count) { rows in
                var next = 0
                for (row, count) in counts.enumerated() where count > 0 {
                    rows[row] = next
                    next += 1
                }
            }
        }
        if jsonSets == nil {
            let texts = try Texts(read(columns.labels))
            let sets = try texts.entries.map { entry throws(ParquetError) in
                // SAFETY: UInt8 has no padding.
                guard let pairs = LabelsText.pairs(unsafe entry.span.bytes) else {
                    throw ParquetError(.corrupt("labels that are not an object of strings"))
                }
                return pairs
            }
            jsonSets = (sets, texts.indexes)
        }
        let wanted = [UInt8](name.utf8)
        let sets = jsonSets?.sets ?? []
        return Texts(sets.map { set in set.first { $0.name == wanted }?.value ?? [] }, jsonSets?.indexes)
    }

    private mutating func mapped(_ name: [UInt8]) throws -> Texts {
        if map == nil {
            let (keys, values) = (try read(columns.labels), try read(columns.labels + 1))
            guard let counts = keys.counts, counts == values.counts else {
                throw ParquetError(.corrupt("labels whose keys and values differ in number"))
            }
            map = (counts, try Texts(keys.elements), try Texts(values.elements))
        }
        guard let (counts, keys, values) = map else { preconditionFailure("the map was read") }
        let isWanted = keys.entries.map { $0 == name }
        return Self.padded(values, rows: counts.count) { rows in
            var next = 0
            for (row, count) in counts.enumerated() {
                for element in next..<next + Int(count) where isWanted[keys.entry(element)] { rows[row] = element }
                next += Int(count)
            }
        }
    }

    /// `texts` with one more entry, the empty text, for the rows that `place` gives no element.
    private static func padded(_ texts: Texts, rows: Int, _ place: (inout [Int?]) -> Void) -> Texts {
        var elements = [Int?](repeating: nil, count: rows)
        place(&elements)
        let none = UInt32(texts.entries.count)
        return Texts(texts.entries + [[]], elements.map { $0.map { UInt32(texts.entry($0)) } ?? none })
    }
}
