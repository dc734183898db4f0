internal import ArgumentParser
internal import Bytes
internal import Digest
internal import DiskIO
internal import Glibc
internal import NIOCore
internal import NIOPosix

/// `czctl mock`.
struct Mock: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run a mock of the upload API, with faults on demand",
        discussion: """
            Stores PUTs in a directory and checks them as S3 does; with S3_ENDPOINT, S3_ACCESS_KEY and \
            S3_PRIVATE_KEY it signs URLs for that S3 instead. What arrived: GET /v1/container-metrics/mock/state.

            Environment, where a flag of the same meaning wins: API_KEY, PORT, S3_ENDPOINT, UPLOAD_DELAY_MS, \
            REPLAY_REQUEST_PAYLOAD, ERROR_ON_UPLOAD=true; S3_ACCESS_KEY and S3_PRIVATE_KEY have no flag.

            Faults: \(MockFault.names).

            Examples:
              czctl mock --data /tmp/bucket
              czctl mock --port 9000 --fault 503:2 --fault put-lost:1
            """)

    @Option(help: "The API key to accept (default: ak-test).")
    var apiKey: String?

    @Option(help: "The address to listen on.")
    var address = "::"

    @Option(help: "The port to listen on, 0 for any (default: 8081).")
    var port: Int?

    @Option(help: "The directory that holds the bucket's objects.")
    var data = "mock-bucket"

    @Option(help: "Another S3 to sign URLs for, as http://host:port.")
    var s3Endpoint: String?

    @Option(help: "Milliseconds before each answer to upload.")
    var uploadDelayMs: Int?

    @Option(help: "Seconds a presigned URL lives.")
    var urlSeconds = 600

    @Option(help: "Milliseconds of the faults slow and put-slow.")
    var slowMs = 5000

    @Option(help: "Sent as X-CloudZero-Replay with each answer to upload.")
    var replayPayload: String?

    @Flag(help: "Answer each well-formed upload with 500.")
    var errorOnUpload = false

    @Option(name: .customLong("fault"), help: "NAME for ever, or NAME:N for the first N times; repeatable.")
    var faults: [String] = []

    @OptionGroup var voice: VoiceOptions

    func validate() throws {
        _ = try options(environment: ProcessEnvironment.variables)
    }

    func run() async throws {
        let options = try options(environment: ProcessEnvironment.variables)
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let server = try await MockServer.start(options, clocks: .system, fileSystem: PosixFileSystem(), group: group)
        print("upload API  http://127.0.0.1:\(server.port)/v1/container-metrics")
        switch options.storage {
        case .directory(let path): print("objects     \(path)")
        case .endpoint(let endpoint): print("signs for   \(endpoint)/\(MockOptions.bucket)")
        }
        // All streams: a script reads the port from a pipe.
        fflush(nil)
        // Until a signal ends the process: objects are published atomically, so there is nothing to finish.
        while true { try await Task.sleep(for: .seconds(3600)) }
    }

    private func options(environment: [String: String]) throws -> MockOptions {
        var options = MockOptions()
        options.address = address
        options.port = try number(port, environment["PORT"], "PORT", in: 0...65_535) ?? options.port
        options.apiKey = apiKey ?? environment["API_KEY"] ?? options.apiKey
        options.urlSeconds = try number(urlSeconds, nil, "--url-seconds", in: 1...604_800) ?? options.urlSeconds
        let delay = try number(uploadDelayMs, environment["UPLOAD_DELAY_MS"], "UPLOAD_DELAY_MS", in: 0...3_600_000)
        options.uploadDelay = .milliseconds(Int64(delay ?? 0))
        options.slowDelay = .milliseconds(Int64(try number(slowMs, nil, "--slow-ms", in: 0...3_600_000) ?? 0))
        options.replayPayload = replayPayload ?? environment["REPLAY_REQUEST_PAYLOAD"]
        options.errorOnUpload = errorOnUpload || environment["ERROR_ON_UPLOAD"] == "true"
        options.storage = .directory(data)
        if let endpoint = s3Endpoint ?? environment["S3_ENDPOINT"], !endpoint.isEmpty {
            guard let key = environment["S3_ACCESS_KEY"], let secret = environment["S3_PRIVATE_KEY"] else {
                throw ValidationError("S3_ENDPOINT needs S3_ACCESS_KEY and S3_PRIVATE_KEY beside it")
            }
            options.storage = .endpoint(endpoint.contains("://") ? endpoint : "http://\(endpoint)")
            options.signer = SigV4(accessKey: key, secretKey: secret, region: "us-east-1")
        }
        for text in faults {
            guard let (fault, count) = MockFaults.parse(text) else {
                throw ValidationError(
                    "\"\(text)\" is no fault; one of \(MockFault.names), with :N for the first N times")
            }
            options.faults[fault] = count
        }
        return options
    }

    private func number(_ flag: Int?, _ text: String?, _ name: String, in range: ClosedRange<Int>) throws -> Int? {
        guard flag != nil || text != nil else { return nil }
        guard let value = flag ?? text.flatMap({ Int($0) }), range.contains(value) else {
            throw ValidationError("\(name) is not a number from \(range.lowerBound) to \(range.upperBound)")
        }
        return value
    }
}
