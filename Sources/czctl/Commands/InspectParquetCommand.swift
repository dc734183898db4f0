internal import ArgumentParser
internal import DiskIO
internal import Parquet

/// `czctl inspect parquet`.
struct InspectParquet: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "parquet", abstract: "Show a Parquet file's columns, footer and rows, and check every byte of it",
        discussion: """
            A file of this program is checked whole: page CRCs, counts, statistics, indexes, and the hash in its name. \
            Exit codes: 0 good, 4 no such file, 7 damage.

            Examples:
              czctl inspect parquet FILE.parquet --schema --meta
              czctl inspect parquet FILE.parquet --head 5 -o json
            """)

    @Argument(help: "The file.", completion: .file(extensions: ["parquet"]))
    var file: String

    @Flag(help: "The columns (as without any flag).")
    var schema = false

    @Flag(help: "Who wrote it, and the footer's keys and values.")
    var meta = false

    @Flag(help: "Sizes and bounds of each column in each row group.")
    var stats = false

    @Flag(help: "The number of rows; alone, nothing else.")
    var count = false

    @Option(help: "The first N rows. A column that cannot be read is a question mark in each.")
    var head: Int?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        if let head, !(0...1_000_000).contains(head) { throw ValidationError("--head must be from 0 to 1000000") }
    }

    private var isCountAlone: Bool { count && !(schema || meta || stats || head != nil) }

    func run() throws {
        guard let real = RealPath.of(file) else {
            throw CommandFailure(.notFound, "cannot read \(file): no such file", try: "czctl files list -o name")
        }
        let inspection: ParquetInspection
        do {
            inspection = try ParquetInspection(real, shown: file, withGroups: stats, headLimit: head ?? 0)
        } catch let error as ParquetError {
            throw CommandFailure(error, file)
        }
        switch options.output {
        case .table:
            if !isCountAlone { print(inspection.summary) }
            if meta { print(inspection.metaText) }
            if schema || !(meta || stats || count || head != nil) { print(inspection.columnTable) }
            if stats { print(inspection.groupTable) }
            if count { print("\(inspection.rows)") }
            if head != nil { print(inspection.rowTable) }
            for column in inspection.unreadable ?? [] {
                printError("czctl: the column \(HumanText.line(column.column)) is not shown: \(column.cause)")
            }
        case .json: print(try options.encoded(inspection))
        }
        if let damage = inspection.damage {
            throw CommandFailure(.damage, "\(file) is damaged: \(damage)", try: "restore it from its destination")
        }
    }
}

extension CommandFailure {
    init(_ error: ParquetError, _ path: String) {
        if error.isDamage {
            self.init(.damage, "\(path) is damaged: \(error)", try: "restore it from its destination", because: error)
        } else {
            self.init(.error, "\(path): \(error)", because: error)
        }
    }
}

extension ParquetError {
    /// False for a file that is only not for us, or too large.
    var isDamage: Bool {
        if case .corrupt = reason { true } else { false }
    }
}
