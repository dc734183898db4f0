internal import Parquet

/// What one row has in one column.
enum ParquetCell {
    case null
    case text(String)
    /// An integer, or `true` and `false`.
    case literal(String)
    case double(Double)
    case float(Float)
    case time(Int64, SchemaElement.TimeUnit)
    case list([ParquetCell])
    case map([(key: ParquetCell, value: ParquetCell)])
}

/// One column of a row group, row by row. A null list is an empty one.
struct ParquetCells {
    private let leaf: SchemaElement
    private let isList: Bool
    private let values: ColumnValues
    /// Slots of each row, and whether a slot has a value; nil where each has one.
    private let slots: [UInt32]?
    private let isPresent: [UInt32]?
    private var row = 0
    private var slot = 0
    private var value = 0

    /// - Throws: `ParquetError`; `IOError`.
    init(_ file: ParquetFile<OpenedFile>, rowGroup: Int, column: Int) throws {
        leaf = file.metadata.leaves[column]
        isList = file.metadata.columns[column]?.isRepeated ?? false
        let read = try file.readColumn(rowGroup: rowGroup, column: column)
        (slots, isPresent) = (read.counts, read.elements.counts)
        values = read.elements.elements
    }

    mutating func next() -> ParquetCell {
        let count = slots.map { Int($0[row]) } ?? 1
        row += 1
        guard isList else { return count > 0 ? element() : .null }
        return .list((0..<count).map { _ in element() })
    }

    mutating func skip() {
        let count = slots.map { Int($0[row]) } ?? 1
        row += 1
        for _ in 0..<count {
            value += isPresent.map { Int($0[slot]) } ?? 1
            slot += 1
        }
    }

    private mutating func element() -> ParquetCell {
        defer { slot += 1 }
        if let isPresent, isPresent[slot] == 0 { return .null }
        defer { value += 1 }
        switch values {
        case .dictionary(let entries, let indexes): return Self.text(entries, Int(indexes[value]))
        case .strings(let table): return Self.text(table, value)
        case .int64(let numbers): return leaf.cell(numbers[value])
        case .nested: return .null  // no deeper than that
        }
    }

    private static func text(_ table: ByteTable, _ index: Int) -> ParquetCell {
        .text(String(decoding: table.string(index), as: UTF8.self))
    }
}

/// The rows of one row group: each column's cells, a map's two columns as one. Memory: the row group.
struct ParquetRows {
    private enum Field {
        case column(ParquetCells)
        case map(ParquetCells, ParquetCells)
    }

    private(set) var names: [String] = []
    /// Columns that are left out, and why.
    private(set) var unreadable: [(name: String, error: ParquetError)] = []
    private var fields: [Field] = []

    /// - Throws: `ParquetError` for damage; `IOError`.
    init(_ file: ParquetFile<OpenedFile>, rowGroup: Int) throws {
        let columns = file.metadata.columns
        for (index, column) in columns.enumerated() where column?.repetition != .mapValue {
            let name = column?.name ?? file.metadata.leafName(index)
            do {
                let cells = try ParquetCells(file, rowGroup: rowGroup, column: index)
                if column?.repetition == .mapKey {
                    fields.append(.map(cells, try ParquetCells(file, rowGroup: rowGroup, column: index + 1)))
                } else {
                    fields.append(.column(cells))
                }
                names.append(name)
            } catch let error as ParquetError where !error.isDamage {
                unreadable.append((name, error))
            }
        }
    }

    /// The next row; nil, without making it, unless it is wanted.
    mutating func next(isWanted: Bool) -> [ParquetCell]? {
        var cells: [ParquetCell] = []
        for index in fields.indices {
            switch fields[index] {
            case .column(var column):
                if isWanted { cells.append(column.next()) } else { column.skip() }
                fields[index] = .column(column)
            case .map(var keys, var values):
                if isWanted {
                    cells.append(Self.map(keys.next(), values.next()))
                } else {
                    keys.skip()
                    values.skip()
                }
                fields[index] = .map(keys, values)
            }
        }
        return isWanted ? cells : nil
    }

