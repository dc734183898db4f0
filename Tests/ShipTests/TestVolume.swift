import Digest
import DiskIO
import Glibc
import Logging
import Metrics
import Ship
import Synchronization

/// A storage path of its own, removed at the end.
final class TestVolume: Sendable {
    let layout: VolumeLayout
    let fileSystem = PosixFileSystem()

    init() throws {
        // In memory where the machine offers that: thousands of commits are not to wait for a disk.
        let parent = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"
        var template = Array("\(parent)/cirrus-ship-XXXXXX".utf8CString)
        guard let path = mkdtemp(&template) else { throw IOError(.makeDirectory, parent, code: errno) }
        layout = VolumeLayout(root: String(cString: path))
        try layout.makeShipperDirectories(in: fileSystem)
    }

    deinit { removeTree(layout.root) }

    /// A file with a name of the grammar that is right for its bytes.
    @discardableResult
    func addFile(
        _ number: Int, kind: String = "metrics", bytes: [UInt8]? = nil, in folder: String? = nil
    ) throws -> String {
        let bytes = bytes ?? Array("parquet number \(number)".utf8)
        let hash = hex(Digest.of(bytes, .sha256)).prefix(32)
        let name = "\(kind)_\(1_751_400_000_000 + number)_\(1_751_400_600_000 + number)_\(hash).parquet"
        try fileSystem.publish(bytes, at: "\(folder ?? layout.outbox)/\(name)")
        return name
    }

    func names(_ folder: String) throws -> [String] { try fileSystem.list(folder) }
    func bytes(_ path: String) throws -> [UInt8] { try fileSystem.contents(of: path, limit: 1 << 24) }
    func text(_ path: String) throws -> String { String(decoding: try bytes(path), as: UTF8.self) }

    func overwrite(_ path: String, _ bytes: [UInt8], at offset: UInt64 = 0) throws {
        try File(path, .write, in: fileSystem).write(bytes, at: offset)
    }
}

private func removeTree(_ path: String) {
    let fileSystem = PosixFileSystem()
    if let names = try? fileSystem.list(path) { for name in names { removeTree("\(path)/\(name)") } }
    _ = path.withCString { remove($0) }
}

/// Time that passes only by sleeping.
final class ManualClock: Sendable {
    private let state = Mutex((uptime: Duration.seconds(1_000), wall: Int64(1_782_936_000_000)))  // 2026-07-01 20:00

    var wall: Int64 { state.withLock { $0.wall } }
    var uptime: Duration { state.withLock { $0.uptime } }

    func advance(_ duration: Duration) {
        state.withLock {
            $0.uptime += duration
            $0.wall += Int64(duration / .milliseconds(1))
        }
    }

    var clocks: Clocks {
        Clocks(
            uptime: { self.uptime }, wallMilliseconds: { self.wall },
            sleep: {
                try Task.checkCancellation()
                self.advance($0)
            })
    }
}

/// Collects log lines.
struct LogCollector: LogHandler, Sendable {
    final class Lines: Sendable {
        private let lines = Mutex<[String]>([])
        func append(_ line: String) { lines.withLock { $0.append(line) } }
        var all: [String] { lines.withLock { $0 } }
    }

    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel: Logger.Level = .trace
    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        lines.append("\(event.level) \(event.message) \(event.metadata?.description ?? "")")
    }
}

/// A shipper over a `TestVolume`, with everything from outside in the test's hands.
final class TestShipper: Sendable {
    let volume: TestVolume
    let clock: ManualClock
    let registry = MetricsRegistry()
    let metrics: ShipMetrics
    let lines = LogCollector.Lines()
    let service: ShipService
    let options: ShipOptions

    init(
        _ volume: TestVolume, _ destinations: [DestinationOptions], transport: any HTTPTransport = StubTransport(),
        clock: ManualClock = ManualClock(), adjust: (inout ShipOptions) -> Void = { _ in }
    ) throws {
        self.volume = volume
        self.clock = clock
        metrics = ShipMetrics(registry, destinations: destinations) { Double(clock.wall) / 1_000 }
        var options = ShipOptions(
            clusterName: "my cluster", cloudAccountID: "1234", region: "us-east-1", version: "1.0", hostName: "pod-0",
            destinations: destinations)
        adjust(&options)
        self.options = options
        let lines = lines
        service = try ShipService(
            options: options, layout: volume.layout, fileSystem: volume.fileSystem, clocks: clock.clocks,
            transport: transport, jitter: Jitter { 1 }, metrics: metrics,
            logger: Logger(label: "ship") { _ in LogCollector(lines: lines) }, owner: "test")
    }

    var ledger: Ledger { service.ledger }
    func pass() async -> PassReport { await service.pass() }
    func states(_ destination: String) async throws -> [ShipmentState] {
        try await ledger.list(.all).filter { $0.destination == destination }.map(\.state)
    }
}

extension TestVolume {
    var directory: DestinationOptions { .directory(name: "local", path: layout.shipped, hive: true) }
}
