internal import ArgumentParser
internal import DiskIO
internal import NIOPosix
internal import Parquet
internal import Samples

/// `czctl replay`.
struct Replay: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send what is stored to another receiver, as remote_write 1.0",
        discussion: """
            Sends the samples of the volume's Parquet files that are still there, oldest first, then those of its log; \
            or of the files named. Writes nothing to the volume, and works beside a running service. Waits out 5xx and \
            429 as Prometheus does, as long as --retry-for says, and ends where the receiver does not come back. What \
            moves from log to file meanwhile may be sent twice, nothing is left out. A mark of a series' end is a \
            plain NaN once it is in a file; histograms, exemplars and metadata are not sent, and files of layout \
            native are refused before anything is. Exit codes: 0 everything is written, 2 usage, 5 the receiver did \
            not take all in time, 6 it answered 401 or 403, 7 damage was passed over, 8 the receiver refused requests.

            Examples:
              czctl replay --data ./demo-data --to-url http://127.0.0.1:9090/api/v1/write
              czctl replay --from 2026-07-01T15:00:00Z --metric up --to-url http://other:8080/api/v1/write
            """)

    @Argument(help: "Parquet files; without any, the volume's files and log.")
    var files: [String] = []

    @OptionGroup var target: DataOptions

    @Option(help: "The receiver.")
    var toURL: String

    @Option(help: "First time wanted: 2026-07-01T15:00:00Z, or milliseconds since 1970.")
    var from: String?

    @Option(help: "Last time wanted.")
    var to: String?

    @Option(help: "Only this metric.")
    var metric: String?

    @Option(name: .customLong("where"), help: "label=value or label!=value; repeatable. An absent label is empty.")
    var conditions: [String] = []

    @Option(help: "Stream of the volume: metrics or observability.")
    var stream = ReplayStream.metrics

    @Option(help: "Samples of one request.")
    var batch = 2000

    @Option(help: "How long one request is tried, as 90s or 10m.")
    var retryFor = DurationArgument(.seconds(300))

    @OptionGroup var accessOptions: WriteAccessOptions
    @OptionGroup var output: OutputOptions

    /// `czctl.replay/v1`.
    private struct Answer: Encodable {
        let schema = "czctl.replay/v1"
        let files: Int
        let segments: Int
        let sent: LoadSummary
        let problems: [String]
    }

    private func selection() throws -> RowSelection {
        try RowSelection(metric: metric, conditions: conditions, since: from, until: to)
    }

    func validate() throws {
        guard WriteURL(toURL) != nil else { throw ValidationError("\(toURL) is no http:// or https:// URL") }
        guard (1...20_000).contains(batch) else { throw ValidationError("--batch must be from 1 to 20000") }
        _ = try selection()
    }

    func run() async throws {
        guard let url = WriteURL(toURL) else { throw ExitCode(ExitStatus.usage.rawValue) }
        let layout = files.isEmpty ? try target.layout() : nil
        for file in files where RealPath.of(file) == nil {
            throw CommandFailure(.notFound, "cannot read \(file): no such file", try: "czctl files list -o name")
        }
        let source = ReplaySource(try selection(), stream: stream.streams, sampleLimit: batch)
        let paths = try layout.map { try Self.oldestFirst(Query.files(of: $0, stream.kind)) } ?? files
        for path in paths { try Self.refuseNative(path) }
        source.start(files: paths, then: layout)
        let client = LoadClient(
            url: url, access: try accessOptions.access(to: url), group: MultiThreadedEventLoopGroup.singleton,
            clocks: .system, retryLimit: retryFor.duration)
        let progress = Progress("samples sent")
        // One connection: the samples of a series arrive in order.
        let report = await client.run(connections: 1) {
            let report = client.report
            progress.set(report.samplesSent)
            // What comes after a request that was given up would leave a hole.
            return report.requestsFailed == 0 && !report.isAccessRefused ? await source.next() : nil
        }
        source.end()
        progress.end()
        try finish(report, source.findings)
    }

    private func finish(_ report: LoadReport, _ findings: ReplaySource.Findings) throws {
        for problem in findings.problems { printError("czctl: \(HumanText.line(problem))") }
        let summary = LoadSummary(report)
        switch output.output {
        case .table:
            print("read       \(findings.files) file(s), \(findings.segments) log segment(s)\n\(summary.table)")
        case .json:
            print(
                try output.encoded(
                    Answer(
                        files: findings.files, segments: findings.segments, sent: summary,
                        problems: findings.problems)))
        }
        if report.isAccessRefused {
            throw CommandFailure(
                .refused, "the receiver refuses access: \(report.firstFailure ?? "no reason")",
                try: "the same with --bearer-file FILE or --basic-file FILE")
        }
        if report.requestsFailed > 0 {
            throw CommandFailure(
                .temporary, "the receiver did not take all: \(report.firstFailure ?? "no answer")",
                try: "the same command later: what it has is taken as a repetition")
        }
        if !findings.problems.isEmpty {
            throw CommandFailure(
                .damage, "\(findings.problems.count) place(s) could not be read", try: "czctl verify --deep")
        }
        if report.requestsRejected > 0 {
            throw CommandFailure(
                .partial, "\(report.requestsRejected) requests were refused: \(report.firstFailure ?? "no reason")",
                try: "the receiver's log; one that takes no old samples needs an out-of-order window")
        }
    }

    /// Before anything is sent: what comes after a file that is left out would look like all there is.
    private static func refuseNative(_ path: String) throws {
        let file: ParquetFile<OpenedFile>
        do {
            file = try ParquetFile(source: try OpenedFile(path, in: PosixFileSystem()))
        } catch {
            return  // damaged: told when it is its turn
        }
        guard file.metadata["writer.schema"]?.hasPrefix("native-") == true else { return }
        throw CommandFailure(
            .usage, "cannot replay \(path): it has layout native, only files of layout cloudzero can be replayed",
            try: "czctl query \(path)")
    }

    private static func oldestFirst(_ paths: [String]) -> [String] {
        func first(_ path: String) -> Int64 {
            ReferenceID(String(path.split(separator: "/").last ?? ""))?.minSampleMilliseconds ?? .max
        }
        return paths.sorted { (first($0), $0) < (first($1), $1) }
    }
}

/// `--stream`.
enum ReplayStream: String, ExpressibleByArgument, CaseIterable, Sendable {
    case metrics, observability

    var streams: Streams { self == .metrics ? .cost : .observability }
    var kind: ReferenceID.Kind { self == .metrics ? .metrics : .observability }
}
