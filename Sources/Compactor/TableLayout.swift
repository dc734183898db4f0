internal import Parquet

/// Which columns files of samples have; what is no sample has the same under both (docs/formats/parquet.md).
package enum TableLayout: Equatable, Sendable {
    /// The original's twelve columns.
    case cloudzero
    /// Typed columns.
    case native
}

/// What all files of one content have in common.
struct Table {
    /// The footer's `writer.schema`.
    let name: String
    let schema: Schema
    let sorting: [WriterOptions.SortingColumn]

    static func of(_ content: Part.Content, _ options: CompactorOptions) -> Table {
        guard content == .samples, options.layout == .cloudzero else {
            return native(content, options.promotedLabels)
        }
        return Table(name: "cloudzero-v1", schema: .cloudzero, sorting: WriterOptions.cloudzeroSorting)
    }

    /// The first column is the first that rows are sorted by; by labels, too, but no column has all of them.
    private static func native(_ content: Part.Content, _ promotedLabels: [String]) -> Table {
        let (root, columns): (String, [Column]) =
            switch content {
            case .samples: ("Sample", samples)
            case .histograms: ("Histogram", histograms)
            case .exemplars: ("Exemplar", exemplars)
            case .metadata: ("Metadata", metadata)
            }
        return Table(
            name: "native-\(content)-v1",
            schema: Schema(root: root, columns: columns + (content == .metadata ? [] : series(promotedLabels))),
            sorting: [WriterOptions.SortingColumn(column: 0)])
    }

    private static let samples = [
        Column("metric_name", .string, .dictionary), Column("timestamp", .timestampMilliseconds, .smallest),
        Column("value", .double, .smallest), Column("is_stale", .boolean, .plain),
        Column("start_timestamp", .timestampMilliseconds, .smallest, .optional),
    ]

    private static let histograms =
        [
            Column("metric_name", .string, .dictionary), Column("timestamp", .timestampMilliseconds, .smallest),
            Column("start_timestamp", .timestampMilliseconds, .smallest, .optional),
            Column("schema", .int64, .dictionary), Column("count", .int64, .smallest, .optional),
            Column("count_float", .double, .smallest, .optional), Column("sum", .double, .smallest),
            Column("zero_threshold", .double, .smallest), Column("zero_count", .int64, .smallest, .optional),
            Column("zero_count_float", .double, .smallest, .optional), Column("reset_hint", .string, .dictionary),
        ] + ["positive", "negative"].flatMap(buckets) + [Column("custom_values", .double, .smallest, .list)]

    private static func buckets(_ side: String) -> [Column] {
        [
            Column("\(side)_span_offsets", .int64, .smallest, .list),
            Column("\(side)_span_lengths", .int64, .smallest, .list),
            Column("\(side)_counts", .int64, .smallest, .list),
            Column("\(side)_counts_float", .double, .smallest, .list),
        ]
    }

    private static let exemplars =
        [
            Column("metric_name", .string, .dictionary), Column("timestamp", .timestampMilliseconds, .smallest),
            Column("value", .double, .smallest),
        ] + Column.map("exemplar_labels")

    private static let metadata = [
        Column("metric_family", .string, .dictionary), Column("timestamp", .timestampMilliseconds, .smallest),
        Column("type", .string, .dictionary), Column("unit", .string, .dictionary),
        Column("help", .string, .dictionary),
    ]

    /// Which series a row is of.
    private static func series(_ promotedLabels: [String]) -> [Column] {
        [Column("series_hash", .int64, .smallest)]
            + promotedLabels.map { Column($0, .string, .dictionary, .optional) } + Column.map("labels")
    }
}
