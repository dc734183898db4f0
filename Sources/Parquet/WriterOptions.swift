/// How large the parts of a file are: `parquet.profile`.
package enum WriterProfile: String, CaseIterable, Sendable {
    /// For every reader, and for memory of some tens of megabytes.
    case compat
    /// A tenth smaller, for four times the memory in writer and reader.
    case compact

    /// Rows of a row group at most. The caller cuts: it alone knows where a row group may end.
    package var rowGroupRowLimit: Int { self == .compat ? 262_144 : 1_048_576 }
    /// Raw bytes (lengths of 4 bytes included) of one column's dictionary in a row group at most: some readers refuse
    /// pages of more than 64 MiB, compressed or not.
    package var dictionaryByteLimit: Int { self == .compat ? 64 << 20 : 128 << 20 }
    var pageRowLimit: Int { self == .compat ? 131_072 : 1_048_576 }
    var pageByteLimit: Int { self == .compat ? 4 << 20 : 64 << 20 }
}

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

    /// `name version 1.2.3 (build abcdef)`: a text of another shape makes parquet-java ignore string statistics.
    package var createdBy: String
    /// The order of rows within each row group; only if it is true.
    package var sortingColumns: [SortingColumn]
    package let profile: WriterProfile
    package var pageRowLimit: Int
    /// Raw bytes of a data page at most, one value excepted.
    package var pageByteLimit: Int
    /// Bytes of a string bound in statistics at most.
    package var statisticsByteLimit = 64
    /// Names of columns that get a bloom filter; only dictionary-encoded chunks do.
    package var bloomFilterColumns: [String] = []
    package var snappyWindow = SnappyWindow.wholePage
    /// Two keys with the CRC-32 of footer and indexes: not in files that other writers must make alike.
    package var checksumsFooter = true

    package init(createdBy: String, sortingColumns: [SortingColumn] = [], profile: WriterProfile = .compat) {
        self.createdBy = createdBy
        self.sortingColumns = sortingColumns
        self.profile = profile
        pageRowLimit = profile.pageRowLimit
        pageByteLimit = profile.pageByteLimit
    }

    /// metric_name, labels, timestamp: the order of a CloudZero file's rows.
    package static let cloudzeroSorting = [
        SortingColumn(column: 6), SortingColumn(column: 10), SortingColumn(column: 9),
    ]
}
