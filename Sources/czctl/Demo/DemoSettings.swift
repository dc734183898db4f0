internal import Configuration
internal import DiskIO

/// The settings of the demo's service, which knows no file and no environment.
struct DemoSettings: Sendable {
    let data: String
    let port: Int
    let isKilled: Bool
    /// Those of an upload API; nil ships to a directory.
    let upload: [(key: String, value: String)]?

    /// From one sample of a series to the next. A service that is killed often gets more requests to be killed in.
    static func milliseconds(isKilled: Bool) -> Int64 { isKilled ? 100 : 1000 }

    var pairs: [(key: String, value: String)] {
        let interval = isKilled ? "2s" : "10s"
        return [
            ("cluster_name", "demo"), ("database.storage_path", data), ("database.cost_max_interval", interval),
            ("database.observability_max_interval", interval), ("wal.segment_age", isKilled ? "1s" : "2s"),
            ("cloudzero.send_interval", interval), ("server.port", "\(port)"), ("server.address", "127.0.0.1"),
            ("logging.level", isKilled ? "error" : "warn"), ("logging.format", "logfmt"),
        ] + (upload ?? [("destination.kind", "directory")])
    }

    /// - Throws: `.usage` with every fault.
    func environment() throws -> ServiceEnvironment {
        switch Settings.load(yaml: nil, fileName: "", environment: [:], overrides: pairs, role: .run) {
        case .success(let loaded):
            return try ServiceEnvironment(settings: loaded.settings, role: "demo", component: .run)
        case .failure(let faults):
            throw CommandFailure(.usage, "cannot start the demo\n\(faults)")
        }
    }

    /// As `czctl drain` on a stopped volume, in a process of its own: its locks are free again when it has ended.
    func shipLeftovers() async throws {
        let clocks = Clocks.system
        let process = try await ServiceProcess.start(["drain", "--timeout", "60s"], pairs)
        await process.end(before: clocks.uptime() + .seconds(70), clocks)
        guard process.exitStatus == 0 else {
            throw CommandFailure(
                .error, "cannot ship what an earlier demo left in \(data)", try: "czctl demo --data ANOTHER_DIRECTORY")
        }
    }

    /// Runs the service as a process, and kills it again and again.
    /// - Returns: how often, when cancelled: it has ended gracefully then.
    /// - Throws: `.error` when it ends by itself.
    func runKilled(until isOver: () -> Bool) async throws -> Int {
        let clocks = Clocks.system
        var kills = 0
        while true {
            let process = try await ServiceProcess.start(["run"], pairs)
            let end = clocks.uptime() + .milliseconds(Int.random(in: 1000...4000))
            while !Task.isCancelled, isOver() || clocks.uptime() < end {
                guard process.exitStatus == nil else {
                    throw CommandFailure(.error, "the demo's service has ended, which nobody asked for")
                }
                // Cancelled: seen above.
                try? await clocks.sleep(.milliseconds(20))
            }
            if Task.isCancelled {
                await process.stop(clocks: clocks)
                return kills
            }
            kills += 1
            Demo.say("kill -9    pid \(process.pid)")
        }
    }
}
