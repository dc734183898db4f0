internal import ArgumentParser
internal import DiskIO
internal import NIOCore

/// `czctl reload`.
struct ReloadCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "reload", abstract: "Have the running services read their configuration again, as SIGHUP does",
        discussion: """
            Says which keys hold from now on and which wait for a restart. All of a configuration is taken over that \
            can be, or nothing when anything is wrong with it; certificates and credentials are read again too. Each \
            service reads its own --config. Exit codes: 0 taken over, 1 not, with the faults, 2 the configuration \
            given here cannot be used, 4 no service runs, 5 one does not answer.

            Examples:
              czctl reload --data /cloudzero/data
              czctl reload --config config.yml -o json
            """)

    @OptionGroup var target: DataOptions
    @OptionGroup var options: OutputOptions

    private static let timeLimitSeconds: Int64 = 60

    private struct Answer: Encodable {
        struct Service: Encodable {
            /// `run pid 7`.
            let service: String
            let changed: [String]
            let needsRestart: [String]
            let faults: [String]
        }

        let schema = "czctl.reload/v1"
        let services: [Service]
    }

    func run() async throws {
        let layout = try target.layout()
        var done: [(owner: String, outcome: ReloadOutcome)] = []
        for (lock, socket) in [
            (layout.collectorLock, layout.collectorSocket), (layout.shipperLock, layout.shipperSocket),
        ] {
            guard DirectoryLock.isHeld(lock) else { continue }
            let owner = HumanText.line(DirectoryLock.owner(of: lock))
            // `czctl run` holds both.
            if done.contains(where: { $0.owner == owner }) { continue }
            done.append((owner, try await Self.reload(owner, socket)))
        }
        guard !done.isEmpty else {
            throw CommandFailure(.notFound, "cannot reload: no service runs on \(layout.root)", try: "czctl status")
        }
        switch options.output {
        case .table: for (owner, outcome) in done where outcome.faults.isEmpty { print("\(owner): \(outcome.text)") }
        case .json:
            let services = done.map { owner, outcome in
                Answer.Service(
                    service: owner, changed: outcome.changed, needsRestart: outcome.needsRestart,
                    faults: outcome.faults)
            }
            print(try options.encoded(Answer(services: services)))
        }
        let failed = done.filter { !$0.outcome.faults.isEmpty }
        guard let first = failed.first else { return }
        let owners = failed.map(\.owner).joined(separator: ", ")
        throw CommandFailure(
            .error, "\(owners): not taken over, what was read before holds:\n\(first.outcome.text)",
            try: "czctl config check --config FILE")
    }

    private static func reload(_ owner: String, _ socket: String) async throws -> ReloadOutcome {
        let command = ControlCommand(name: .reload)
        guard let reply = await ControlClient.request(path: socket, command, timeout: .seconds(timeLimitSeconds)) else {
            throw CommandFailure(
                .temporary, "cannot reload \(owner): it has the volume and does not answer", try: "czctl doctor")
        }
        guard let outcome = reply.reloaded else {
            throw CommandFailure(
                .error, "cannot reload \(owner): \(reply.error ?? "it reads no configuration")", try: "czctl status")
        }
        return outcome
    }
}
