internal import Compactor
internal import Configuration
internal import DiskIO
internal import HTTPServer
internal import Ingest
internal import Logging
internal import Metrics
internal import Ship
internal import Synchronization
internal import WAL

/// How much a process has in work, and of which budgets: `/debug/state`, and the log's line at SIGUSR1. Numbers only;
/// what they mean for the volume is the status report's to say.
struct ServiceState: Encodable, Sendable {
    let schema = "czctl.state/v1"
    let role: String
    let uptimeSeconds: Double
    /// By part of the service.
    let state: [String: [String: Int]]

    /// `intake.in_flight_bytes` and the like.
    var metadata: Logger.Metadata {
        var metadata: Logger.Metadata = [:]
        for (part, numbers) in state {
            for (name, number) in numbers { metadata["\(part).\(name)"] = "\(number)" }
        }
        return metadata
    }
}

extension Service {
    var state: ServiceState {
        get async {
            var state: [String: [String: Int]] = [:]
            state["process"] = [
                "resident_bytes": Int(ProcessMetrics.residentBytes), "open_files": Int(ProcessMetrics.openFiles),
                // Without /proc nobody can know: 0.
                "threads": (try? environment.fileSystem.list("/proc/self/task").count) ?? 0,
            ]
            state["http"] = [
                "connections": connectionCount,
                "connections_limit": settings.current.withLock { $0.limits.connections },
            ]
            if let collector {
                state["intake"] = await collector.service.load
                let active = collector.log.active
                state["log"] = [
                    "queue": collector.log.queueDepth, "active_segment": Int(clamping: active?.segment.number ?? 0),
                    "active_bytes": Int(clamping: active?.byteCount ?? 0),
                    "active_rows": Int(clamping: active?.rows ?? 0),
                ]
                state["compaction"] = [
                    "is_running": collector.compactor.compacting == nil ? 0 : 1,
                    "percent": collector.compactor.compactingPercent ?? 0,
                ]
            }
            if let ship = shipper?.ship {
                let unsent = ship.lastReport?.unsent
                state["shipping"] = [
                    "is_running": ship.untilNextCycle == nil ? 1 : 0,
                    "next_cycle_in_seconds": Int((ship.untilNextCycle ?? .zero).components.seconds),
                    "unsent_files": Int(unsent?.files ?? 0), "unsent_bytes": Int(unsent?.bytes ?? 0),
                ]
            }
            return ServiceState(
                role: role.rawValue, uptimeSeconds: uptime.inSeconds, state: state)
        }
    }

    /// Writes the state to the log at each request, whatever its level.
    func logState(at requests: AsyncStream<Void>) async {
        for await _ in requests {
            let metadata = await state.metadata
            environment.logger.critical("state", metadata: metadata)
        }
    }
}
