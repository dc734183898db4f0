internal import ArgumentParser
internal import DiskIO

/// `czctl top`.
struct Top: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Watch rates, latencies, backlog and the metrics with most samples; q quits",
        discussion: """
            On a terminal a full screen that is drawn again and again. Elsewhere, or with -o json, one answer after \
            the other. The metrics are those of the last minute, counted from the log as it grows; with --url, or \
            CZCTL_URL, a service is asked over its port, and there are none; one that answered once may be away \
            for a while. Exit codes: 0 done, 4 no such volume, 5 nobody answers at the URL at first, 6 it refuses, 130 \
            interrupted.

            Examples:
              czctl top --data ./demo-data
              czctl top --config config.yml --interval 5s
              czctl top --data ./demo-data --count 10 -o json | jq .samples_per_second
              czctl top --url http://collector:8080
            """)

    @Option(help: "Between two looks.")
    var interval = DurationArgument(.seconds(2))

    @Option(help: "End after so many looks.")
    var count: Int?

    @OptionGroup var target: TargetOptions
    @OptionGroup var options: OutputOptions

    private static let metricLimit = 200
    private static let keyInterval = Duration.milliseconds(50)

    func validate() throws {
        guard (.milliseconds(100) ... .seconds(3600)).contains(interval.duration) else {
            throw ValidationError("--interval must be from 100ms to 1h")
        }
        if let count, count < 1 { throw ValidationError("--count must be 1 or more") }
    }

    func run() async throws {
        let target = try await target.target()
        guard options.output == .table, let screen = TerminalScreen() else { return try await print(target) }
        var view = try TopView(target)
        var left = count
        while left != 0 {
            try await view.look()
            screen.show(view.lines(Self.metricLimit))
            left = left.map { $0 - 1 }
            var waited = Duration.zero
            while waited < interval.duration {
                if screen.isInterrupted { throw ExitCode(ExitStatus.interrupted.rawValue) }
                if screen.key() == UInt8(ascii: "q") { return }
                try await Task.sleep(for: Self.keyInterval)
                waited += Self.keyInterval
            }
        }
    }

    /// Without a terminal.
    private func print(_ target: ServiceTarget) async throws {
        var view = try TopView(target)
        var left = count
        while left != 0 {
            try await Task.sleep(for: interval.duration)
            try await view.look()
            switch options.output {
            // Its answers are for programs, which read no words among them.
            case .json where view.trouble != nil: printError("czctl: \(view.trouble ?? "")")
            case .table: Swift.print(view.lines(Self.metricLimit).joined(separator: "\n") + "\n")
            case .json: Swift.print(try options.encoded(view.answer(Self.metricLimit), isOneOfMany: true))
            }
            Console.flush()  // at once, also into a pipe
            left = left.map { $0 - 1 }
        }
    }
}
