import Compactor
import Glibc
import Parquet

/// Series and rows of a table of `cluster.py`, in memory.
struct BenchTable {
    struct Series {
        let metric: [UInt8]
        let node: [UInt8]
        let labels: [UInt8]
    }

    let series: [Series]
    let references: [UInt32]
    let timestamps: [Int64]
    let createdAt: [Int64]
    let values: [UInt64]

    var rowCount: Int { references.count }

    init(_ path: String) throws {
        guard let file = fopen(path, "r") else { fatalError("cannot read \(path)") }
        defer { fclose(file) }
        func read<Element: BitwiseCopyable>(_ count: Int, _ type: Element.Type) -> [Element] {
            [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
                initialized = fread(buffer.baseAddress, MemoryLayout<Element>.stride, count, file)
                precondition(initialized == count, "the table ends early")
            }
        }
        func string() -> [UInt8] { read(Int(read(1, UInt32.self)[0]), UInt8.self) }
        precondition(read(4, UInt8.self) == Array("PQB1".utf8), "not a table of cluster.py")
        series = (0..<read(1, UInt32.self)[0]).map { _ in
            Series(metric: string(), node: string(), labels: string())
        }
        let rows = Int(read(1, UInt64.self)[0])
        references = read(rows, UInt32.self)
        timestamps = read(rows, Int64.self)
        createdAt = read(rows, Int64.self)
        values = read(rows, UInt64.self)
    }
}

/// Columns of sorted rows, made as the compactor makes them: dictionaries by series reference, labels in entity order.
struct TableColumns {
    private let table: BenchTable
    /// Of all series, in entity order: ready, and in the order of the file, as pyarrow's are.
    private let labelTexts: ByteTable
    private let metricNumbers: [UInt32]
    private let nodeNumbers: [UInt32]
    private let entityRanks: [UInt32]

    init(_ table: BenchTable) throws {
        self.table = table
        var numbers: [[UInt8]: UInt32] = [:]
        func number(_ text: [UInt8]) -> UInt32 {
            if let known = numbers[text] { return known }
            numbers[text] = UInt32(numbers.count)
            return UInt32(numbers.count - 1)
        }
        metricNumbers = table.series.map { number($0.metric) }
        nodeNumbers = table.series.map { number($0.node) }
        // `{"__name__":"` stands first, the name, `"` and a comma.
        let entities = table.series.map { Array($0.labels.dropFirst(13 + $0.metric.count + 1)) }
        let order = table.series.indices.sorted { left, right in
            if entities[left] != entities[right] { return entities[left].lexicographicallyPrecedes(entities[right]) }
            return table.series[left].metric.lexicographicallyPrecedes(table.series[right].metric)
        }
        var ranks = [UInt32](repeating: 0, count: order.count)
        for (rank, series) in order.enumerated() { ranks[series] = UInt32(rank) }
        entityRanks = ranks
        labelTexts = try ByteTable(order.map { table.series[$0].labels })
    }

    func columns(_ rows: Range<Int>) throws -> [ColumnValues] {
        var spans: [(series: Int, count: Int)] = []
        var start = rows.lowerBound
        while start < rows.upperBound {
            var end = start + 1
            while end < rows.upperBound, table.references[end] == table.references[start] { end += 1 }
            spans.append((Int(table.references[start]), end - start))
            start = end
        }
        let time = CivilTime(milliseconds: table.timestamps[rows.lowerBound])
        let constants = [
            "prod-us-east-1", "123456789012", CivilTime.padded(time.year, 4), CivilTime.padded(time.month, 2),
            CivilTime.padded(time.day, 2), CivilTime.padded(time.hour, 2),
        ]
        var columns: [ColumnValues] = try constants.map {
            .dictionary(
                entries: try ByteTable([Array($0.utf8)]), indexes: [UInt32](repeating: 0, count: rows.count))
        }
        columns.append(try byFirstUse(spans, metricNumbers, \.metric, rows.count))
        columns.append(try byFirstUse(spans, nodeNumbers, \.node, rows.count))
        columns.append(.int64(Array(table.createdAt[rows])))
        columns.append(.int64(Array(table.timestamps[rows])))
        columns.append(try labels(spans, rows.count))
        columns.append(try DecimalText.column(table.values[rows].map { Int64(bitPattern: $0) }))
        return columns
    }

    private func byFirstUse(
        _ spans: [(series: Int, count: Int)], _ numbers: [UInt32], _ text: KeyPath<BenchTable.Series, [UInt8]>,
        _ rowCount: Int
    ) throws -> ColumnValues {
        var entries = ByteTable()
        var indexOf: [UInt32: UInt32] = [:]
        var indexes: [UInt32] = []
        indexes.reserveCapacity(rowCount)
        var (last, index) = (UInt32.max, UInt32.max)
        for span in spans {
            let number = numbers[span.series]
            if number != last {
                last = number
                index = indexOf[number, default: UInt32(entries.count)]
                if Int(index) == entries.count {
                    indexOf[number] = index
                    try entries.append(table.series[span.series][keyPath: text])
                }
            }
            indexes.append(addingCapacity: span.count) { $0.append(repeating: index, count: span.count) }
        }
        return .dictionary(entries: entries, indexes: indexes)
    }

    private func labels(_ spans: [(series: Int, count: Int)], _ rowCount: Int) throws -> ColumnValues {
        func rank(_ span: (series: Int, count: Int)) -> Int { Int(entityRanks[span.series]) }
        let order = spans.indices.sorted { rank(spans[$0]) < rank(spans[$1]) }
        var entries = ByteTable(
            reserving: spans.count, bytes: spans.reduce(0) { $0 + labelTexts.length(rank($1)) })
        var indexOf = [UInt32](repeating: 0, count: spans.count)
        for span in order {
            indexOf[span] = UInt32(entries.count)
            try entries.append(labelTexts[rank(spans[span])])
        }
        var indexes: [UInt32] = []
        indexes.append(addingCapacity: rowCount) { room in
            for (position, span) in spans.enumerated() {
                room.append(repeating: indexOf[position], count: span.count)
            }
        }
        return .dictionary(entries: entries, indexes: indexes)
    }
}
