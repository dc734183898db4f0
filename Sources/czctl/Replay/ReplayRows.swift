internal import DiskIO
internal import Parquet

/// The rows of one file of layout `cloudzero` that a selection means.
struct ReplayRows {
    private let file: ParquetFile<OpenedFile>
    private let selection: RowSelection
    private let columns: (labels: Int, timestamp: Int, value: Int)

    init(_ file: ParquetFile<OpenedFile>, _ selection: RowSelection) throws {
        self.file = file
        self.selection = selection
        let leaves = file.metadata.leaves
        func find(_ name: String) throws -> Int {
            guard let index = leaves.firstIndex(where: { $0.name == name }) else {
                throw ParquetError(.notSupported("a file without the column \(name)"))
            }
            return index
        }
        columns = (try find("labels"), try find("timestamp"), try find("value"))
    }

    /// - Parameter body: label fields, milliseconds since 1970, the bits of the value.
    func read(_ group: Int, _ body: ([UInt8], Int64, UInt64) throws -> Void) throws {
        guard case .int64(let times) = try column(group, columns.timestamp) else {
            throw ParquetError(.notSupported("times that are not numbers"))
        }
        guard times.contains(where: selection.query.times.contains) else { return }
        let series = try Entries(try column(group, columns.labels)) { text in try labels(text) }
        let values = try Entries(try column(group, columns.value)) { text -> UInt64? in
            guard let value = Double(String(decoding: text, as: UTF8.self)) else {
                throw ParquetError(.corrupt("a value that is not a number"))
            }
            return value.bitPattern
        }
        for (row, timestamp) in times.enumerated() where selection.query.times.contains(timestamp) {
            if let labels = series[row], let value = values[row] { try body(labels, timestamp, value) }
        }
    }

    private func column(_ group: Int, _ column: Int) throws -> ColumnValues {
        try file.readColumn(rowGroup: group, column: column)
    }

    /// nil for a series that is not wanted.
    private func labels(_ text: [UInt8]) throws -> [UInt8]? {
        // SAFETY: UInt8 has no padding.
        guard let pairs = LabelsText.pairs(unsafe text.span.bytes) else {
            throw ParquetError(.corrupt("labels that are not an object of strings"))
        }
        for filter in selection.query.filters {
            let value = pairs.first { $0.name.elementsEqual(filter.name.utf8) }?.value ?? []
            if value.elementsEqual(filter.value.utf8) != filter.isEqual { return nil }
        }
        return WriteRequestBody.labels(pairs)
    }

    /// Something made of each text of a column, once for each dictionary entry.
    private struct Entries<Value> {
        private let values: [Value?]
        /// nil: each row is its own entry.
        private let indexes: [UInt32]?

        init(_ column: ColumnValues, _ make: ([UInt8]) throws -> Value?) throws {
            switch column {
            case .dictionary(let entries, let indexes):
                values = try (0..<entries.count).map { try make(entries.string($0)) }
                self.indexes = indexes
            case .strings(let table):
                values = try (0..<table.count).map { try make(table.string($0)) }
                indexes = nil
            case .int64, .nested: throw ParquetError(.notSupported("rows that are not of layout cloudzero"))
            }
        }

        subscript(row: Int) -> Value? { values[indexes.map { Int($0[row]) } ?? row] }
    }
}
