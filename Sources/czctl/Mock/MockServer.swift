internal import DiskIO
internal import HTTPServer
internal import NIOCore

/// A running mock of CloudZero's upload API, with an S3 bucket in a directory unless another S3 is named.
struct MockServer: Sendable {
    private let server: HTTPServer

    var port: Int { server.port }

    /// - Throws: `HTTPServerError`, `IOError` of the bucket's directory.
    static func start(
        _ options: MockOptions, clocks: Clocks, fileSystem: any FileSystem, group: any EventLoopGroup
    ) async throws -> MockServer {
        var bucket: MockBucket?
        if case .directory(let path) = options.storage { bucket = try MockBucket(directory: path, in: fileSystem) }
        let faults = MockFaults(options.faults)
        let api = MockAPI(options: options, faults: faults, journal: MockJournal())
        let handler = MockHandler(options: options, api: api, faults: faults, bucket: bucket, clocks: clocks)
        let serverOptions = HTTPServerOptions(address: options.address, port: options.port)
        return MockServer(server: try await HTTPServer.start(serverOptions, handler: handler, group: group))
    }

    func stop() async { await server.stop() }
}
