internal import ArgumentParser
internal import DiskIO
internal import Glibc
internal import NIOCore

/// `czctl status`.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the health of a volume: log, files, destinations, disk, balance",
        discussion: """
            Works on a live, stopped, killed or empty directory: reads files and writes nothing; locks only the \
            ledger, shared, while it is copied. A running service adds its numbers. With --url, or CZCTL_URL, \
            it is that service's own report, over its port.

            Exit codes: 0 fine, stopped or drained; 3 degraded: a service runs and is not ready, or starts or \
            hangs and does not answer, or files wait and no shipper runs, or are kept for a destination that is not \
            configured any more, or log, compaction or uploads fail, or the volume is 95 % full, or something was \
            quarantined in the last hour; also 3 when the ledger, a manifest or a segment is damaged; 4 no such \
            directory, or no volume; 5 nobody answers at the URL, with --watch at first; 6 it refuses.

            Examples:
              czctl status --data ./demo-data
              czctl status --config config.yml -o json | jq .files.failed
              czctl status --watch=5s
              czctl status --url http://collector:8080
            """)

    @OptionGroup var target: TargetOptions
    @OptionGroup var options: OutputOptions

    @Option(defaultAsFlag: "2s", help: "Show it again and again, at this interval, until Ctrl-C.")
    var watch: String?

    func run() async throws {
        let target = try await target.target()
        guard let watch else { return try await show(target) }
        guard let pause = DurationArgument(argument: watch)?.duration, pause >= .milliseconds(100) else {
            throw ValidationError("--watch=\(watch) is no interval of 100ms or more; write 2s or 1m")
        }
        var last = ""
        var hasAnswered = false
        while true {
            do {
                last = try await look(since: last, target)
                hasAnswered = true
            } catch let failure as CommandFailure where hasAnswered && failure.status == .temporary {
                last = tell(failure, since: last)
            }
            try await Task.sleep(for: pause)
        }
    }

    private static var isTerminal: Bool { isatty(STDOUT_FILENO) == 1 }

    /// - Returns: the line that was shown for a change; empty where whole answers are shown.
    private func look(since last: String, _ target: ServiceTarget) async throws -> String {
        if options.output == .table, !Self.isTerminal { return try await showChange(since: last, target) }
        // A terminal shows one screen; elsewhere one JSON answer follows another.
        if Self.isTerminal { print("\u{1B}[H\u{1B}[2J", terminator: "") }
        do { try await show(target) } catch is ExitCode {}  // unhealthy: goes on being watched
        return ""
    }

    /// A service that answered before, and does not now, may be starting again: that is a line, and no end.
    /// - Returns: the line, without its time.
    private func tell(_ failure: CommandFailure, since last: String) -> String {
        let line = HumanText.line(failure.message)
        guard line != last || Self.isTerminal else { return line }
        switch options.output {
        case .table: print("\(HumanText.time(Clocks.system.wallMilliseconds()))  \(line)")
        case .json: printError("czctl: \(line)")
        }
        Console.flush()
        return line
    }

    /// For people who watch without a terminal: one line each time that something is otherwise.
    /// - Returns: the line, without its time.
    private func showChange(since last: String, _ target: ServiceTarget) async throws -> String {
        let report = try await target.status().report
        let files = report.files
        let counts = [
            ("ready", files.ready), ("uploading", files.uploading), ("failed", files.failed),
            ("uploaded", files.uploaded), ("quarantined", files.quarantined), ("abandoned", files.abandoned),
        ]
        let line =
            "\(report.state.rawValue)  log \(HumanText.grouped(report.log.rows)) rows  files"
            + counts.map { " \($0) \($1)" }.joined()
            + (report.problems.first.map { "  \(HumanText.line($0.text))" } ?? "")
        if line != last { print("\(report.time)  \(line)") }
        Console.flush()
        return line
    }

    private func show(_ target: ServiceTarget) async throws {
        let text = try await target.status()
        let shown =
            switch options.output {
            case .table: painted(text.text)
            case .json: try options.encoded(text.report, isOneOfMany: watch != nil)
            }
        print(shown)
        Console.flush()  // at once, also into a pipe
        if let status = text.report.exitStatus { throw ExitCode(status.rawValue) }
    }

    /// With the last word of the headline, the state, in colour.
    private func painted(_ text: String) -> String {
        guard let end = text.firstIndex(of: "\n") else { return text }
        return options.paint.last(String(text[..<end])) + text[end...]
    }
}

/// The services of a volume, asked over their sockets.
enum LiveServices {
    /// Answers of those that run: collector, shipper.
    static func ask(_ layout: VolumeLayout) async -> [LiveStatus] {
        async let collector = ControlClient.request(path: layout.collectorSocket, .status)
        async let shipper = ControlClient.request(path: layout.shipperSocket, .status)
        return await [collector?.status, shipper?.status].compactMap(\.self)
    }

    /// The same, asked by one of them.
    static func beside(_ own: LiveStatus, _ layout: VolumeLayout) async -> [LiveStatus] {
        let limit = TimeAmount.seconds(1)
        switch own.role {
        case "collector":
            let shipper = await ControlClient.request(path: layout.shipperSocket, .status, timeout: limit)?.status
            return [own] + (shipper.map { [$0] } ?? [])
        case "shipper":
            let collector = await ControlClient.request(path: layout.collectorSocket, .status, timeout: limit)?.status
            return (collector.map { [$0] } ?? []) + [own]
        default: return [own]
        }
    }

    /// Tells the shipper to look for files now; false when none runs.
    static func wakeShipper(_ layout: VolumeLayout) async -> Bool {
        await ControlClient.request(path: layout.shipperSocket, .wake) != nil
    }
}