    private static func map(_ keys: ParquetCell, _ values: ParquetCell) -> ParquetCell {
        guard case .list(let keys) = keys, case .list(let values) = values else { return .null }
        return .map(zip(keys, values).map { (key: $0, value: $1) })
    }
}

extension ParquetCell {
    /// For a table: as it is, nothing for null.
    var shown: String {
        switch self {
        case .null: ""
        case .text(let text), .literal(let text): text
        case .double(let value): "\(value)"
        case .float(let value): "\(value)"
        case .time(let time, let unit): Self.text(time, unit)
        case .list(let cells): "[\(cells.map(\.shown).joined(separator: ", "))]"
        case .map(let pairs): "{\(pairs.map { "\($0.key.shown): \($0.value.shown)" }.joined(separator: ", "))}"
        }
    }

    /// NaN and infinities are texts, times milliseconds since 1970, as in the lines of the log.
    var json: String {
        switch self {
        case .null: "null"
        case .text(let text): CatText.quoted(text)
        case .literal(let text): text
        case .double(let value): value.isFinite ? CatText.number(value) : "\"\(CatText.number(value))\""
        case .float(let value): value.isFinite ? "\(value)" : "\"\(CatText.number(Double(value)))\""
        case .time(let time, let unit): Self.number(time, unit)
        case .list(let cells): "[\(cells.map(\.json).joined(separator: ","))]"
        case .map(let pairs):
            "{\(pairs.map { "\(CatText.quoted($0.key.shown)):\($0.value.json)" }.joined(separator: ","))}"
        }
    }

    /// One word of a line of text.
    var word: String {
        switch self {
        case .text(let text): CatText.quoted(text)
        case .time(let time, let unit): Self.text(time, unit)
        default: json
        }
    }

    /// A field of RFC 4180; nothing for null, which the empty text is not.
    var csv: String {
        switch self {
        case .null: return ""
        case .text(let text): return Self.csv(text)
        case .double(let value): return CatText.number(value)
        case .time(let time, let unit): return Self.text(time, unit)
        case .list, .map: return Self.csv(json)
        case .literal, .float: return shown
        }
    }

    static func csv(_ text: String) -> String {
        let isPlain = !text.isEmpty && !text.utf8.contains { [0x22, 0x2C, 0x0A, 0x0D].contains($0) }
        guard !isPlain else { return text }
        return "\"" + text.split(separator: "\"", omittingEmptySubsequences: false).joined(separator: "\"\"") + "\""
    }

    /// Milliseconds, and what is below them as a fraction.
    private static func number(_ time: Int64, _ unit: SchemaElement.TimeUnit) -> String {
        let (whole, rest) = time.magnitude.quotientAndRemainder(dividingBy: UInt64(unit.ticks))
        let sign = time < 0 ? "-" : ""
        return rest == 0 ? "\(sign)\(whole)" : "\(sign)\(whole).\(CivilTime.padded(Int(rest), unit.digitCount))"
    }

    /// With as many digits as the unit has.
    private static func text(_ time: Int64, _ unit: SchemaElement.TimeUnit) -> String {
        let milliseconds = unit.milliseconds(time)
        let text = HumanText.time(milliseconds)
        guard unit != .milliseconds, text.hasSuffix("Z") else { return text }
        return text.dropLast() + CivilTime.padded(Int(time &- milliseconds &* unit.ticks), unit.digitCount) + "Z"
    }
}

extension SchemaElement.TimeUnit {
    /// Below a millisecond.
    fileprivate var digitCount: Int { self == .nanoseconds ? 6 : 3 }
}

extension SchemaElement {
    /// Of a number's 64 bits.
    func cell(_ word: Int64) -> ParquetCell {
        if let timeUnit { return .time(word, timeUnit) }
        switch type {
        case .float: return .float(Float(Double(word: word)))
        case .double: return .double(Double(word: word))
        case .boolean: return .literal(word == 0 ? "false" : "true")
        default: return .literal("\(word)")
        }
    }
}
