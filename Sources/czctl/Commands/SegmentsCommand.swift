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
              czctl segments describe 42 --config config.yml
            """,
        subcommands: [SegmentsList.self, SegmentsDescribe.self])
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
    @OptionGroup var options: ListOptions

    private struct Listing: Encodable {
        struct Entry: Encodable {
            let segment: UInt64
            let state: LogSurvey.State
            let bytes: UInt64
            let rows: UInt64?
            let createdAt: String?
            let firstLsn: UInt64?
            let verdict: String?

            var id: String { "\(segment)" }
        }

        let schema = "czctl.segments/v1"
        let segments: [Entry]
    }

    func run() async throws {
        let layout = try target.layout()
        let live = await LiveServices.ask(layout).first { $0.role != "shipper" }
        let segments = try LogSurvey(layout, in: PosixFileSystem(), live: live).segments
        let entries = segments.map {
            Listing.Entry(
                segment: $0.id.number, state: $0.state, bytes: $0.byteCount, rows: $0.rows,
                createdAt: $0.createdAt.map(HumanText.time), firstLsn: $0.firstLSN, verdict: $0.verdict.map { "\($0)" })
        }
        try options.show(entries, in: Listing(segments: entries), id: \.id) { table(segments, isWide: $0) }
    }

    private func table(_ segments: [LogSurvey.Segment], isWide: Bool) -> TextTable {
        let now = Clocks.system.wallMilliseconds()
        var table = TextTable(
            ("SEGMENT", .right), ("STATE", .state), ("SIZE", .right), ("ROWS", .right), ("AGE", .right),
            (isWide ? "CREATED" : "", .left), ("FIRST LSN", .right), ("END", .state))
        for segment in segments {
            table.add([
                "\(segment.id)", segment.state.rawValue, HumanText.bytes(segment.byteCount),
                segment.rows.map { HumanText.grouped($0) } ?? "-",
                segment.createdAt.map { HumanText.duration(milliseconds: now - $0) } ?? "-",
                isWide ? segment.createdAt.map(HumanText.time) ?? "-" : "",
                segment.firstLSN.map { "\($0)" } ?? "-", segment.verdict.map { "\($0)" } ?? "-",
            ])
        }
        return table
    }
}
