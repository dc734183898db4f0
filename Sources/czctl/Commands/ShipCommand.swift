internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Metrics
internal import NIOCore
internal import Ship

/// What `ship` and `flush` ask of a service, through its socket or by doing it on a stopped volume.
struct WorkOptions: ParsableArguments {
    @OptionGroup var volume: VolumeOptions

    @Option(help: "How long it may take, as 90s or 10m.")
    var timeout = DurationArgument(.seconds(300))

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard (.seconds(1) ... .seconds(86_400)).contains(timeout.duration) else {
            throw ValidationError("--timeout must be from 1s to 24h")
        }
    }

    /// The answer of whoever holds `lock`; nil when nobody does.
    func ask(_ name: ControlCommand.Name, lock: String, socket: String) async throws -> ControlReply? {
        guard DirectoryLock.isHeld(lock) else { return nil }
        let command = ControlCommand(name: name, timeoutSeconds: timeout.duration.inSeconds)
        let reply: ControlReply
        do throws(ControlClient.Silence) {
            reply = try await ControlClient.answer(path: socket, command, timeout: TimeAmount(timeout.duration))
        } catch {
            throw CommandFailure(
                .temporary, "cannot \(name.rawValue) through \(socket): the service holds the lock but does not answer",
                try: "czctl doctor", because: error)
        }
        if let error = reply.error {
            throw CommandFailure(.error, "cannot \(name.rawValue): \(error)", try: "czctl doctor")
        }
        return reply
    }

    /// A half of the service on a stopped volume, while `work` runs.
    func here<T>(role: ServiceRole, _ work: (Service) async throws -> T) async throws -> T {
        let settings = try volume.load(role.configurationRole)
        let environment = try ServiceEnvironment(settings: settings, role: "czctl", component: role)
        let service = try await Service.start(environment, role: role, listens: false)
        let result: T
        do {
            result = try await work(service)
        } catch {
            try await service.stop()
            throw error
        }
        try await service.stop()
        return result
    }
}

/// `czctl ship`.
struct ShipNow: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "ship", abstract: "Ship what waits, now: one cycle, also files whose back-off is not over",
        discussion: """
            Through the running shipper, or on a stopped volume by itself; waits for the end of the cycle. Exit codes: \
            0 nothing is left to send, 5 the service does not answer in time, 8 something is left.

            Examples:
              czctl ship --config config.yml
              czctl flush --data ./data && czctl ship --data ./data     (while a service runs there)
            """)

    @OptionGroup var options: WorkOptions

    private struct Answer: Encodable {
        let schema = "czctl.ship/v1"
        let uploadedFiles: Int
        let failedFiles: Int
        let quarantinedFiles: Int
        let unsentFiles: Int
        let unsentRows: Int
        let lastError: String?
    }

    func run() async throws {
        let layout = try options.volume.layout()
        let unsent = { @Sendable (report: StatusReport) in Int(report.unsent.rows) }
        let done = try await VolumeProgress.show("rows sent", layout, left: unsent) {
            if let answer = try await options.ask(.ship, lock: layout.shipperLock, socket: layout.shipperSocket) {
                return answer.shipped ?? ShipOutcome()
            }
            return try await options.here(role: .shipper) { service in await service.ship() }
        }
        switch options.output.output {
        case .table:
            print(
                "uploaded \(done.uploadedFiles) files; failed \(done.failedFiles); quarantined"
                    + " \(done.quarantinedFiles); unsent \(done.unsentFiles) files, \(done.unsentRows) rows")
        case .json:
            print(
                try options.output.encoded(
                    Answer(
                        uploadedFiles: done.uploadedFiles, failedFiles: done.failedFiles,
                        quarantinedFiles: done.quarantinedFiles, unsentFiles: done.unsentFiles,
                        unsentRows: done.unsentRows, lastError: done.lastError)))
        }
        guard done.unsentFiles > 0 else { return }
        throw CommandFailure(
            .partial, "\(done.unsentFiles) files are not uploaded: \(done.lastError ?? "they came meanwhile")",
            try: "czctl doctor")
    }
}

/// `czctl flush`.
struct Flush: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Seal the log's open segment and make Parquet of all of it, now",
        discussion: """
            Through the running collector, which goes on receiving, or on a stopped volume by itself. Exit codes: 0 \
            everything that was accepted before is in files, 5 the service does not answer in time.

            Examples:
              czctl flush --config config.yml
              czctl flush --config config.yml -o json | jq .files
            """)

    @OptionGroup var options: WorkOptions

    private struct Answer: Encodable {
        let schema = "czctl.flush/v1"
        /// Made.
        let files: Int
        let rows: Int
    }

    func run() async throws {
        let layout = try options.volume.layout()
        let inLog = { @Sendable (report: StatusReport) in Int(clamping: report.log.rows) }
        let done = try await VolumeProgress.show("rows in files", layout, left: inLog) {
            if let answer = try await options.ask(.flush, lock: layout.collectorLock, socket: layout.collectorSocket) {
                return answer.flushed ?? FlushOutcome()
            }
            return try await options.here(role: .collector) { service in try await service.flush() }
        }
        switch options.output.output {
        case .table: print("made \(done.files) files of \(HumanText.grouped(done.rows)) rows")
        case .json: print(try options.output.encoded(Answer(files: done.files, rows: done.rows)))
        }
    }
}
