internal import DiskIO
internal import Logging
internal import Metrics
internal import Ship

/// The shipper of one volume.
final class ShipperRuntime: Sendable {
    let ship: ShipService

    init(_ environment: ServiceEnvironment) throws {
        let options = environment.shipOptions()
        let clocks = environment.clocks
        let metrics = ShipMetrics(
            environment.registry, destinations: options.destinations,
            wallSeconds: { Double(clocks.wallMilliseconds()) / 1000 })
        ship = try ShipService(
            options: options, layout: environment.layout, fileSystem: environment.fileSystem, clocks: clocks,
            transport: CurlTransport(
                userAgent: "cirrus/\(Version.number)", network: environment.networkOptions,
                fileSystem: environment.fileSystem),
            jitter: .system, metrics: metrics, logger: environment.logger, owner: environment.owner)
    }

    /// One pass over what waits, cut at `deadline`; its first failure.
    private func pass(until deadline: Duration, _ clocks: Clocks) async -> String? {
        await withTaskGroup(of: String?.self) { group in
            group.addTask { await self.ship.pass(ignoringBackOff: true).failures.first }
            group.addTask {
                try? await clocks.sleep(max(.zero, deadline - clocks.uptime()))  // cancelled: the pass is over
                return nil
            }
            var failure: String?
            for await first in group {
                group.cancelAll()
                failure = failure ?? first
            }
            return failure
        }
    }

    /// Ships everything in the outbox; returns what is left when the time is over, or no destination takes it.
    func drain(deadline: Duration, clocks: Clocks) async throws -> DrainOutcome {
        var lastError: String?
        while true {
            lastError = await pass(until: deadline, clocks) ?? lastError
            let unsent = try await ship.unsent()
            let isOver = clocks.uptime() >= deadline
            if unsent.files == unsent.untakenFiles || isOver {
                if unsent.untakenFiles > 0 {
                    lastError =
                        lastError
                        ?? "no destination takes \(unsent.untakenFiles) files of histograms, exemplars or metadata"
                }
                let quarantined = try await ship.ledger.counts().filter { $0.state == .quarantined }
                return DrainOutcome(
                    unsentFiles: Int(unsent.files), unsentRows: Int(unsent.rows),
                    quarantinedFiles: quarantined.reduce(0) { $0 + Int($1.files) },
                    lastError: unsent.files == 0 ? nil : lastError)
            }
            try await clocks.sleep(.milliseconds(500))
        }
    }
}
