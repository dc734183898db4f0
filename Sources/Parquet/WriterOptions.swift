/// How a file is laid out; the defaults are those of docs/formats/parquet.md.
package struct WriterOptions: Equatable, Sendable {
    package enum SnappyWindow: Equatable, Sendable {
        /// Matches reach back over the whole page: half the size, read by every decoder we know.
        case wholePage
        /// libsnappy's encoder, for unknown consumers.
        case libsnappy
    }

    package struct SortingColumn: Equatable, Sendable {
        package let column: Int
        package let descending: Bool

        package init(column: Int, descending: Bool = false) {
            self.column = column
            self.descending = descending
        }
    }

    /// Rows of a row group at most. The caller cuts: it alone knows where a row group may end.
    package static let rowGroupRowLimit = 262_144
    /// Raw bytes (lengths of 4 bytes included) of one column's dictionary in a row group at most: readers refuse
    /// pages of more than 64 MiB.
    package static let dictionaryByteLimit = 64 << 20

    /// `name version 1.2.3 (build abcdef)`: a text of another shape makes parquet-java ignore string statistics.
    package var createdBy: String
    /// The order of rows within each row group; only if it is true.
    package var sortingColumns: [SortingColumn]
    package var pageRowLimit = 131_072
    /// Raw bytes of a data page at most, one value excepted.
    package var pageByteLimit = 4 << 20
    /// Bytes of a string bound in statistics at most.
    package var statisticsByteLimit = 64
    /// Names of columns that get a bloom filter; only dictionary-encoded chunks do.
    package var bloomFilterColumns: [String] = []
    package var snappyWindow = SnappyWindow.wholePage

    package init(createdBy: String, sortingColumns: [SortingColumn] = []) {
        self.createdBy = createdBy
        self.sortingColumns = sortingColumns
    }

    /// metric_name, labels, timestamp: the order of a CloudZero file's rows.
    package static let cloudzeroSorting = [
        SortingColumn(column: 6), SortingColumn(column: 10), SortingColumn(column: 9),
    ]
}
