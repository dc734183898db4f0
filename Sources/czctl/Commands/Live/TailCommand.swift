internal import ArgumentParser
internal import DiskIO
internal import Glibc
internal import Samples
internal import WAL

/// `czctl tail`.
struct Tail: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print values as they come, until Ctrl-C",
        discussion: """
            Reads the log beside the running service, some times a second, and begins with what comes next. Values are \
            printed as czctl cat prints them, without the lines of requests. Exit codes: 0 done, 4 no such volume.

            Examples:
              czctl tail --data ./demo-data --metric up
              czctl tail --where namespace=kube-system -o json | jq -c '[.timestamp, .value]'
              czctl tail --data ./demo-data --limit 10
            """)

    @Option(help: "Only values of this metric.")
    var metric: String?

    @Option(name: .customLong("where"), help: "label=value or label!=value; repeatable. An absent label is empty.")
    var conditions: [String] = []

    @Option(help: "End after so many values.")
    var limit: Int?

    @Option(help: "Between two looks at the log.")
    var interval = DurationArgument(.milliseconds(500))

    @OptionGroup var target: DataOptions
    @OptionGroup var voice: VoiceOptions

    @Option(name: .shortAndLong, help: "text or json (one object a line).")
    var output = CatFormat.text

    func validate() throws {
        guard (.milliseconds(50) ... .seconds(3600)).contains(interval.duration) else {
            throw ValidationError("--interval must be from 50ms to 1h")
        }
        if let limit, limit < 1 { throw ValidationError("--limit must be 1 or more") }
        _ = try RowSelection(metric: metric, conditions: conditions, since: nil, until: nil)
    }

    func run() async throws {
        let layout = try target.layout()
        let selection = try RowSelection(metric: metric, conditions: conditions, since: nil, until: nil)
        var follower = try LogFollower(layout, in: PosixFileSystem())
        var printer = CatPrinter(output, selection: selection, limit: limit)
        if isatty(STDERR_FILENO) == 1 { printNote("czctl: following \(layout.wal); Ctrl-C ends") }
        while !printer.isDone {
            try follower.look(
                onSegment: { printer.startSegment($0.number) },
                onBatch: { batch, record, isNew in
                    if isNew {
                        printer.print(batch, lsn: record.lsn, offset: record.offset)
                    } else {
                        printer.define(batch)
                    }
                })
            printer.flush()
            Console.flush()  // at once, also into a pipe
            if !printer.isDone { try await Task.sleep(for: interval.duration) }
        }
    }
}
