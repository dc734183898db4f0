internal import DiskIO
internal import NIOPosix

/// The mock of the upload API beside a demo.
struct DemoMock: Sendable {
    private static let faults: KeyValuePairs<MockFault, Int> = [
        .unavailable: 2, .throttled: 1, .reset: 1, .subset: 1, .expiredURL: 1, .badJSON: 1, .putUnavailable: 2,
        .putReset: 1, .putLost: 1, .putTruncated: 1,
    ]

    static var faultNames: String { faults.map(\.key.rawValue).joined(separator: ", ") }

    /// The directory of the objects.
    let bucket: String
    private let keyPath: String
    private let server: MockServer

    /// - Parameter data: the volume's directory, which exists.
    static func start(data: String) async throws -> DemoMock {
        let fileSystem = PosixFileSystem()
        var options = MockOptions()
        options.address = "127.0.0.1"
        options.port = 0
        options.storage = .directory("\(data)/mock-bucket")
        options.faults = Dictionary(uniqueKeysWithValues: faults.map { ($0.key, $0.value) })
        let keyPath = "\(data)/mock-api-key"
        try fileSystem.publish(Array(options.apiKey.utf8), at: keyPath)
        // One loop: it writes objects one after the other.
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await MockServer.start(options, clocks: .system, fileSystem: fileSystem, group: group)
        return DemoMock(bucket: "\(data)/mock-bucket", keyPath: keyPath, server: server)
    }

    var url: String { "http://127.0.0.1:\(server.port)/v1/container-metrics" }

    /// Of a service that ships to it.
    var settings: [(key: String, value: String)] {
        [
            ("destination.kind", "cloudzero"), ("destination.name", "demo-mock"), ("cloud_account_id", "123456789012"),
            ("region", "us-east-1"),
            ("cloudzero.host", "127.0.0.1:\(server.port)"), ("cloudzero.use_http", "true"),
            ("cloudzero.api_key_path", keyPath), ("cloudzero.http_max_retries", "2"),
            ("cloudzero.http_max_wait", "1s"),
        ]
    }

    func stop() async { await server.stop() }
}
