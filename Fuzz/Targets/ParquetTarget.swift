import Parquet

/// Bytes of a file: opened, each column read, verified, and asked.
func fuzzParquet(_ input: UnsafeRawBufferPointer) {
    let source = MemoryFile([UInt8](input))
    do {
        let file = try ParquetFile(source: source)
        for (group, rowGroup) in file.metadata.rowGroups.enumerated() {
            for column in rowGroup.columns.indices { read(file, group, column, rows: rowGroup.rowCount) }
        }
        expectedFailure { _ = try ParquetFile.verify(source) }
        expectedFailure { try ask(file) }
    } catch let error as ParquetError {
        require(!error.description.isEmpty, "refused without a reason")
    } catch {
        fatalError("an error that is not the reader's: \(error)")
    }
}

private func expectedFailure(_ body: () throws -> Void) {
    do {
        try body()
    } catch is ParquetError {
    } catch {
        fatalError("an error that is not the reader's: \(error)")
    }
}

private func read(_ file: ParquetFile<MemoryFile>, _ group: Int, _ column: Int, rows: Int) {
    expectedFailure {
        let values = try file.readColumn(rowGroup: group, column: column)
        require(values.count == rows, "a column of another length than its row group")
        check(values)
    }
}

/// Everything that a reader indexes by is inside.
private func check(_ values: ColumnValues) {
    switch values {
    case .dictionary(let entries, let indexes):
        require(indexes.allSatisfy { $0 < entries.count }, "an index without an entry")
    case .nested(let counts, let elements):
        require(counts.reduce(0) { $0 + Int($1) } == elements.count, "rows of another number of values")
        check(elements)
    case .strings(let table): for index in 0..<table.count { _ = table.string(index) }
    case .int64: break
    }
}

private func ask(_ file: ParquetFile<MemoryFile>) throws {
    var query = RowQuery()
    query.filters = [RowQuery.LabelFilter(name: "pod", value: "a", isEqual: false)]
    query.times = 0...1_782_900_600_000
    query.keys = [.metric, .label("pod"), .hour]
    var answer = QueryAnswer(query)
    try answer.add(file)
    require(answer.groups.values.reduce(0) { $0 + $1.count } <= answer.rowsRead, "more rows than were read")
}
