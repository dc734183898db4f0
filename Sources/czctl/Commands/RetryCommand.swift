internal import ArgumentParser
internal import DiskIO
internal import Metrics
internal import NIOCore
internal import Ship

/// `czctl retry`.
struct Retry: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Put failed, abandoned or quarantined files back in the queue",
        discussion: """
            Clears the back-off and wakes a running shipper; a quarantined file is checked again before it is sent. \
            Files in other states are left. With --wait the running shipper makes one cycle at once, and the answer \
            says what became of the files. Exit codes: 0 done, also when there was nothing to do; 4 when an id or the \
            destination is not found (then nothing was changed); with --wait 5 no shipper has answered in time, 8 some \
            are not uploaded.

            Examples:
              czctl retry --state failed --data ./demo-data
              czctl retry --all --wait --config config.yml
              czctl files list --state failed -o name | xargs czctl retry --dry-run
            """)

    enum State: String, ExpressibleByArgument, CaseIterable {
        case failed, abandoned, quarantined

        var shipmentState: ShipmentState {
            switch self {
            case .failed: .failed
            case .abandoned: .abandoned
            case .quarantined: .quarantined
            }
        }
    }

    @Argument(help: "Ids of files, as files list shows them.", completion: FileIDs.completion)
    var ids: [String] = []

    @Option(name: .customLong("state"), help: "All files in this state: failed, abandoned or quarantined; repeatable.")
    var states: [State] = []

    @Flag(help: "All failed, abandoned and quarantined files.")
    var all = false

    @Option(help: "Only at this destination.")
    var destination: String?

    @Flag(help: "Only say what would be put back.")
    var dryRun = false

    @Flag(help: "Send them now, and wait for the outcome.")
    var wait = false

    @Option(help: "How long --wait may take, as 90s or 10m.")
    var timeout = DurationArgument(.seconds(300))

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    func validate() throws {
        let given = [!ids.isEmpty, !states.isEmpty, all].filter(\.self).count
        guard given == 1 else { throw ValidationError("give ids, or --state, or --all") }
        guard (.seconds(1) ... .seconds(86_400)).contains(timeout.duration) else {
            throw ValidationError("--timeout must be from 1s to 24h")
        }
        guard !wait || !dryRun else { throw ValidationError("--wait and --dry-run exclude each other") }
    }

    private var filter: ShipmentFilter {
        if all { return .all }
        return ids.isEmpty ? .states(Set(states.map(\.shipmentState))) : .files(ids)
    }

    func run() async throws {
        let layout = try target.layout()
        let fileSystem = PosixFileSystem()
        let rows: [Shipment]
        do {
            try await FileIDs.require(ids, layout, fileSystem, to: "retry")
            try await FileIDs.require(destination, layout, fileSystem, to: "retry")
            rows = try await putBack(layout, fileSystem)
        } catch let error as ShipError {
            throw CommandFailure(error)
        }
        if wait {
            let outcome = rows.isEmpty ? Outcome() : try await ship(rows, layout, fileSystem)
            return try show(rows, isWoken: !rows.isEmpty, outcome)
        }
        let isWoken = dryRun || rows.isEmpty ? false : await LiveServices.wakeShipper(layout)
        try show(rows, isWoken: isWoken)
    }

    /// What `--wait` waited for.
    private struct Outcome: Encodable {
        var uploadedFiles = 0
        var failedFiles = 0
        var seconds = 0.0
    }

    /// One cycle of the running shipper, and what it did to `rows`.
    private func ship(_ rows: [Shipment], _ layout: VolumeLayout, _ fileSystem: any FileSystem) async throws -> Outcome
    {
        let began = Clocks.system.uptime()
        let command = ControlCommand(name: .ship, timeoutSeconds: timeout.duration.inSeconds)
        let reply = await ControlClient.request(
            path: layout.shipperSocket, command, timeout: TimeAmount(timeout.duration))
        guard reply?.shipped != nil else {
            throw CommandFailure(
                .temporary, "put back, and not sent: no shipper has answered on \(layout.shipperSocket)",
                try: "czctl ship")
        }
        let ids = Array(Set(rows.map(\.file)))
        let after =
            try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                try await ledger.list(.files(ids))
            } ?? []
        let sent = after.filter { [.uploaded, .purging, .purged].contains($0.state) }
        let sentPairs = Set(sent.map { "\($0.file) \($0.destination)" })
        let failed = Set(rows.filter { !sentPairs.contains("\($0.file) \($0.destination)") }.map(\.file))
        return Outcome(
            uploadedFiles: ids.count - failed.count, failedFiles: failed.count,
            seconds: ((Clocks.system.uptime() - began) / .milliseconds(100)).rounded() / 10)
    }

    /// The rows as they were. Where no shipper ever ran there is nothing to put back.
    private func putBack(_ layout: VolumeLayout, _ fileSystem: any FileSystem) async throws -> [Shipment] {
        if dryRun {
            return try await LedgerCopy.read(layout, fileSystem) { ledger throws(ShipError) in
                try await ledger.retry(filter, only: destination, dryRun: true, at: 0)
            } ?? []
        }
        guard try fileSystem.exists(layout.ledger) else { return [] }
        return try await Ledger.openExisting(layout, fileSystem)
            .retry(filter, only: destination, dryRun: false, at: Clocks.system.wallMilliseconds())
    }

    private struct Answer: Encodable {
        struct File: Encodable {
            let id: String
            let destination: String
            /// Before.
            let state: FileState
        }

        let schema = "czctl.retry/v1"
        let dryRun: Bool
        let files: [File]
        /// Whether a running shipper was told.
        let shipperWoken: Bool
        /// With `--wait`.
        let outcome: Outcome?
    }

    private func show(_ rows: [Shipment], isWoken: Bool, _ outcome: Outcome? = nil) throws {
        switch options.output {
        case .table:
            for row in rows { print("\(row.file)  \(row.destination)  \(FileState(row.state).rawValue) -> ready") }
            if let outcome {
                let files = outcome.uploadedFiles + outcome.failedFiles
                print(
                    "retried \(files) file\(files == 1 ? "" : "s"): \(outcome.uploadedFiles) uploaded,"
                        + " \(outcome.failedFiles) failed (\(outcome.seconds)s)")
                break
            }
            let count = "\(rows.count) file\(rows.count == 1 ? "" : "s")"
            let then = isWoken ? "; the shipper is at it" : rows.isEmpty || dryRun ? "" : "; no shipper runs here"
            printError(dryRun ? "would put back \(count)" : "put back \(count)\(then)")
        case .json:
            let files = rows.map {
                Answer.File(id: $0.file, destination: $0.destination, state: FileState($0.state))
            }
            print(
                try options.encoded(Answer(dryRun: dryRun, files: files, shipperWoken: isWoken, outcome: outcome)))
        }
        if let failed = outcome?.failedFiles, failed > 0 {
            throw CommandFailure(
                .partial, "\(failed) file\(failed == 1 ? " is" : "s are") not uploaded",
                try: "czctl files list --state failed")
        }
    }
}
