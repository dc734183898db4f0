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
            given here cannot be used, 4 no service runs, 5 one does not answer, 6 the port refuses. With --url, or \
            CZCTL_URL, that service is asked over its port, which it takes when it was started with --enable-lifecycle.

            Examples:
              czctl reload --data /cloudzero/data
              czctl reload --config config.yml -o json
            """)

    @OptionGroup var target: TargetOptions
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
        let done: [(owner: String, outcome: ReloadOutcome)] =
            switch try await target.target() {
            case .port(let port): [(port.url, try await port.reload())]
            case .volume(let layout): try await Self.reload(layout)
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

    /// Each service of a volume, over its socket.
    private static func reload(_ layout: VolumeLayout) async throws -> [(owner: String, outcome: ReloadOutcome)] {
        var done: [(owner: String, outcome: ReloadOutcome)] = []
        for (lock, socket) in [
            (layout.collectorLock, layout.collectorSocket), (layout.shipperLock, layout.shipperSocket),
        ] {
            guard DirectoryLock.isHeld(lock) else { continue }
            let owner = HumanText.line(DirectoryLock.owner(of: lock))
            // `czctl run` holds both.
            if done.contains(where: { $0.owner == owner }) { continue }
            done.append((owner, try await reload(owner, socket)))
        }
        guard !done.isEmpty else {
            throw CommandFailure(.notFound, "cannot reload: no service runs on \(layout.root)", try: "czctl status")
        }
        return done
    }

    private static func reload(_ owner: String, _ socket: String) async throws -> ReloadOutcome {
        let command = ControlCommand(name: .reload)
        let reply: ControlReply
        do throws(ControlClient.Silence) {
            reply = try await ControlClient.answer(path: socket, command, timeout: .seconds(timeLimitSeconds))
        } catch {
            throw CommandFailure(
                .temporary, "cannot reload \(owner): it has the volume and does not answer", try: "czctl doctor",
                because: error)
        }
        guard let outcome = reply.reloaded else {
            throw CommandFailure(
                .error, "cannot reload \(owner): \(reply.error ?? "it reads no configuration")", try: "czctl status")
        }
        return outcome
    }
}
