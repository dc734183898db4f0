internal import Compactor
internal import Configuration
internal import DiskIO
internal import Dispatch
internal import Ingest
internal import Logging
internal import Metrics
internal import Ship
internal import Synchronization

/// The settings that hold, and how the last change of them went.
final class LiveSettings: Sendable {
    let current: Mutex<Settings>
    private let isGood: Gauge
    private let changedAt: Gauge

    init(_ settings: Settings, _ registry: MetricsRegistry, _ clocks: Clocks) {
        current = Mutex(settings)
        isGood = registry.gauge(
            "cirrus_config_last_reload_successful", "1 while the configuration read last is the one that holds.")
        changedAt = registry.gauge(
            "cirrus_config_last_reload_success_timestamp_seconds", "When the configuration that holds was read.")
        succeed(clocks)
    }

    func succeed(_ clocks: Clocks) {
        isGood.set(1)
        changedAt.set(Double(clocks.wallMilliseconds()) / 1000)
    }

    func fail() { isGood.set(0) }
}

/// How a service reads its configuration again; one reload at a time, in the order they were asked for.
final class Reloading: Sendable {
    /// Blocks.
    let read: @Sendable () throws -> Loaded
    /// Files are read here: not on the event loop, nor on the threads that tasks share.
    fileprivate let queue = DispatchQueue(label: "cirrus.reload")
    private let last = Mutex<Task<ReloadOutcome, Never>?>(nil)

    init(_ read: @escaping @Sendable () throws -> Loaded) { self.read = read }

    fileprivate func inTurn(_ work: @escaping @Sendable () async -> ReloadOutcome) async -> ReloadOutcome {
        let task = last.withLock { last in
            let task = Task { [before = last] in
                _ = await before?.value
                return await work()
            }
            last = task
            return task
        }
        return await task.value
    }
}

extension Service {
    /// Looks at certificates and credentials from time to time, and reads everything again at each hangup.
    func keepUpToDate(_ hangups: AsyncStream<Void>) async {
        guard let queue = reloading?.queue else { return }
        await withTaskGroup(of: Void.self) { tasks in
            tasks.addTask { [self] in
                while !Task.isCancelled {
                    // A cancelled sleep ends the loop.
                    try? await environment.clocks.sleep(PortAccess.checkInterval)
                    await queue.run { _ = self.access?.check(anyway: false) }
                }
            }
            tasks.addTask { [self] in
                for await _ in hangups { _ = await reload() }
            }
        }
    }

    /// Reads everything again, and takes over what can be; nil when this service reads no configuration.
    func reload() async -> ReloadOutcome? {
        await reloading?.inTurn { [self] in
            guard let reloading else { return ReloadOutcome() }
            let faults = await reloading.queue.run { self.access?.check(anyway: true) } ?? []
            var outcome = await reload(await reloading.queue.run { Result { try reloading.read() } })
            outcome.faults += faults
            return outcome
        }
    }

    /// Takes over what can be changed while the service runs: all of it, or nothing when anything is wrong.
    private func reload(_ read: Result<Loaded, any Error>) async -> ReloadOutcome {
        let logger = environment.logger
        do {
            let loaded = try read.get()
            let reload = Reload(from: settings.current.withLock { $0 }, to: loaded.settings)
            // What the next start would refuse is refused now.
            try with(loaded.settings).refuseUnsupported()
            let next = with(reload.settings)
            let intake = next.ingestOptions(reservedFor: reload.settings.destinations)
            let shipping = next.shipOptions()
            guard shipping.faults.isEmpty else {
                throw CommandFailure(.usage, shipping.faults.joined(separator: "\n"))
            }
            if !reload.applied.isEmpty {
                try await collector?.service.apply(intake)
                collector?.compactor.apply(interval: next.compactorOptions.interval)
                shipper?.ship.apply(shipping)
            }
            settings.current.withLock { $0 = reload.settings }
            settings.succeed(environment.clocks)
            for warning in loaded.warnings { logger.warning("\(warning)") }
            let level = Logger.Level(reload.settings.logging.level)
            // The line is for whoever sees the old level or the new one.
            environment.logThreshold.level = min(environment.logThreshold.level, level)
            logger.info(
                "configuration read again",
                metadata: [
                    "changed": "\(reload.applied.joined(separator: ","))",
                    "needs_restart": "\(reload.waiting.joined(separator: ","))",
                ])
            environment.logThreshold.level = level
            return ReloadOutcome(changed: reload.applied, needsRestart: reload.waiting)
        } catch {
            settings.fail()
            let faults = "\(error)".split(separator: "\n").map(String.init)
            for fault in faults {
                logger.error("configuration not taken over; the one before holds", metadata: ["fault": "\(fault)"])
            }
            return ReloadOutcome(faults: faults)
        }
    }

    private func with(_ settings: Settings) -> ServiceEnvironment {
        var environment = environment
        environment.settings = settings
        return environment
    }
}

extension DispatchQueue {
    /// Runs blocking work on the queue.
    fileprivate func run<Answer: Sendable>(_ work: @escaping @Sendable () -> Answer) async -> Answer {
        await withCheckedContinuation { continuation in
            async { continuation.resume(returning: work()) }
        }
    }
}
