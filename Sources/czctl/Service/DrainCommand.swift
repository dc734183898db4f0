internal import ArgumentParser
internal import Configuration
internal import DiskIO
internal import Logging
internal import Metrics
internal import NIOCore

/// `czctl drain`.
struct Drain: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Stop intake, then seal, compact and ship everything",
        discussion: """
            Works through the running service, whose intake then answers 503 until it is restarted, or on a stopped \
            volume by itself. What is on its way when the time is over is cut, and sent by the next run. Exit 0 when \
            nothing un-uploaded is left, 8 otherwise.

            Examples:
              czctl drain --config config.yml
              czctl drain --config config.yml --timeout 10m
            """)

    @OptionGroup var volume: VolumeOptions

    @Option(help: "How long it may take, as 90s or 10m.")
    var timeout = DurationArgument(.seconds(300))

    @OptionGroup var options: OutputOptions

    private struct Answer: Encodable {
        let schema = "czctl.drain/v1"
        let unsentFiles: Int
        let unsentRows: Int
        let quarantinedFiles: Int
        let lastError: String?
    }

    func validate() throws {
        guard (.seconds(1) ... .seconds(86_400)).contains(timeout.duration) else {
            throw ValidationError("--timeout must be from 1s to 24h")
        }
    }

    func run() async throws {
        let layout = try volume.layout()
        let isCollecting = DirectoryLock.isHeld(layout.collectorLock)
        let isShipping = DirectoryLock.isHeld(layout.shipperLock)
        // `czctl run` holds both, and drains both when it is asked once.
        let isOne =
            isCollecting && isShipping
            && DirectoryLock.owner(of: layout.collectorLock) == DirectoryLock.owner(of: layout.shipperLock)
        let deadline = Clocks.system.uptime() + timeout.duration
        let waiting = { @Sendable (report: StatusReport) in Int(clamping: report.log.rows) &+ Int(report.unsent.rows) }
        let outcome = try await VolumeProgress.show("rows sent", layout, left: waiting) {
            var outcome = DrainOutcome()
            if isCollecting { outcome = try await ask(layout.collectorSocket, until: deadline) }
            if isShipping, !isOne { outcome = try await ask(layout.shipperSocket, until: deadline) }
            if !isCollecting || !isShipping {
                let rest = (collecting: !isCollecting, shipping: !isShipping)
                outcome = try await drainHere(rest, until: deadline) ?? outcome
            }
            return outcome
        }
        try report(outcome)
    }

    private func ask(_ socket: String, until deadline: Duration) async throws -> DrainOutcome {
        let left = max(.zero, deadline - Clocks.system.uptime())
        let command = ControlCommand(name: .drain, timeoutSeconds: left.inSeconds)
        let reply: ControlReply
        do throws(ControlClient.Silence) {
            reply = try await ControlClient.answer(path: socket, command, timeout: TimeAmount(left) + .seconds(60))
        } catch {
            throw CommandFailure(
                .temporary, "cannot drain through \(socket): the service holds the lock but does not answer",
                try: "czctl status", because: error)
        }
        if let error = reply.error { throw CommandFailure(.error, "cannot drain: \(error)", try: "czctl status") }
        return reply.drained ?? DrainOutcome()
    }

    /// Does the work of the halves that are not running.
    private func drainHere(
        _ rest: (collecting: Bool, shipping: Bool), until deadline: Duration
    ) async throws -> DrainOutcome? {
        let role: ServiceRole = rest.collecting && rest.shipping ? .run : rest.collecting ? .collector : .shipper
        let settings = try volume.load(role.configurationRole)
        let environment = try ServiceEnvironment(settings: settings, role: "drain", component: role)
        let service = try await Service.start(environment, role: role, listens: false)
        let outcome = try await service.drain(until: deadline)
        try await service.stop()
        return rest.shipping ? outcome : nil
    }

    private func report(_ outcome: DrainOutcome) throws {
        switch options.output {
        case .json:
            print(
                try options.encoded(
                    Answer(
                        unsentFiles: outcome.unsentFiles, unsentRows: outcome.unsentRows,
                        quarantinedFiles: outcome.quarantinedFiles, lastError: outcome.lastError)))
        case .table:
            print(
                "unsent \(outcome.unsentFiles) files, \(outcome.unsentRows) rows; "
                    + "quarantined \(outcome.quarantinedFiles)"
            )
        }
        guard outcome.unsentFiles > 0 else { return }
        throw CommandFailure(
            .partial, "\(outcome.unsentFiles) files are not uploaded: \(outcome.lastError ?? "no attempt was made")",
            try: "czctl files list --state failed")
    }
}
