internal import ArgumentParser
internal import DiskIO
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// `czctl send`.
struct Send: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Send remote_write requests, from files or made up",
        discussion: """
            Waits out 5xx and 429 as Prometheus does, and checks the written counts of each answer. Exit codes: 0 all \
            written, 1 some rejected, 2 usage, 5 some not accepted in time (try later), 6 some refused with 401 or 403.

            Examples:
              czctl send request.snappy
              czctl send --generate 1000000 --series 2000 --connections 16 --proto v2
              czctl send --generate 60000 --series 1000 --rate 1000 -o json
              czctl send --generate 1 --url https://collector:8080/api/v1/write --ca-file ca.pem --bearer-file token
            """)

    @Argument(help: "Bodies as they go over the wire: protobuf, snappy-compressed.")
    var files: [String] = []

    @Option(help: "Samples to make up and send.")
    var generate: Int?

    @Option(help: "Different series.")
    var series = 2000

    @Option(help: "Series of one request.")
    var batch = 2000

    @Option(help: "Samples a second; 0 for as fast as it goes.")
    var rate = 0.0

    @Option(help: "Connections, each with one request at a time.")
    var connections = 1

    @Option(help: "Form of the bodies: v1 or v2.")
    var proto = WriteVersion.v1

    @Option(help: "Seconds between the samples of a series.")
    var interval = 15

    @Option(help: "First timestamp, in milliseconds since 1970 (default: so that the last is now).")
    var start: Int64?

    @Option(help: "What the series and values are made from.")
    var seed: UInt64 = 1

    @Flag(help: "Put in stale markers now and then.")
    var staleMarkers = false

    @Option(help: "Seconds one request is tried.")
    var retryFor = 60

    @Option(help: "The receiver.")
    var url = "http://127.0.0.1:8080/api/v1/write"

    @OptionGroup var accessOptions: WriteAccessOptions
    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard WriteURL(url) != nil else { throw ValidationError("\(url) is no http:// or https:// URL") }
        guard files.isEmpty != (generate == nil) else { throw ValidationError("give either files or --generate") }
        let positive = [
            ("--series", series), ("--batch", batch), ("--connections", connections), ("--interval", interval),
        ]
        for (name, value) in positive where !(1...10_000_000).contains(value) {
            throw ValidationError("\(name) must be from 1 to 10000000")
        }
        if connections > 10_000 { throw ValidationError("--connections must be from 1 to 10000") }
        if let generate, generate < 1 { throw ValidationError("--generate must be positive") }
        guard rate >= 0, retryFor >= 0 else { throw ValidationError("--rate and --retry-for cannot be negative") }
    }

    func run() async throws {
        guard let target = WriteURL(url) else { throw ExitCode(ExitStatus.usage.rawValue) }
        let client = LoadClient(
            url: target, access: try accessOptions.access(to: target), group: MultiThreadedEventLoopGroup.singleton,
            clocks: .system,
            retryLimit: .seconds(retryFor))
        let next = try source()
        let progress = generate.map { Progress("samples sent", total: $0) } ?? Progress("sent", isBytes: true)
        let notice = Task { await sayThatItWaits(client, target) }
        let report = await client.run(connections: connections) {
            progress.set(generate == nil ? client.sent.bytes : client.sent.samples)
            return await next()
        }
        notice.cancel()
        progress.end()
        switch output.output {
        case .table: print(LoadSummary(report).table)
        case .json: print(try output.encoded(LoadSummary(report)))
        }
        if report.isAccessRefused { throw ExitCode(ExitStatus.refused.rawValue) }
        if report.requestsRejected > 0 { throw ExitCode(ExitStatus.error.rawValue) }
        if report.requestsFailed > 0 { throw ExitCode(ExitStatus.temporary.rawValue) }
    }

    /// Once, after two seconds without an answer: that it waits, and why, as soon as that is known.
    private func sayThatItWaits(_ client: LoadClient, _ url: WriteURL) async {
        let clocks = Clocks.system
        do { try await clocks.sleep(.seconds(2)) } catch { return }  // everything was sent before
        var hasSaid = false
        while !Task.isCancelled {
            let (isAnswered, trouble) = client.waiting
            if isAnswered { return }
            if !hasSaid || trouble != nil {
                let limit = "a request is tried for \(retryFor) s (--retry-for)"
                let what = hasSaid ? "the reason" : "waiting for \(url.text), which takes nothing yet; \(limit)"
                printNote("czctl: \(what)\(trouble.map { ": \(HumanText.line($0))" } ?? "")")
            }
            if trouble != nil { return }
            hasSaid = true
            // Cancelled: seen above.
            try? await clocks.sleep(.milliseconds(100))
        }
    }

    private func source() throws -> @Sendable () async -> WriteBody? {
        guard let generate else {
            let bodies = Mutex(try files.map(read).makeIterator())
            return { bodies.withLock { $0.next() } }
        }
        let clocks = Clocks.system
        let generator = SeriesGenerator(
            seriesCount: min(series, generate), batchSize: batch, version: proto, seed: seed, staleMarkers: staleMarkers
        )
        let rounds = (generate + generator.series.count - 1) / generator.series.count
        let step = Int64(interval) * 1000
        let first = start ?? clocks.wallMilliseconds() - Int64(rounds - 1) * step
        let plan = LoadPlan(generator: generator, rounds: rounds, first: first, step: step, rate: rate, clocks: clocks)
        return { await plan.next() }
    }

    private func read(_ path: String) throws -> WriteBody {
        let bytes = try PosixFileSystem().contents(of: path, limit: 1 << 30)
        return WriteBody(bytes: bytes, version: proto, sampleCount: nil)
    }
}

extension WriteVersion: ExpressibleByArgument {}
