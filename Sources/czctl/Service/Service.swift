internal import ArgumentParser
internal import CLinux
internal import Compactor
internal import Configuration
internal import DiskIO
internal import Dispatch
internal import Glibc
internal import HTTPServer
internal import Ingest
internal import Logging
internal import Metrics
internal import NIOCore
internal import NIOPosix
internal import Ship
internal import WAL

/// Which halves a process runs.
enum ServiceRole: String, ExpressibleByArgument, CaseIterable, Sendable {
    case run, collector, shipper

    var collects: Bool { self != .shipper }
    var ships: Bool { self != .collector }
    var configurationRole: Role {
        switch self {
        case .run: .run
        case .collector: .collector
        case .shipper: .shipper
        }
    }
}

/// A running service: its halves, its HTTP port and its control sockets.
final class Service: Sendable {
    let environment: ServiceEnvironment
    let settings: LiveSettings
    /// nil when it does not listen.
    let access: PortAccess?
    let role: ServiceRole
    /// nil: it reads no configuration again.
    let reloading: Reloading?
    private let group: MultiThreadedEventLoopGroup
    let collector: CollectorRuntime?
    let shipper: ShipperRuntime?
    private let server: HTTPServer?
    private let sockets: [ControlServer]
    private let startedAt: Duration
    private let recent: RecentIntake?

    var port: Int? { server?.port }
    var connectionCount: Int { server?.connectionCount ?? 0 }
    var uptime: Duration { environment.clocks.uptime() - startedAt }

    private init(
        environment: ServiceEnvironment, role: ServiceRole, group: MultiThreadedEventLoopGroup,
        collector: CollectorRuntime?, shipper: ShipperRuntime?, access: PortAccess?, server: HTTPServer?,
        sockets: [ControlServer], reloading: Reloading?
    ) {
        self.environment = environment
        settings = LiveSettings(environment.settings, environment.registry, environment.clocks)
        self.access = access
        self.role = role
        self.group = group
        self.collector = collector
        self.shipper = shipper
        self.server = server
        self.sockets = sockets
        self.reloading = reloading
        let now = environment.clocks.uptime()
        startedAt = now
        recent = collector.map { RecentIntake($0.service.metrics, at: now) }
    }

    /// By then each half has made its first cycle.
    private static let settlingTime = Duration.seconds(10)

    /// Starts the halves of `role`. The port answers `/livez` before the log is read.
    /// - Parameters:
    ///   - listens: false for work on a stopped volume: no port, no sockets.
    ///   - read: how the configuration is read again; blocks. nil: never.
    ///   - servesReload: `POST /-/reload` does so.
    ///   - onPublish: files came to `outbox/`.
    static func start(
        _ environment: ServiceEnvironment, role: ServiceRole, listens: Bool,
        read: (@Sendable () throws -> Loaded)? = nil, servesReload: Bool = false,
        onPublish: @escaping @Sendable (CompactionReport) -> Void = { _ in }
    ) async throws -> Service {
        try environment.refuseUnsupported()
        let root = environment.layout.root
        guard try environment.fileSystem.status(root)?.isDirectory == true else {
            throw CommandFailure(
                .notFound, "cannot start on \(root): there is no such directory",
                try: "mkdir -p \(root), or set database.storage_path")
        }
        // One loop decodes and owns the active segment's series: more would only contend for it.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let holder = ServiceHolder()
        var intake: IngestService?
        if role.collects {
            intake = IngestService(
                eventLoop: group.any(),
                options: environment.ingestOptions(reservedFor: environment.settings.destinations),
                metrics: IngestMetrics(environment.registry), clocks: environment.clocks,
                logger: environment.logger)
        }
        let access = listens ? try makeAccess(environment, intake) : nil
        let server = try await listen(environment, role, group, intake, access, holder, servesReload: servesReload)
        do {
            // The shipper first: the collector wakes it.
            let shipper = role.ships ? try ShipperRuntime(environment) : nil
            var collector: CollectorRuntime?
            if let intake {
                collector = try await CollectorRuntime.start(environment, service: intake) { report in
                    onPublish(report)
                    clinux_release_program_pages()
                    shipper?.ship.wake()
                    if shipper == nil { holder.wakeShipper(environment.layout.shipperSocket) }
                }
            }
            let sockets = listens ? await openSockets(environment, role, group, holder) : []
            let service = Service(
                environment: environment, role: role, group: group, collector: collector, shipper: shipper,
                access: access, server: server, sockets: sockets, reloading: read.map(Reloading.init))
            holder.set(service)
            return service
        } catch {
            await server?.stop()
            try await group.shutdownGracefully()
            throw error
        }
    }

