internal import ArgumentParser
internal import DiskIO
internal import WAL

/// `czctl segments`.
struct Segments: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Look at the segments of the log",
        discussion: """
            Examples:
              czctl segments list --data ./demo-data
              czctl segments list --config config.yml -o json
            """,
        subcommands: [SegmentsList.self])
}

/// `czctl segments list`.
struct SegmentsList: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "List segments: state, size, rows, age, and how each ends",
        discussion: """
            States: active (the newest), sealed (to be compacted), committed (its rows are in files; being removed), \
            kept (for a histogram, exemplar or metadata that is in no file).

            Examples:
              czctl segments list --data ./demo-data
              czctl segments list -o json | jq '.segments[] | select(.verdict != "sealed")'
            """)

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    private struct Listing: Encodable {
        struct Entry: Encodable {
            let segment: UInt64
            let state: LogSurvey.State
            let bytes: UInt64
            let rows: UInt64?
            let createdAt: String?
            let firstLsn: UInt64?
            let verdict: String?
        }

        let schema = "czctl.segments/v1"
        let segments: [Entry]
    }

    func run() async throws {
        let layout = try target.layout()
        let live = await LiveServices.ask(layout).first { $0.role != "shipper" }
        let segments = try LogSurvey(layout, in: PosixFileSystem(), live: live).segments
        switch options.output {
        case .table: print(table(segments))
        case .json:
            let entries = segments.map {
                Listing.Entry(
                    segment: $0.id.number, state: $0.state, bytes: $0.byteCount, rows: $0.rows,
                    createdAt: $0.createdAt.map(HumanText.time), firstLsn: $0.firstLSN,
                    verdict: $0.verdict.map { "\($0)" })
            }
            print(try Console.json(Listing(segments: entries)))
        }
    }

    private func table(_ segments: [LogSurvey.Segment]) -> String {
        let now = Clocks.system.wallMilliseconds()
        var table = TextTable(
            ("SEGMENT", .right), ("STATE", .left), ("SIZE", .right), ("ROWS", .right), ("AGE", .right),
            ("FIRST LSN", .right), ("END", .left))
        for segment in segments {
            table.add([
                "\(segment.id)", segment.state.rawValue, HumanText.bytes(segment.byteCount),
                segment.rows.map { HumanText.grouped($0) } ?? "-",
                segment.createdAt.map { HumanText.duration(milliseconds: now - $0) } ?? "-",
                segment.firstLSN.map { "\($0)" } ?? "-", segment.verdict.map { "\($0)" } ?? "-",
            ])
        }
        return table.text
    }
}
