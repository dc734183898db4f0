internal import ArgumentParser
internal import Compactor
internal import Configuration
internal import DiskIO
internal import Glibc
internal import NIOPosix
internal import Ship
internal import Synchronization

/// `czctl demo`: the whole chain on one machine, with series of its own and a directory as destination.
struct Demo: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the whole chain here: send, store, compact, ship to a directory",
        discussion: """
            Until Ctrl-C on a terminal, for 60 s elsewhere. Ends with the balance, counted in the files, and the lines \
            to query them.

            With --kill the service is a process that gets kill -9 every few seconds; the senders send again, byte for \
            byte, what was not answered, as Prometheus does. With --mock-api the files go to a mock of CloudZero's \
            upload API, which misbehaves.

            Examples:
              czctl demo
              czctl demo --data /tmp/demo --for 20s
              czctl demo --kill --mock-api --for 1m
            """)

    /// Series of each of the two senders, v1 and v2.
    private static let seriesCount = 60

    @Option(help: "The directory for log, ledger and files.")
    var data = "./demo-data"

    @Option(name: .customLong("for"), help: "How long, as 60s or 5m (default: until Ctrl-C on a terminal, else 60s).")
    var length: DurationArgument?

    @Option(help: "The port to listen on.")
    var port = 8080

    @Flag(help: "Kill the service (kill -9) every 1 to 4 seconds.")
    var kill = false

    @Flag(help: "Ship to a mock of CloudZero's upload API, with faults.")
    var mockAPI = false

    @OptionGroup var voice: VoiceOptions

    func validate() throws {
        _ = try duration()
        guard (1...65_535).contains(port) else { throw ValidationError("--port must be from 1 to 65535") }
    }

    func run() async throws {
        Signals.ignoreBrokenPipes()
        guard PortProbe.bindError(address: "127.0.0.1", port: port) != EADDRINUSE else {
            let holder = PortProbe.holder(of: port).map { " by \($0)" } ?? ""
            throw CommandFailure(
                .error, "cannot listen on 127.0.0.1:\(port): the port is taken\(holder)",
                try: "czctl demo --port \(port < 65_535 ? port + 1 : port - 1) --data OTHER_DIRECTORY")
        }
        try PosixFileSystem().makeDirectory(data)
        let layout = VolumeLayout(root: RealPath.of(data) ?? data)
        // What is left there is drained, which would end the intake of a service that runs there.
        for lock in [layout.collectorLock, layout.shipperLock] where DirectoryLock.isHeld(lock) {
            throw CommandFailure(
                .temporary, "cannot use \(data): \(HumanText.line(DirectoryLock.owner(of: lock))) runs there",
                try: "czctl demo --data OTHER_DIRECTORY")
        }
        try claim(layout)
        let mock = mockAPI ? try await DemoMock.start(data: data) : nil
        let plan = DemoSettings(data: data, port: port, isKilled: kill, upload: mock?.settings)
        // What an earlier demo left goes first: the balance at the end is of this one alone.
        if HostFile.exists(layout.volume) { try await plan.shipLeftovers() }
        let environment = try plan.environment()
        let root = mock?.bucket ?? environment.layout.shipped
        let delivered = DeliveredFiles(root: root, fileSystem: environment.fileSystem)
        let chaos: DemoChaos
        let outcome: DrainOutcome
        if kill {
            introduce(mock)
            chaos = try await work(delivered) { isOver in try await plan.runKilled(until: isOver) }
            // As `czctl drain` on a stopped volume.
            outcome = try await drain(try await Service.start(environment, role: .run, listens: false))
        } else {
            let service = try await Service.start(environment, role: .run, listens: true)
            introduce(mock)
            chaos = try await work(delivered) { _ in
                try await service.shipper?.ship.run()
                return 0
            }
            outcome = try await drain(service)
        }
        try delivered.printNew(isLast: true)
        await mock?.stop()
        try balance(chaos, outcome, delivered)
        suggest(mock)
    }

    /// Marks the directory as a demo's: what is in one is drained and counted with, which nobody wants of a volume that
    /// was not made for it.
    private func claim(_ layout: VolumeLayout) throws {
        let marker = "\(layout.root)/DEMO"
        guard !HostFile.exists(marker) else {
            if HostFile.exists(layout.volume) {
                printNote("czctl: \(data) is of an earlier demo: this one adds to it")
            }
            return
        }
        guard try !PosixFileSystem().list(layout.root).contains(where: layout.isOurs) else {
            throw CommandFailure(
                .error, "cannot use \(data): it is a volume, and no demo's; a demo would send what waits in it",
                try: "czctl demo --data OTHER_DIRECTORY")
        }
        try PosixFileSystem().publish(Array("made by czctl demo\n".utf8), at: marker)
    }

    private func drain(_ service: Service) async throws -> DrainOutcome {
        let outcome = try await service.drain(until: service.environment.clocks.uptime() + .seconds(60))
        try await service.stop()
        return outcome
    }

    // MARK: Sending

    private enum Event: Sendable {
        case over
        case sent(LoadReport)
        case served(kills: Int)
    }

    /// Sends until the time is over or Ctrl-C, while `serve` works, and prints each file as it lands.
    /// - Parameter serve: gets to know when the time is over; what is under way is then still answered.
    ///   Returns its kills.
    private func work(
        _ delivered: DeliveredFiles,
        _ serve: @escaping @Sendable (_ isOver: @escaping @Sendable () -> Bool) async throws -> Int
    ) async throws -> DemoChaos {
        guard let url = WriteURL("http://127.0.0.1:\(port)/api/v1/write") else { return DemoChaos() }
        let clocks = Clocks.system
        let duration = try duration()
        let ending = DemoEnding()
        return try await withThrowingTaskGroup(of: Event.self) { tasks in
            for version in WriteVersion.allCases {
                tasks.addTask { .sent(await send(version, to: url, clocks) { ending.isOver }) }
            }
            tasks.addTask { .served(kills: try await serve { ending.isOver }) }
            tasks.addTask {
                await Self.end(after: duration, clocks)
                return .over
            }
            tasks.addTask {
                while !Task.isCancelled {
                    try delivered.printNew()
                    // Cancelled: the files that are left are printed after the drain.
                    try? await clocks.sleep(.milliseconds(200))
                }
                return .over
            }
            var chaos = DemoChaos()
            var sendersLeft = WriteVersion.allCases.count
            while let event = try await tasks.next() {
                switch event {
                case .over: ending.set()
                case .served(let kills): chaos.kills = kills
                case .sent(let report):
                    chaos.accepted += report.samplesWritten
                    chaos.repeated += report.retries
                    chaos.failure = chaos.failure ?? report.firstFailure
                    sendersLeft -= 1
                    if sendersLeft == 0 { tasks.cancelAll() }
                }
            }
            return chaos
        }
    }

    /// Each request until it is answered, whatever the time: one that is given up may be stored all the same.
    private func send(
        _ version: WriteVersion, to url: WriteURL, _ clocks: Clocks, isOver: @escaping @Sendable () -> Bool
    ) async -> LoadReport {
        let generator = SeriesGenerator(
            seriesCount: Self.seriesCount, batchSize: Self.seriesCount, version: version,
            seed: version == .v1 ? 1 : 2)
        let step = DemoSettings.milliseconds(isKilled: kill)
        let plan = LoadPlan(
            generator: generator, rounds: .max / 2, first: clocks.wallMilliseconds(), step: step,
            rate: Double(Self.seriesCount) * 1000 / Double(step), clocks: clocks)
        let client = LoadClient(
            url: url, access: .open, group: MultiThreadedEventLoopGroup.singleton, clocks: clocks,
            retryLimit: .seconds(60))
        return await client.run(connections: 1) { isOver() ? nil : await plan.next() }
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

    private func duration() throws -> Duration? {
        guard let length else { return isatty(1) == 1 ? nil : .seconds(60) }
        guard (.seconds(1) ... .seconds(86_400)).contains(length.duration) else {
            throw ValidationError("--for must be from 1s to 24h")
        }
        return length.duration
    }

    // MARK: Words

    /// A line that is not seen is a demo that hangs.
    static func say(_ line: String) {
        print(line)
        fflush(nil)
    }

    private func introduce(_ mock: DemoMock?) {
        Self.say("collector  http://127.0.0.1:\(port)/api/v1/write   data \(data)")
        if let mock { Self.say("upload API \(mock.url)   a mock, with faults: \(DemoMock.faultNames)") }
        let pace = kill ? "ten times a second" : "every second"
        let rolling = kill ? "rolling a file every few seconds" : "rolling a file every 10 s"
        Self.say("sending    \(Self.seriesCount * 2) series \(pace) (v1 and v2), \(rolling)")
    }

    private func balance(_ chaos: DemoChaos, _ outcome: DrainOutcome, _ delivered: DeliveredFiles) throws {
        let rows = delivered.rows
        let isEven = chaos.accepted == rows && outcome.unsentFiles == 0
        if kill { Self.say("repeated   \(chaos.repeated) attempts of requests that were not answered, byte for byte") }
        Self.say(
            "accepted \(HumanText.grouped(chaos.accepted)) samples = \(HumanText.grouped(rows)) rows in"
                + " \(delivered.count) files\(kill ? ", \(chaos.kills) kills" : ""). "
                + (isEven ? "Nothing lost." : "They differ!"))
        guard isEven else {
            let difference =
                rows > chaos.accepted
                ? "there are more rows than were sent: another sender may use the port" : "rows are missing"
            let reason = outcome.lastError ?? chaos.failure ?? difference
            throw CommandFailure(.error, "the balance is not even: \(reason)", try: "czctl files list --data \(data)")
        }
    }

    /// Lines that work where the user stands: the program as it was called.
    private func suggest(_ mock: DemoMock?) {
        let program = CzCtl.words.first ?? "czctl"
        print("Try:  \(program) query --data \(data) --by metric_name")
        print("      \(program) status --data \(data)        \(program) files list --data \(data)")
        let path = data.hasPrefix("./") ? String(data.dropFirst(2)) : data
        let shipped = "\(path)/shipped/dt=*/**/*.parquet', hive_partitioning=true"
        let files = mock == nil ? shipped : "\(path)/mock-bucket/*.parquet'"
        print(
            "      duckdb -c \"select metric_name, count(*), max(timestamp) from read_parquet('\(files)) "
                + "group by 1 order by 2 desc limit 5\"")
    }
}

/// What a demo did.
struct DemoChaos: Sendable {
    /// Samples answered with 2xx.
    var accepted = 0
    var repeated = 0
    var kills = 0
    var failure: String?
}

/// Whether the demo's time is over.
private final class DemoEnding: Sendable {
    private let state = Mutex(false)

    var isOver: Bool { state.withLock { $0 } }

    func set() { state.withLock { $0 = true } }
}
