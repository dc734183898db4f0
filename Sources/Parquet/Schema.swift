/// The columns of a file, all of them REQUIRED leaves of the root.
package struct Schema: Equatable, Sendable {
    /// Name of the root element.
    package let root: String
    package let columns: [Column]

    package init(root: String, columns: [Column]) {
        self.root = root
        self.columns = columns
    }

    /// CloudZero's twelve columns as its agent's library emits them (docs/formats/parquet.md).
    package static let cloudzero = Schema(
        root: "ParquetMetric",
        columns: [
            Column("cluster_name", .string, .dictionary),
            Column("cloud_account_id", .string, .dictionary),
            Column("year", .string, .dictionary),
            Column("month", .string, .dictionary),
            Column("day", .string, .dictionary),
            Column("hour", .string, .dictionary),
            Column("metric_name", .string, .dictionary),
            Column("node_name", .string, .dictionary),
            Column("created_at", .timestampMilliseconds, .dictionary),
            Column("timestamp", .timestampMilliseconds, .smallest),
            Column("labels", .string, .dictionary),
            Column("value", .string, .smallest),
        ])
}

/// One REQUIRED leaf.
package struct Column: Equatable, Sendable {
    /// Physical and logical type together.
    package enum Kind: CaseIterable, Equatable, Sendable {
        /// BYTE_ARRAY, STRING (UTF8).
        case string
        /// INT64, TIMESTAMP(MILLIS, adjusted to UTC).
        case timestampMilliseconds
        /// INT64 without logical type.
        case int64
    }

    package enum EncodingPolicy: Equatable, Sendable {
        case dictionary
        /// Strings: PLAIN.
        case plain
        /// Numbers: DELTA_BINARY_PACKED, PLAIN where a delta is wider than 56 bits.
        case delta
        /// Whichever of dictionary and the alternative (PLAIN for strings, DELTA_BINARY_PACKED for numbers) is smaller
        /// when compressed, decided for each chunk.
        case smallest
    }

    package let name: String
    package let kind: Kind
    package let encoding: EncodingPolicy

    package init(_ name: String, _ kind: Kind, _ encoding: EncodingPolicy) {
        self.name = name
        self.kind = kind
        self.encoding = encoding
    }

    var physicalType: PhysicalType { kind == .string ? .byteArray : .int64 }
}