    private static func makeAccess(_ environment: ServiceEnvironment, _ intake: IngestService?) throws -> PortAccess {
        let refused =
            intake?.metrics.requestsRefused["auth"]
            ?? environment.registry.counter(
                "cirrus_requests_refused_total", "Requests refused as a whole.", ["reason": "auth"])
        return try PortAccess(environment.settings, environment.registry, environment.logger, refusedRequests: refused)
    }

    private static func operatorRoutes(
        _ environment: ServiceEnvironment, _ role: ServiceRole, _ intake: IngestService?, _ holder: ServiceHolder,
        servesReload: Bool
    ) -> OperatorRoutes {
        var routes = OperatorRoutes(
            checks: {
                var checks = intake?.checks ?? []
                guard role.ships else { return checks }
                let ship = holder.service?.shipper?.ship
                checks.append(("shipper", ship == nil ? "starting" : ship?.isStopping == true ? "stopping" : nil))
                return checks
            },
            registry: environment.registry,
            status: {
                let starting = LiveStatus(
                    version: Version.number, pid: getpid(), role: role.rawValue, uptimeSeconds: 0,
                    readiness: intake?.readiness.reason ?? "starting")
                let report = try await StatusReport.gather(
                    layout: environment.layout, fileSystem: environment.fileSystem, clocks: environment.clocks,
                    own: await holder.service?.live ?? starting)
                return try Array(report.json())
            })
        routes.hasPage = environment.settings.server.hasStatusPage
        if servesReload { routes.reload = { await holder.service?.reload() } }
        if environment.settings.server.profiling { routes.state = { await holder.service?.state } }
        return routes
    }

    /// - Parameter access: nil does not listen.
    private static func listen(
        _ environment: ServiceEnvironment, _ role: ServiceRole, _ group: MultiThreadedEventLoopGroup,
        _ intake: IngestService?, _ access: PortAccess?, _ holder: ServiceHolder, servesReload: Bool
    ) async throws -> HTTPServer? {
        guard let access else { return nil }
        let settings = environment.settings
        let routes = operatorRoutes(environment, role, intake, holder, servesReload: servesReload)
        var options = HTTPServerOptions(
            address: settings.server.address,
            port: role == .shipper ? settings.server.shipperPort : settings.server.port,
            connectionLimit: settings.limits.connections,
            connectionsPerAddressLimit: settings.limits.connectionsPerAddress,
            headerByteLimit: settings.limits.headerByteLimit, headerTimeout: .init(settings.limits.headerTimeout),
            idleTimeout: .init(settings.limits.idleTimeout), bodyRateMinimum: settings.limits.bodyBytesPerSecond,
            // A body somewhat over the limit is read to its end, so that the connection lives.
            discardByteLimit: 2 * settings.limits.bodyByteLimit,
            reconnectFrequency: role.collects ? settings.server.reconnectFrequency : 0,
            drainTimeout: .init(settings.server.drainTimeout))
        let metrics = HTTPMetrics(environment.registry)
        options.onAnswer = { metrics.count($0) }
        ProcessMetrics.register(environment)
        let handler: any HTTPHandler =
            if let intake {
                RemoteWriteHandler(intake, clocks: environment.clocks, operatorRoutes: routes)
            } else {
                routes
            }
        do throws(HTTPServerError) {
            return try await HTTPServer.start(options, access: access.server, handler: handler, group: group)
        } catch {
            let holder = error.reason == .addressInUse ? PortProbe.holder(of: options.port) : nil
            throw CommandFailure(
                .error, "\(error)" + (holder.map { "; \($0) has it" } ?? ""), try: "czctl doctor --config FILE",
                because: error)
        }
    }

