import DiskIO
import Dispatch
import Glibc
import Ingest
import Metrics
import Ship
import Synchronization
import TestKit
import WAL

/// One volume, its collector, its shipper and their senders, in one thread: what happens next is the test's decision.
final class World {
    enum Destination { case directory, objectStore }

    let root: String
    let layout: VolumeLayout
    let clock: ManualClock
    private(set) var disk: SimulatedDisk
    private(set) var fileSystem: SplitFileSystem
    private(set) var store: ObjectStore
    private(set) var collector: Collector?
    private(set) var shipper: ShipService?
    let destination: Destination
    var truth = Truth()
    /// Answers and steps, for the trace hash.
    private(set) var story: [String] = []
    /// The ledger's files as they were when the power went.
    private let ledgerAtCut = LedgerFiles()

    init(_ destination: Destination, seed: UInt64 = 0) throws {
        // SQLite is real, so it has a real directory: in memory where the machine offers that.
        var template = Array((access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp").utf8CString.dropLast())
        template += Array("/cirrus-simulation-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw IOError(.makeDirectory, "/tmp", code: errno) }
        root = String(cString: path)
        layout = VolumeLayout(root: root)
        clock = ManualClock()
        disk = SimulatedDisk()
        fileSystem = SplitFileSystem(disk)
        store = ObjectStore(seed: seed, disk: disk, clocks: clock.clocks)
        self.destination = destination
        try disk.makeDirectory(root)
        // As the ledger's, the key's file is real.
        try PosixFileSystem().publish(Array("ak".utf8), at: root + "/key")
    }

    deinit {
        stopProcesses()
        for name in ["ledger.sqlite", "ledger.sqlite-journal", "shipper.lock", "key"] { unlink("\(root)/\(name)") }
        rmdir(root)
    }

    // MARK: Processes

    /// Starts what does not run; a start that fails is tried again by whoever restarts processes.
    func ensureRunning() {
        guard !disk.isOff else { return }
        if collector == nil {
            attempt("start collector") { collector = try Collector(layout, fileSystem, clock.clocks) }
        }
        if shipper == nil { attempt("start shipper") { shipper = try makeShipper() } }
    }

    /// Nobody reads them, and a restart is not to cost a registry of a hundred counters.
    private static let shipMetrics = ShipMetrics(MetricsRegistry(), destinations: [], wallSeconds: { 0 })

    private func makeShipper() throws -> ShipService {
        let target: DestinationOptions =
            switch destination {
            case .directory: .directory(name: "local", path: layout.shipped, hive: true)
            case .objectStore: .cloudZero(CloudZeroOptions(name: "api", apiKeyPath: root + "/key"))
            }
        return try ShipService(
            options: ShipOptions(
                clusterName: "c1", cloudAccountID: "123", region: "r", version: "1", hostName: "pod",
                destinations: [target], maxRetries: 1, uploadWidth: 1, uploadedRetention: .seconds(300)),
            layout: layout, fileSystem: fileSystem, clocks: clock.clocks, transport: store, jitter: Jitter { 0.5 },
            metrics: Self.shipMetrics,
            logger: Collector.logger, owner: "simulation")
    }

    private func attempt(_ what: String, _ body: () throws -> Void) {
        do { try body() } catch { note("\(what): \(error)") }
    }

    func note(_ text: String) { story.append(text.replacing(root, with: "")) }

    /// Cuts the power before an operation from now on.
    func cutPower(before operation: Int) {
        let (root, ledger) = (root, ledgerAtCut)
        disk.cutPower(before: operation) { ledger.save(root) }
    }

    /// Power comes back; nothing runs yet.
    func restart(_ crash: Crash) {
        stopProcesses()
        disk.restart(crash)
        ledgerAtCut.restore(root)
        note("power returns: \(crash)")
    }

    /// `kill -9` of both: at once, or at the operation where the power would have gone.
    func killProcesses() {
        stopProcesses()
        disk.restartProcesses()
        ledgerAtCut.restore(root)
        note("killed")
    }

    /// The same instant again, for another crash: not while anything runs.
    func become(_ disk: SimulatedDisk, _ truth: Truth) {
        precondition(collector == nil && shipper == nil, "nothing runs")
        self.disk = disk
        self.truth = truth
        fileSystem = SplitFileSystem(disk)
        store = ObjectStore(seed: 0, disk: disk, clocks: clock.clocks)
        ledgerAtCut.restore(root)
    }

    /// The shipper's last task lets go of it on a thread of its own: its lock and ledger are free when this returns.
    func stopProcesses() {
        collector = nil
        weak let last = shipper
        shipper = nil
        while last != nil || DirectoryLock.isHeld(layout.shipperLock) { sched_yield() }
    }

    // MARK: Acts

    /// Sends a request; whether its sender hears the answer is `isHeard`.
    func send(_ index: Int, isHeard: Bool = true) {
        guard let collector else { return note("no collector for \(index)") }
        collector.write(truth.requests[index].body) { [self] status in
            note("\(index): \(status)")
            guard isHeard, !disk.isOff else { return }
            if status == 204 { truth.acknowledge(index) }
        }
    }

    func turn(isIdle: Bool = false) { collector?.turn(isIdle: isIdle) }
    func tick() { collector?.tick() }
    func rotate() { collector?.rotate() }
    func compact(flushing: Bool) { attempt("compact") { try collector?.compact(flushing: flushing) } }

    /// One cycle of the shipper.
    func ship(ignoringBackOff: Bool = true) {
        guard let shipper else { return }
        let done = DispatchSemaphore(value: 0)
        let failures = Mutex<[String]>([])
        Task {
            let report = await shipper.pass(ignoringBackOff: ignoringBackOff)
            failures.withLock { $0 = report.failures }
            done.signal()
        }
        done.wait()
        for failure in failures.withLock({ $0 }) { note("ship: \(failure)") }
    }

    /// SIGTERM for the collector.
    func stopCollector() {
        collector?.close()
        collector = nil
    }

    /// Leaves every segment of the log to the independent reader.
    func recordEvidence() {
        let segments = disk.files(below: layout.wal).compactMap { path in
            SegmentDirectory.segment(named: String(path.dropFirst(layout.wal.utf8.count + 1))).map { ($0, path) }
        }
        let directory = SegmentDirectory(layout.wal, in: disk)
        for (index, (segment, path)) in segments.enumerated() {
            let successor = index + 1 < segments.count ? segments[index + 1].0 : nil
            let header = successor.flatMap { try? directory.header(of: $0) }
            SegmentEvidence.add(segment, disk.bytes(path) ?? [], stated: .stated(of: segment, by: header))
        }
    }

    // MARK: The end

    /// Faults are over: every sender repeats until it is answered, everything is compacted and shipped.
    /// - Returns: whether it came to rest within its rounds; false also when the power goes again.
    func finish() -> Bool {
        for _ in 0..<12 {
            ensureRunning()
            for index in truth.open { send(index) }
            turn()
            tick()
            rotate()
            compact(flushing: true)
            ship()
            if disk.isOff { return false }
            if truth.open.isEmpty, isAtRest { return true }
            clock.advance(.seconds(61))
        }
        return false
    }

    /// What keeps `finish` from its end.
    var unrest: String {
        let files =
            (disk.files(below: layout.outbox) + disk.files(below: layout.staging)
            + disk.files(below: layout.wal)).map { $0.replacing(root, with: "") }
        return "does not come to rest: unanswered \(truth.open), files \(files), \(story.suffix(6))"
    }

    private var isAtRest: Bool {
        collector != nil && shipper != nil && collector?.pendingCount == 0
            && disk.files(below: layout.outbox).isEmpty && disk.files(below: layout.staging).isEmpty
            && disk.files(below: layout.wal).filter { $0.hasSuffix(".wal") || $0.hasSuffix(".commit") }.count <= 1
    }

    /// Every sentence is a violation of a promise.
    func violations() -> [String] {
        var rows = ShippedRows()
        switch destination {
        case .directory:
            for path in disk.files(below: layout.shipped) where path.hasSuffix(".parquet") {
                rows.add(path, disk.bytes(path) ?? [])
            }
        case .objectStore: for (key, bytes) in store.objects { rows.add(key, bytes) }
        }
        var found = truth.violations(rows.counts) + rows.strangers.sorted() + store.violations
        if let metrics = collector?.metrics {
            let parts =
                metrics.stored.value + metrics.filtered.value + metrics.retransmitted.value
                + metrics.rejected.values.reduce(0) { $0 + $1.value }
            if metrics.received.value != parts { found.append("received \(metrics.received.value), of it \(parts)") }
        }
        for path in disk.files(below: layout.wal) where path.hasSuffix(".done") { found += Self.imbalance(disk, path) }
        for folder in [layout.quarantine, layout.abandoned] {
            found += disk.files(below: folder).map { path in
                let report = path.hasSuffix(".txt") ? String(decoding: disk.bytes(path) ?? [], as: UTF8.self) : ""
                return "\(path): there was no damage \(report)"
            }
        }
        return found.map { $0.replacing(root, with: "") }
    }

    /// Rows of the plan = written + stored once + lost.
    private static func imbalance(_ disk: SimulatedDisk, _ path: String) -> [String] {
        var counts: [String: Int] = [:]
        let lines = String(decoding: disk.bytes(path) ?? [], as: UTF8.self).split(separator: "\n")
        for words in lines.map({ $0.split(separator: " ") }) where words.first == "count" && words.count == 3 {
            counts[String(words[1])] = Int(words[2])
        }
        let parts = ["written", "deduplicated", "quarantined"].reduce(0) { $0 + counts[$1, default: 0] }
        return counts["log"] == parts ? [] : ["\(path): \(counts)"]
    }
}
