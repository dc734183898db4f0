/// The columns of a file: leaves, in the order of each row group's chunks.
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

/// One leaf, and how its values make rows.
package struct Column: Equatable, Sendable {
    /// Physical and logical type together.
    package enum Kind: CaseIterable, Equatable, Sendable {
        /// BYTE_ARRAY, STRING (UTF8).
        case string
        /// INT64, TIMESTAMP(MILLIS, adjusted to UTC); of other writers in any unit.
        case timestampMilliseconds
        /// INT64 without logical type; of other writers also INT32.
        case int64
        /// DOUBLE; of other writers also FLOAT.
        case double
        /// BOOLEAN.
        case boolean
    }

    /// How many values a row has. The standard shapes of LogicalTypes.md.
    package enum Repetition: Equatable, Sendable {
        /// One.
        case required
        /// One or none.
        case optional
        /// Any number: `name (LIST)`, `list`, `element`.
        case list
        /// Any number, of two columns beside each other: `name (MAP)`, `key_value`, `key` and `value`.
        case mapKey, mapValue
    }

    package enum EncodingPolicy: Equatable, Sendable {
        case dictionary
        case plain
        /// Numbers: DELTA_BINARY_PACKED, PLAIN where a delta is wider than 56 bits.
        case delta
        /// Whichever of dictionary and the alternative (DELTA_BINARY_PACKED for INT64, else PLAIN) is smaller when
        /// compressed, decided for each chunk.
        case smallest
    }

    package let name: String
    package let kind: Kind
    package let encoding: EncodingPolicy
    package let repetition: Repetition
    let physicalType: PhysicalType
    package let timeUnit: SchemaElement.TimeUnit
    /// Whether a list or map may be null, and what is in it: never in ours.
    let isGroupOptional: Bool
    let isElementOptional: Bool

    /// - Parameter name: of the field of the root, whatever the leaf's own.
    package init(
        _ name: String, _ kind: Kind, _ encoding: EncodingPolicy, _ repetition: Repetition = .required
    ) {
        self.name = name
        self.kind = kind
        self.encoding = encoding
        self.repetition = repetition
        physicalType =
            switch kind {
            case .string: .byteArray
            case .timestampMilliseconds, .int64: .int64
            case .double: .double
            case .boolean: .boolean
            }
        timeUnit = .milliseconds
        (isGroupOptional, isElementOptional) = (false, false)
    }

    /// Of a leaf, whoever wrote it; nil for a type that we do not read.
    init?(_ name: String, _ leaf: SchemaElement, _ repetition: Repetition, isGroupOptional: Bool = false) {
        guard let kind = leaf.kind, let physicalType = leaf.type else { return nil }
        self.name = name
        self.kind = kind
        encoding = .smallest
        self.repetition = repetition
        self.physicalType = physicalType
        timeUnit = leaf.timeUnit ?? .milliseconds
        self.isGroupOptional = isGroupOptional
        isElementOptional = repetition != .optional && leaf.repetition == 1
    }

    /// The two leaves of a map of strings.
    package static func map(_ name: String) -> [Column] {
        [Column(name, .string, .dictionary, .mapKey), Column(name, .string, .dictionary, .mapValue)]
    }

    /// Whether a row may have more values than one.
    package var isRepeated: Bool { path.count > 1 }

    /// From a field of the root to the leaf.
    var path: [String] {
        switch repetition {
        case .required, .optional: [name]
        case .list: [name, "list", "element"]
        case .mapKey: [name, "key_value", "key"]
        case .mapValue: [name, "key_value", "value"]
        }
    }
}