    private static func openSockets(
        _ environment: ServiceEnvironment, _ role: ServiceRole, _ group: MultiThreadedEventLoopGroup,
        _ holder: ServiceHolder
    ) async -> [ControlServer] {
        var paths: [String] = []
        if role.collects { paths.append(environment.layout.collectorSocket) }
        if role.ships { paths.append(environment.layout.shipperSocket) }
        var sockets: [ControlServer] = []
        for path in paths {
            // A Unix socket's path ends at 107 bytes: a longer storage path works without its socket.
            guard path.utf8.count < 107 else {
                environment.logger.warning(
                    "no control socket: the storage path is too long", metadata: ["path": "\(path)"])
                continue
            }
            do {
                sockets.append(
                    try await ControlServer.start(path: path, group: group) { command in
                        await holder.service?.answer(command) ?? ControlReply(error: "starting")
                    })
            } catch {
                // The samples come first: a service without its socket is only harder to ask.
                environment.logger.warning(
                    "no control socket: czctl cannot ask this service",
                    metadata: ["path": "\(path)", "error": "\(error)"])
            }
        }
        return sockets
    }

    /// Works until a signal asks for the end.
    /// - Parameters:
    ///   - terminations: the first asks for the end.
    ///   - hangups: each reads the configuration again.
    ///   - stateRequests: each writes the state to the log.
    func runUntilSignal(
        _ terminations: AsyncStream<String>, hangups: AsyncStream<Void>, stateRequests: AsyncStream<Void>
    ) async throws {
        // Most of what starting touched is not used again; nor is, below, what the first cycle did.
        clinux_release_program_pages()
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { await self.keepUpToDate(hangups) }
            tasks.addTask { await self.logState(at: stateRequests) }
            tasks.addTask { await self.noteIntake() }
            tasks.addTask {
                try? await self.environment.clocks.sleep(Self.settlingTime)  // cancelled: it stops
                clinux_release_program_pages()
            }
            try await self.serve(until: terminations)
            tasks.cancelAll()
        }
        try await close()
    }

    private func noteIntake() async {
        guard let recent else { return }
        while !Task.isCancelled {
            // A cancelled sleep ends the loop.
            try? await environment.clocks.sleep(RecentIntake.interval)
            recent.note(at: environment.clocks.uptime())
        }
    }

    private func serve(until terminations: AsyncStream<String>) async throws {
        try await withThrowingTaskGroup(of: Void.self) { tasks in
            if let shipper { tasks.addTask { try await shipper.ship.run() } }
            tasks.addTask {
                // None: the task is cancelled.
                guard let name = await terminations.first(where: { _ in true }) else { return }
                self.environment.logger.info("stopping", metadata: ["signal": "\(name)"])
                await self.stopCollecting()
                self.shipper?.ship.stop()
            }
            try await tasks.waitForAll()
        }
    }

    /// In-flight requests finish, the log is sealed.
    private func stopCollecting() async {
        // The server first: it takes nothing new, and what is being sent to it now is still stored.
        await server?.drain()
        await collector?.stop()
    }

    /// The end of a service that `run` was not called on, or whose halves have stopped.
    func close() async throws {
        for socket in sockets { await socket.stop() }
        await server?.stop()
        try await group.shutdownGracefully()
    }

    /// Stops everything at once; what is in the log stays there.
    func stop() async throws {
        await stopCollecting()
        shipper?.ship.stop()
        try await close()
    }

    // MARK: Control

    /// What only this process knows.
    var live: LiveStatus {
        get async {
            var status = LiveStatus(
                version: Version.number, pid: getpid(), role: role.rawValue,
                uptimeSeconds: uptime.inSeconds, readiness: "ready")
            status.port = port
            if let collector {
                let metrics = collector.service.metrics
                if let reason = collector.service.readiness.reason { status.readiness = reason }
                status.samplesReceived = metrics.received.value
                status.samplesStored = metrics.stored.value
                status.samplesRejected = metrics.rejected.values.reduce(0) { $0 + $1.value }
                status.samplesFiltered = metrics.filtered.value
                status.samplesDeduplicated = metrics.retransmitted.value
                status.filters = environment.filter.lists.map { list in
                    LiveStatus.Filter(
                        list: list.name, droppedSamples: metrics.filteredByList[list.name]?.value,
                        rules: list.counts.map { .init(rule: $0.rule, matches: $0.matches) })
                }
                status.requestP50Seconds = metrics.requestSeconds.quantile(0.5)
                status.requestP99Seconds = metrics.requestSeconds.quantile(0.99)
                status.fsyncP99Seconds = metrics.syncSeconds.quantile(0.99)
                let rates = recent?.rates(at: environment.clocks.uptime())
                status.recentSeconds = rates?.seconds
                status.recentSamplesPerSecond = rates?.samplesPerSecond
                status.recentRequestP99Seconds = rates?.requestP99Seconds
                status.recentFsyncP99Seconds = rates?.fsyncP99Seconds
                status.requestLatency = LiveStatus.Latency(metrics.requestSeconds)
                status.lastReceivedSecondsAgo = await collector.service.lastReceived.map {
                    (environment.clocks.uptime() - $0).inSeconds
                }
                status.activeSegment = collector.log.active?.segment.number
                status.activeBytes = collector.log.active?.byteCount
                status.activeRows = collector.log.active?.rows
                status.walError = collector.log.lastError
                status.compacting = collector.compactor.compacting
                status.compactingPercent = collector.compactor.compactingPercent
                status.compactionError = collector.compactor.lastError
            }
            status.takenKinds = shipper?.ship.takenKinds
            status.shipLastError = shipper?.ship.lastReport?.failures.first
            status.nextShipSeconds = shipper?.ship.untilNextCycle?.inSeconds
            return status
        }
    }

    private func answer(_ command: ControlCommand) async -> ControlReply {
        switch command.name {
        case .status: return ControlReply(status: await live)
        case .wake:
            shipper?.ship.wake()
            collector?.compactor.wake()
            return ControlReply(status: await live)
        case .drain:
            do {
                let limit = Duration.seconds(min(max(0, command.timeoutSeconds ?? 300), 86_400))
                return ControlReply(drained: try await drain(until: environment.clocks.uptime() + limit))
            } catch {
                return ControlReply(error: "\(error)")
            }
        case .ship: return ControlReply(shipped: await ship())
        case .reload: return ControlReply(reloaded: await reload())
        case .diagnose:
            return ControlReply(metrics: environment.registry.exposition(), log: environment.recentLog.lines)
        case .flush:
            do {
                return ControlReply(flushed: try await flush())
            } catch {
                return ControlReply(error: "\(error)")
            }
        }
    }

    /// One cycle of the shipper, if it is in this process.
    func ship() async -> ShipOutcome {
        guard let report = await shipper?.ship.pass(ignoringBackOff: true) else { return ShipOutcome() }
        return ShipOutcome(
            uploadedFiles: report.uploaded, failedFiles: report.failed, quarantinedFiles: report.quarantined,
            unsentFiles: Int(report.unsent.files), unsentRows: Int(report.unsent.rows),
            lastError: report.failures.first)
    }

    /// Makes files of everything that was accepted before; the intake stays open.
    func flush() async throws -> FlushOutcome { try await collector?.flush() ?? FlushOutcome() }

    /// Refuses writes, seals, compacts, ships, as far as this process has the halves for it.
    func drain(until deadline: Duration) async throws -> DrainOutcome {
        try await collector?.drain()
        return try await shipper?.drain(deadline: deadline, clocks: environment.clocks) ?? DrainOutcome()
    }
}
