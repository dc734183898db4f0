internal import ArgumentParser
internal import Compactor
internal import Configuration
internal import DiskIO
internal import Glibc
internal import Logging
internal import NIOPosix
internal import Parquet
internal import Ship
internal import Synchronization

/// `czctl demo`: the whole chain on one machine, with series of its own and a directory as destination.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the whole chain here: send, store, compact, ship to a directory",
        discussion: """
            Until Ctrl-C on a terminal, for 60 s elsewhere. Ends with the balance and the line to query the files.

            Examples:
              czctl demo
              czctl demo --data /tmp/demo --for 20s
            """)

    /// Series of each of the two senders, v1 and v2: one sample a second each.
    private static let seriesCount = 60

    @Option(help: "The directory for log, ledger and files.")
    var data = "./demo-data"

    @Option(name: .customLong("for"), help: "How long, as 60s or 5m (default: until Ctrl-C on a terminal, else 60s).")
    var length: DurationArgument?

    @Option(help: "The port to listen on.")
    var port = 8080

    func validate() throws { _ = try duration() }

    func run() async throws {
        let environment = try environment()
        let service = try await Service.start(environment, role: .run, listens: true)
        guard let port = service.port else { return }
        // What an earlier demo left goes first: the balance at the end is of this one alone.
        _ = try await service.flush()
        _ = await service.ship()
        let shipped = ShippedFiles(layout: environment.layout, fileSystem: environment.fileSystem)
        print("collector  http://127.0.0.1:\(port)/api/v1/write   data \(data)")
        print("sending    \(Self.seriesCount * 2) series every second (v1 and v2), rolling a file every 10 s")
        flush()
        let accepted = try await send(to: port, service: service, shipped)
        let outcome = try await service.drain(until: environment.clocks.uptime() + .seconds(60))
        try shipped.printNew()
        try balance(accepted, outcome, shipped)
        try await service.stop()
    }

    /// Sends until the time is over or Ctrl-C, printing each file as it lands; returns the samples accepted.
    private func send(to port: Int, service: Service, _ shipped: ShippedFiles) async throws -> Int {
        guard let url = WriteURL("http://127.0.0.1:\(port)/api/v1/write") else { return 0 }
        let clocks = Clocks.system
        let duration = try duration()
        return try await withThrowingTaskGroup(of: Int?.self) { tasks in
            for version in WriteVersion.allCases {
                tasks.addTask {
                    let generator = SeriesGenerator(
                        seriesCount: Self.seriesCount, batchSize: Self.seriesCount, version: version,
                        seed: version == .v1 ? 1 : 2)
                    let plan = LoadPlan(
                        generator: generator, rounds: .max / 2, first: clocks.wallMilliseconds(), step: 1000,
                        rate: Double(Self.seriesCount), clocks: clocks)
                    let client = LoadClient(
                        url: url, group: MultiThreadedEventLoopGroup.singleton, clocks: clocks, retryLimit: .seconds(30)
                    )
                    return await client.run(connections: 1) { await plan.next() }.samplesWritten
                }
            }
            tasks.addTask {
                try await service.shipper?.ship.run()
                return nil
            }
            tasks.addTask {
                while !Task.isCancelled {
                    try shipped.printNew()
                    // Cancelled: the files that are left are printed after the drain.
                    try? await clocks.sleep(.milliseconds(200))
                }
                return nil
            }
            tasks.addTask {
                await Self.end(after: duration, clocks)
                return nil
            }
            // The first to end is the clock or Ctrl-C: everyone else is told to stop.
            var total = 0
            var isFirst = true
            while let accepted = try await tasks.next() {
                total += accepted ?? 0
                if isFirst { tasks.cancelAll() }
                isFirst = false
            }
            return total
        }
    }

    private static func end(after duration: Duration?, _ clocks: Clocks) async {
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { _ = await Signals.terminations().first { _ in true } }
            // Cancelled by the signal.
            if let duration { tasks.addTask { try? await clocks.sleep(duration) } }
            await tasks.next()
            tasks.cancelAll()
        }
    }

    private func balance(
        _ accepted: Int, _ outcome: DrainOutcome, _ shipped: ShippedFiles
    ) throws {
        let rows = shipped.rows
        let isEven = accepted == rows && outcome.unsentFiles == 0
        print(
            "accepted \(grouped(accepted)) samples = \(grouped(rows)) rows in \(shipped.count) files. "
                + (isEven ? "Nothing lost." : "They differ!"))
        let path = data.hasPrefix("./") ? String(data.dropFirst(2)) : data
        print(
            "Try:  duckdb -c \"select metric_name, count(*), max(timestamp) from "
                + "read_parquet('\(path)/shipped/**/*.parquet', hive_partitioning=true) "
                + "group by 1 order by 2 desc limit 5\""
        )
        print("      czctl status --data \(data)        czctl files list --data \(data)")
        guard isEven else {
            throw CommandFailure(.error, "the balance is not even: \(outcome.lastError ?? "rows are missing")")
        }
    }

    private func duration() throws -> Duration? {
        guard let length else { return isatty(1) == 1 ? nil : .seconds(60) }
        guard (.seconds(1) ... .seconds(86_400)).contains(length.duration) else {
            throw ValidationError("--for must be from 1s to 24h")
        }
        return length.duration
    }

    private func environment() throws -> ServiceEnvironment {
        let fileSystem = PosixFileSystem()
        try fileSystem.makeDirectory(data)
        let overrides = [
            ("cluster_name", "demo"), ("database.storage_path", data), ("database.cost_max_interval", "10s"),
            ("database.observability_max_interval", "10s"), ("wal.segment_age", "2s"),
            ("cloudzero.send_interval", "10s"),
            ("destination.kind", "directory"), ("server.port", "\(port)"), ("server.address", "127.0.0.1"),
            ("logging.level", "warn"), ("logging.format", "logfmt"),
        ]
        switch Settings.load(
            yaml: nil, fileName: "", environment: [:], overrides: overrides.map { (key: $0.0, value: $0.1) }, role: .run
        )
        {
        case .success(let loaded):
            return try ServiceEnvironment(settings: loaded.settings, role: "demo", component: .run)
        case .failure(let faults):
            throw CommandFailure(.usage, "cannot start the demo\n\(faults)")
        }
    }

    private func grouped(_ number: Int) -> String {
        var text = ""
        for (index, digit) in String(number).reversed().enumerated() {
            if index > 0, index % 3 == 0 { text.append(",") }
            text.append(digit)
        }
        return String(text.reversed())
    }
}

