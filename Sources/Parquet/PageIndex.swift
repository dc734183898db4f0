/// Bounds of each data page of a chunk, for readers that skip pages.
struct ColumnIndex: Equatable {
    /// Pages without a value; their bounds are empty.
    var isNullPage: [Bool] = []
    var minimums: [[UInt8]] = []
    var maximums: [[UInt8]] = []
    /// 0 UNORDERED, 1 ASCENDING, 2 DESCENDING; of the bounds as written.
    var boundaryOrder: Int32 = 0
    var nullCounts: [Int] = []
    /// DOUBLE only.
    var nanCounts: [Int]?

    func encode(to writer: inout CompactWriter) {
        writer.element { writer in
            writer.list(1, .boolTrue, isNullPage) { $0.element($1) }
            writer.list(2, .binary, minimums) { $0.element($1) }
            writer.list(3, .binary, maximums) { $0.element($1) }
            writer.int32(4, boundaryOrder)
            writer.list(5, .int64, nullCounts) { $0.element($1) }
            if let nanCounts { writer.list(8, .int64, nanCounts) { $0.element($1) } }
        }
    }
}

/// Where each data page of a chunk lies. The dictionary page has no place here.
struct OffsetIndex: Equatable {
    struct Location: Equatable {
        /// Of the page header.
        var offset: Int
        /// Header and body: a size without header broke Athena, Spark and BigQuery.
        var byteCount: Int
        /// Within the row group.
        var firstRow: Int
    }

    var pages: [Location] = []
    /// Bytes of each page's strings without lengths; nil for numbers.
    var stringByteCounts: [Int]?

    func encode(to writer: inout CompactWriter) {
        writer.element { writer in
            writer.list(1, .structure, pages) { writer, page in
                writer.element { writer in
                    writer.int64(1, page.offset)
                    writer.int32(2, Int32(page.byteCount))
                    writer.int64(3, page.firstRow)
                }
            }
            if let stringByteCounts { writer.list(2, .int64, stringByteCounts) { $0.element($1) } }
        }
    }
}
