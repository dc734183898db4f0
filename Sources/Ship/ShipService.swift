package import DiskIO
package import Logging
internal import Metrics
internal import Parquet
internal import Synchronization

/// The shipper: one of it a volume. `run` cycles until it is stopped; `pass` is one cycle, for `czctl drain` and tests.
package final class ShipService: Sendable {
    package let ledger: Ledger
    package let shipperID: String
    /// Replaced by `apply`; a cycle keeps the one it began with.
    private let current: Mutex<ShipmentPass>
    private let lock: DirectoryLock
    private let wakeUp = Signal()
    private let gate = Gate()
    private let adopted = Mutex(false)
    private let last = Mutex<PassReport?>(nil)
    private let nextCycle = Mutex<Duration?>(nil)
    private let executor = BlockingExecutor()

    /// Takes the volume's shipper lock, opens or makes the ledger and the shipper id.
    /// - Parameter owner: what the lock file says, for the one who is refused.
    /// - Throws: `.options` with every fault; `.alreadyRunning`; `.newerLedger`; `.shipperID`; `.disk`.
    package init(
        options: ShipOptions, layout: VolumeLayout, fileSystem: any FileSystem, clocks: Clocks,
        transport: any HTTPTransport, jitter: Jitter, metrics: ShipMetrics, logger: Logger, owner: String
    ) throws(ShipError) {
        guard options.faults.isEmpty else {
            throw ShipError(
                .options, "start the shipper", cause: options.faults.joined(separator: "; "),
                advice: "correct the configuration")
        }
        lock = try Self.lock(layout, fileSystem, owner: owner)
        let opened = try Ledger.open(layout, fileSystem, wallMilliseconds: clocks.wallMilliseconds())
        if let setAside = opened.setAside { logger.error("\(setAside)") }
        ledger = opened.ledger
        shipperID = try ShipperID.load(layout, fileSystem, hostName: options.hostName)
        let context = ShipContext(
            options: options, layout: layout, fileSystem: fileSystem, clocks: clocks, transport: transport,
            jitter: jitter, metrics: metrics, logger: logger, ledger: ledger, shipperID: shipperID, stop: Signal())
        current = Mutex(Self.pass(context))
    }

    private static func pass(_ context: ShipContext) -> ShipmentPass {
        ShipmentPass(context: context, senders: context.options.destinations.map { sender($0, context) })
    }

    private static func lock(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, owner: String
    ) throws(ShipError) -> DirectoryLock {
        do throws(IOError) {
            try layout.makeShipperDirectories(in: fileSystem)
            return try DirectoryLock(layout.shipperLock, owner: owner)
        } catch {
            guard error.operation == .lock, error.code == Errno.wouldBlock else {
                throw ShipError(error, "start the shipper")
            }
            let holder = DirectoryLock.owner(of: layout.shipperLock)
            throw ShipError(
                .alreadyRunning, "start the shipper on \(layout.root)",
                cause: "another one holds \(layout.shipperLock): \(holder)",
                advice: "czctl status --data \(layout.root)")
        }
    }

    static func sender(_ destination: DestinationOptions, _ context: ShipContext) -> any Sender {
        switch destination {
        case .directory(let name, let path, let hive, let byKind, let compression):
            return DirectorySender(
                name: name, path: path, hive: hive, byKind: byKind, compression: compression,
                fileSystem: context.fileSystem)
        case .cloudZero(let options):
            let api = UploadAPI(
                options: options, clusterName: context.options.clusterName,
                cloudAccountID: context.options.cloudAccountID, region: context.options.region,
                shipperID: context.shipperID, version: context.options.version,
                attemptTimeout: context.options.attemptTimeout)
            return CloudZeroSender(context: context, api: api)
        case .s3(let options): return S3Sender(context: context, options: options)
        }
    }

    private var work: ShipmentPass { current.withLock { $0 } }
    private var context: ShipContext { work.context }

    /// Takes over intervals, limits and hosts, from the cycle that begins now. The destinations' names stay.
    package func apply(_ options: ShipOptions) {
        current.withLock { work in
            let names = options.destinations.map(\.name)
            precondition(names == work.senders.map(\.name), "a destination comes and goes with a start")
            precondition(options.faults.isEmpty, "checked before")
            var context = work.context
            context.options = options
            work = Self.pass(context)
        }
        wakeUp.raise()
    }

    /// What the last finished cycle did; nil before the first.
    package var lastReport: PassReport? { last.withLock { $0 } }

    /// Until the next cycle begins by itself; nil while one runs, or none is to come.
    package var untilNextCycle: Duration? {
        nextCycle.withLock { $0 }.map { max(.zero, $0 - context.clocks.uptime()) }
    }

    package var isStopping: Bool { context.stop.isRaised }

    /// Kinds of files that each destination is to have, by its name.
    package var takenKinds: [String: [String]] {
        Dictionary(
            uniqueKeysWithValues: context.options.destinations.map { destination in
                (destination.name, ReferenceID.Kind.allCases.filter(destination.takes).map(\.rawValue))
            })
    }

    /// What is not yet at every configured destination, and what is in `outbox/` and none of them takes.
    package func unsent() async throws(ShipError) -> UnsentSummary {
        var unsent = try await ledger.unsent(at: work.senders.map(\.name))
        do throws(IOError) {
            for file in try work.untaken() {
                unsent.files += 1
                unsent.untakenFiles += 1
                unsent.bytes += file.byteCount
                unsent.rows += file.rowCount ?? 0
            }
        } catch {
            throw ShipError(error, "look for unsent files")
        }
        return unsent
    }

    /// Starts a cycle now instead of at its time. From anywhere.
    package func wake() { wakeUp.raise() }

    /// Ends `run`: no upload is begun any more; those in flight get `stopTimeLimit`, then they are cut, and sent again
    /// by the next start.
    package func stop() {
        if !context.stop.isRaised { context.metrics.shutdowns.add() }
        context.stop.raise()
        wakeUp.raise()
    }

    /// Cycles until `stop`, or until its task is cancelled (then uploads in flight are cut at once).
    package func run() async throws {
        context.logger.info(
            "Shipper service starting",
            metadata: [
                "shipper_id": "\(shipperID)",
                "destinations": "\(work.senders.map(\.name).joined(separator: ","))",
            ])
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.cycles() }
            group.addTask {
                await self.context.stop.wait()
                // Cancelled when the cycles end first: then there is nothing left to cut.
                try? await self.context.clocks.sleep(self.context.options.stopTimeLimit)
            }
            await group.next()
            group.cancelAll()
        }
    }

    private func cycles() async {
        while !Task.isCancelled {
            // Before the look at `stop`, which is raised before it: then neither is missed.
            wakeUp.lower()
            guard !context.stop.isRaised else { return }
            nextCycle.withLock { $0 = nil }
            _ = await pass()
            nextCycle.withLock { $0 = context.clocks.uptime() + context.options.sendInterval }
            _ = await wakeUp.wait(atMost: context.options.sendInterval, context.clocks.sleep)
        }
    }

    /// One cycle; a second caller waits for the first one's to end, or until it is cancelled.
    /// - Parameter ignoringBackOff: takes also files whose time has not come.
    package func pass(ignoringBackOff: Bool = false) async -> PassReport {
        guard await gate.enter() else {
            var report = PassReport()
            report.note("the cycle before has not ended")
            return report
        }
        let report = await withTaskExecutorPreference(executor) { await cycle(ignoringBackOff) }
        await gate.leave()
        last.withLock { $0 = report }
        return report
    }

    private func cycle(_ ignoringBackOff: Bool) async -> PassReport {
        let work = self.work
        var report = PassReport()
        do {
            if !adopted.withLock({ $0 }) {
                try await work.adopt()
                adopted.withLock { $0 = true }
            }
        } catch {
            report.note("cannot take in the volume's directories: \(error)")
        }
        let cycle = Cycle(start: context.clocks.uptime(), ignoresBackOff: ignoringBackOff)
        let done = await work.run(cycle)
        report.ignoredNames = done.ignoredNames
        report.unsent = done.unsent
        report.add(done)
        log(report)
        return report
    }

    private func log(_ report: PassReport) {
        let metadata: Logger.Metadata = [
            "uploaded": "\(report.uploaded)", "failed": "\(report.failed)", "quarantined": "\(report.quarantined)",
            "unsent": "\(report.unsent.files)",
        ]
        if let first = report.failures.first {
            context.logger.error("failed to ship the metrics", metadata: metadata.merging(["error": "\(first)"]) { $1 })
        } else {
            context.logger.info("Successfully ran the shipper cycle", metadata: metadata)
        }
    }
}

/// Lets one in at a time.
private actor Gate {
    private var isTaken = false
    private var waiting: [(ticket: Int, entry: CheckedContinuation<Bool, Never>)] = []
    private var nextTicket = 0

    /// - Returns: false when the caller was cancelled before it was let in.
    func enter() async -> Bool {
        guard isTaken else {
            isTaken = true
            return true
        }
        let ticket = nextTicket
        nextTicket += 1
        return await withTaskCancellationHandler {
            await withCheckedContinuation { entry in
                if Task.isCancelled { entry.resume(returning: false) } else { waiting.append((ticket, entry)) }
            }
        } onCancel: {
            Task { await self.giveUp(ticket) }
        }
    }

    private func giveUp(_ ticket: Int) {
        guard let index = waiting.firstIndex(where: { $0.ticket == ticket }) else { return }
        waiting.remove(at: index).entry.resume(returning: false)
    }

    func leave() {
        if waiting.isEmpty { isTaken = false } else { waiting.removeFirst().entry.resume(returning: true) }
    }
}