/// The files that came to the demo's destination since it began.
private final class ShippedFiles: Sendable {
    private struct State {
        var seen: Set<String> = []
        var rows = 0
    }

    private let root: String
    private let fileSystem: any FileSystem
    private let state: Mutex<State>
    private let before: Int

    init(layout: VolumeLayout, fileSystem: any FileSystem) {
        root = layout.shipped
        self.fileSystem = fileSystem
        var state = State()
        // What an earlier demo left is not this one's; a destination that is not there yet is empty.
        state.seen = Set((try? Self.files(root, fileSystem)) ?? [])
        before = state.seen.count
        self.state = Mutex(state)
    }

    var rows: Int { state.withLock { $0.rows } }
    var count: Int { state.withLock { $0.seen.count } - before }

    /// `dt=…/hr=…/<name>` of every file.
    private static func files(_ root: String, _ fileSystem: any FileSystem) throws -> [String] {
        guard try fileSystem.exists(root) else { return [] }
        var found: [String] = []
        for day in try fileSystem.list(root) where day.hasPrefix("dt=") {
            for hour in try fileSystem.list("\(root)/\(day)") where hour.hasPrefix("hr=") {
                for name in try fileSystem.list("\(root)/\(day)/\(hour)") where ReferenceID(name) != nil {
                    found.append("\(day)/\(hour)/\(name)")
                }
            }
        }
        return found
    }

    func printNew() throws {
        for file in try Self.files(root, fileSystem) where state.withLock({ $0.seen.insert(file).inserted }) {
            let path = "\(root)/\(file)"
            let stored = try StoredFile(path, in: fileSystem)
            let rows = try ParquetFile.verify(stored).rows
            state.withLock { $0.rows += rows }
            let kibibytes = Double(stored.count) / 1024
            print("file       \(file)   \(rows) rows   \((kibibytes * 10).rounded() / 10) KiB   (verified)")
        }
        flush()
    }
}

/// A line that is not seen is a demo that hangs.
private func flush() { fflush(nil) }
