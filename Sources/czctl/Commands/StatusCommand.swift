internal import ArgumentParser
internal import DiskIO

/// `czctl status`.
struct Status: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Show the health of a volume: log, files, destinations, disk, balance",
        discussion: """
            Works on a live, stopped, killed or empty directory: reads files and writes nothing; locks only the \
            ledger, shared, while it is copied. A running service adds its numbers.

            Exit codes: 0 fine, or stopped; 3 degraded: a service runs and is not ready, or log, compaction or uploads \
            fail, or the volume is 95 % full, or something was quarantined in the last hour; also 3 when the ledger, a \
            manifest or a segment is damaged; 4 no such directory.

            Examples:
              czctl status --data ./demo-data
              czctl status --config config.yml -o json | jq .files.failed
            """)

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func run() async throws {
        let layout = try target.layout()
        let inputs = try await StatusInputs.gather(
            layout: layout, fileSystem: PosixFileSystem(), clocks: .system, live: await LiveServices.ask(layout))
        let text = StatusText(inputs)
        switch options.output {
        case .table: print(text.text)
        case .json: print(try Console.json(text.report))
        }
        if let status = text.report.exitStatus { throw ExitCode(status.rawValue) }
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

    /// Tells the shipper to look for files now; false when none runs.
    static func wakeShipper(_ layout: VolumeLayout) async -> Bool {
        await ControlClient.request(path: layout.shipperSocket, .wake) != nil
    }
}
