internal import ArgumentParser
internal import DiskIO
internal import Parquet

/// `czctl query`.
struct Query: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Count and sum the rows of Parquet files, by metric, label and time",
        discussion: """
            Reads files of samples, of either layout and of other writers: those named, or every metrics_*.parquet of \
            the volume that is still there (outbox/ and uploaded/); files of the observability stream, which may hold \
            the same samples, are read when they are named. Row groups that hold no wanted row are not read; CRCs of \
            all that is read are checked. A NaN, such as the mark of a series' end, counts as a row and is left out \
            of SUM, MIN and MAX. For SQL: duckdb -c "from 'FILE.parquet'". Exit codes: 0 good, 1 a file of another \
            kind, 4 no such file, 7 damage.

            Examples:
              czctl query --data ./demo-data --by metric_name
              czctl query FILE.parquet --metric up --where job=node --where 'pod!=' --by pod --by hour
              czctl query *.parquet --since 2026-07-01T15:00:00Z --until 2026-07-01T15:10:00Z -o json
            """)

    @Argument(
        help: "Parquet files; without any, the volume's metrics_*.parquet.",
        completion: .file(extensions: ["parquet"]))
    var files: [String] = []

    @OptionGroup var target: DataOptions

    @Option(help: "Only rows of this metric.")
    var metric: String?

    @OptionGroup var rowOptions: RowOptions

    @Option(help: "Group by metric_name, node_name, hour, or a label; repeatable.")
    var by: [String] = []

    @OptionGroup var options: OutputOptions

    func validate() throws { _ = try query() }

    func run() async throws {
        var answer = QueryAnswer(try query())
        let paths = files.isEmpty ? try await volumeFiles() : files
        let progress = Progress("read", total: try Self.byteCount(paths), isBytes: true)
        for path in paths {
            guard let real = RealPath.of(path) else {
                // Of the volume's own files one may be purged meanwhile.
                if files.isEmpty { continue }
                throw CommandFailure(.notFound, "cannot read \(path): no such file", try: "czctl files list -o name")
            }
            do {
                let file = try OpenedFile(real, in: PosixFileSystem())
                try answer.add(try ParquetFile(source: file))
                progress.add(file.count)
            } catch let error as ParquetError {
                throw CommandFailure(error, path)
            }
        }
        progress.end()
        let rows = answer.groups.sorted { $0.key.lexicographicallyPrecedes($1.key) }
        switch options.output {
        case .json: print(try options.encoded(QueryResult(answer, rows, keys: by)))
        case .table:
            var table = TextTable(titles: by + ["COUNT", "SUM", "MIN", "MAX"])
            for (key, summary) in rows {
                table.add(
                    key.map { HumanText.line($0, limit: 100) } + [
                        "\(summary.count)", "\(summary.sum)", summary.min.map { "\($0)" } ?? "-",
                        summary.max.map { "\($0)" } ?? "-",
                    ])
            }
            print(table.text(options.style))
            printNote("czctl: \(answer.files) file(s), \(HumanText.grouped(answer.rowsRead)) rows read")
        }
    }

    private func volumeFiles() async throws -> [String] {
        let layout = try target.layout()
        let paths = try Self.files(of: layout, .metrics)
        if paths.isEmpty, let purged = await PurgedFiles.of(layout) {
            // A configuration that cannot be used is no matter of a query.
            purged.tell(layout, (try? target.knownSettings()) ?? nil)
        }
        return paths
    }

    /// Those that are gone count as nothing.
    private static func byteCount(_ paths: [String]) throws -> Int {
        let fileSystem = PosixFileSystem()
        return try paths.compactMap(RealPath.of).reduce(0) {
            $0 + Int(clamping: try fileSystem.status($1)?.byteCount ?? 0)
        }
    }

    /// Files that are still there, those not yet shipped first.
    static func files(of layout: VolumeLayout, _ kind: ReferenceID.Kind) throws -> [String] {
        let fileSystem = PosixFileSystem()
        var names: Set<String> = []
        var paths: [String] = []
        for folder in [layout.outbox, layout.uploaded] where try fileSystem.exists(folder) {
            for name in try fileSystem.list(folder) {
                guard let id = ReferenceID(name), id.kind == kind, names.insert(name).inserted else { continue }
                paths.append("\(folder)/\(name)")
            }
        }
        return paths
    }

    private func query() throws -> RowQuery {
        var query = try rowOptions.selection(of: metric).query
        query.keys = by.map { key in
            switch key {
            case "metric_name", "__name__": .metric
            case "node_name": .node
            case "hour": .hour
            default: .label(key)
            }
        }
        return query
    }
}

/// `czctl.query/v1`.
private struct QueryResult: Encodable {
    struct Row: Encodable {
        let key: [String]
        let count: Int
        let nan: Int
        let sum: Double?
        let min: Double?
        let max: Double?
    }

    let schema = "czctl.query/v1"
    let keys: [String]
    let files: Int
    let rowsRead: Int
    let rows: [Row]

    init(_ answer: QueryAnswer, _ rows: [(key: [String], value: RowSummary)], keys: [String]) {
        self.keys = keys
        files = answer.files
        rowsRead = answer.rowsRead
        self.rows = rows.map { key, summary in
            // JSON has no infinity.
            func finite(_ value: Double?) -> Double? { value.flatMap { $0.isFinite ? $0 : nil } }
            return Row(
                key: key, count: summary.count, nan: summary.nanCount, sum: finite(summary.sum),
                min: finite(summary.min), max: finite(summary.max))
        }
    }
}
