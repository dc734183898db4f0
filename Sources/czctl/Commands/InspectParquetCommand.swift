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

    @Option(help: "The first N rows.")
    var head: Int?

    @OptionGroup var options: OutputOptions

    func validate() throws {
        if let head, !(0...1_000_000).contains(head) { throw ValidationError("--head must be from 0 to 1000000") }
    }

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
            print(inspection.summary)
            if meta { print(inspection.metaText) }
            if schema || !(meta || stats || head != nil) { print(inspection.columnTable) }
            if stats { print(inspection.groupTable) }
            if head != nil { print(inspection.rowTable) }
        case .json: print(try options.encoded(inspection))
        }
        if let damage = inspection.damage {
            throw CommandFailure(.damage, "\(file) is damaged: \(damage)", try: "restore it from its destination")
        }
    }
}

extension CommandFailure {
    init(_ error: ParquetError, _ path: String) {
        if case .corrupt = error.reason {
            self.init(.damage, "\(path) is damaged: \(error)", try: "restore it from its destination")
        } else {
            self.init(.error, "\(path): \(error)")
        }
    }
}
