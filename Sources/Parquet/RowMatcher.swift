/// The rows of one row group that a query wants. Strings are judged once for each dictionary entry.
package struct RowMatcher {
    private let times: [Int64]
    private let timePlaces: Places
    private let timeUnit: SchemaElement.TimeUnit
    private let wantedTimes: ClosedRange<Int64>
    private let keys: [KeyColumn]
    private let filters: [(column: Texts, isWanted: [Bool])]

    /// One part of the key: a text for each entry, or the hour.
    private enum KeyColumn {
        case texts(Texts, [String])
        case hour
    }

    package let count: Int

    package init(
        _ query: RowQuery, _ file: ParquetFile<some ByteSource>, _ group: Int, _ columns: QueryColumns
    ) throws {
        func read(_ column: Int) throws -> ColumnValues { try file.readColumn(rowGroup: group, column: column) }
        let values = try read(columns.timestamp)
        guard case .int64(let times) = values.elements else {
            throw ParquetError(.notSupported("times that are not numbers"))
        }
        self.times = times
        timePlaces = Places(values.counts)
        timeUnit = columns.timeUnit
        count = values.count
        wantedTimes = query.times
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

    /// Of a row, in milliseconds; nil where it has none.
    private func time(_ row: Int) -> Int64? { timePlaces[row].map { timeUnit.milliseconds(times[$0]) } }

    package func isWanted(_ row: Int) -> Bool {
        // A row without a time is in no span of time but the endless one.
        if wantedTimes != .min ... .max {
            guard let time = time(row), wantedTimes.contains(time) else { return false }
        }
        return filters.allSatisfy { $0.isWanted[$0.column.entry(row)] }
    }

    /// The key of a row; nil for a row that is not wanted.
    func key(_ row: Int) -> [String]? {
        guard isWanted(row) else { return nil }
        return keys.map { key in
            switch key {
            case .texts(let column, let texts): return texts[column.entry(row)]
            case .hour:
                guard let milliseconds = time(row) else { return "" }
                let time = CivilTime(milliseconds: milliseconds)
                return "\(time.dateText)T\(CivilTime.padded(time.hour, 2))"
            }
        }
    }
}

/// The values of a row group's rows as numbers, be they texts.
struct NumberColumn {
    private let values: ColumnValues
    private let places: Places

    init(_ values: ColumnValues) {
        self.values = values.elements
        places = Places(values.counts)
    }

    /// nil where a row has none.
    func number(_ row: Int) throws(ParquetError) -> Double? {
        guard let place = places[row] else { return nil }
        let text: [UInt8]
        switch values {
        case .dictionary(let entries, let indexes): text = entries.string(Int(indexes[place]))
        case .strings(let table): text = table.string(place)
        case .int64(let numbers): return Double(word: numbers[place])
        case .nested: throw ParquetError(.notSupported("values that are lists"))
        }
        guard let value = Double(String(decoding: text, as: UTF8.self)) else {
            throw ParquetError(.notSupported("a value that is not a number"))
        }
        return value
    }
}

/// Which element of an OPTIONAL column is a row's.
private struct Places {
    private static let none = UInt32.max
    /// nil: each row has its own.
    private let elements: [UInt32]?

    init(_ counts: [UInt32]?) {
        var next: UInt32 = 0
        elements = counts.map { counts in
            counts.map { count in
                guard count > 0 else { return Self.none }
                defer { next += count }
                return next
            }
        }
    }

    subscript(row: Int) -> Int? {
        guard let elements else { return row }
        return elements[row] == Self.none ? nil : Int(elements[row])
    }
}

/// A text for each row of a row group: entries, and the entry of each row.
private struct Texts {
    private let table: ByteTable
    /// nil: each row is its own entry.
    private let indexes: [UInt32]?

    /// Each a copy, made when it is asked for.
    var entries: LazyMapSequence<Range<Int>, [UInt8]> { (0..<table.count).lazy.map(table.string) }

    init(_ table: ByteTable, _ indexes: [UInt32]?) { (self.table, self.indexes) = (table, indexes) }

    /// A row without a text has the empty one.
    /// - Throws: `.notSupported` unless the elements are strings.
    init(_ values: ColumnValues) throws(ParquetError) {
        switch values {
        case .dictionary(let entries, let indexes): self.init(entries, indexes)
        case .strings(let table): self.init(table, nil)
        case .nested(let counts, let elements):
            let places = Places(counts)
            try self.init(try Texts(elements), rows: counts.count) { rows in
                for row in rows.indices { rows[row] = places[row] }
            }
        case .int64: throw ParquetError(.notSupported("texts that are numbers"))
        }
    }

    /// `texts` with one more entry, the empty text, for the rows that `place` gives no element.
    init(_ texts: Texts, rows: Int, _ place: (inout [Int?]) -> Void) throws(ParquetError) {
        var elements = [Int?](repeating: nil, count: rows)
        place(&elements)
        var table = texts.table
        let none = UInt32(table.count)
        try table.append([])
        self.init(table, elements.map { $0.map { UInt32(texts.entry($0)) } ?? none })
    }

    func entry(_ row: Int) -> Int { indexes.map { Int($0[row]) } ?? row }

    /// The value that each text, a JSON object, has for `name`; empty where it has none.
    func members(_ name: String) throws(ParquetError) -> Texts {
        let wanted = [UInt8](name.utf8)
        var values = ByteTable()
        for entry in entries {
            // SAFETY: UInt8 has no padding.
            guard let pairs = LabelsText.pairs(unsafe entry.span.bytes) else {
                // The empty text is a row's that has no labels.
                guard entry.isEmpty else {
                    throw ParquetError(.notSupported("a column of labels that are no JSON object of strings"))
                }
                try values.append([])
                continue
            }
            try values.append(pairs.first { $0.name == wanted }?.value ?? [])
        }
        return Texts(values, indexes)
    }
}

/// The labels of a row group's rows, by name. Columns are read when the first label asks for them.
private struct LabelReader {
    private let columns: QueryColumns
    private let read: (Int) throws -> ColumnValues
    private var json: Texts?
    private var map: (counts: [UInt32], keys: Texts, values: Texts)?

    init(_ columns: QueryColumns, _ read: @escaping (Int) throws -> ColumnValues) {
        self.columns = columns
        self.read = read
    }

    /// The values of a label, empty where a row has none; `__name__` is the metric's name.
    mutating func label(_ name: String) throws -> Texts {
        if name == "__name__" { return try Texts(read(columns.metric)) }
        if columns.hasLabelMap {
            if let promoted = columns.promoted[name] { return try Texts(read(promoted)) }
            return try mapped([UInt8](name.utf8))
        }
        let texts = try json ?? Texts(read(columns.labels))
        json = texts
        return try texts.members(name)
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
        return try Texts(values, rows: counts.count) { rows in
            var next = 0
            for (row, count) in counts.enumerated() {
                for element in next..<next + Int(count) where isWanted[keys.entry(element)] { rows[row] = element }
                next += Int(count)
            }
        }
    }
}
