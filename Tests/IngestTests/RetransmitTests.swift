import Bytes
import DiskIO
import HTTPServer
import Ingest
import Logging
import Metrics
import NIOCore
import NIOHTTP1
import NIOPosix
import RemoteWrite
import Samples
import Snappy
import TestKit
import Testing
import WAL

/// An intake on a simulated disk; time and space are the test's.
final class IntakeFixture: Sendable {
    let disk: SimulatedDisk
    let clock = ManualClock()
    let registry = MetricsRegistry()
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let service: IngestService
    let log: LogWriter
    let options: IngestOptions
    static let layout = VolumeLayout(root: "/v")

    /// - Parameter whenListening: called before the log is read.
    init(
        _ disk: SimulatedDisk, reserveBytes: UInt64 = 0, decodedByteLimit: Int = 1 << 20,
        decode: DecodeLimits = .standard,
        whenListening: (RemoteWriteHandler, any EventLoop) async throws -> Void = { _, _ in }
    ) async throws {
        self.disk = disk
        for path in ["/v", "/v/wal", "/v/quarantine"] { try disk.makeDirectory(path) }
        options = IngestOptions(
            bodyByteLimit: 1 << 20, decodedByteLimit: decodedByteLimit, inFlightByteLimit: 1 << 22,
            inFlightRequestLimit: 100, diskReserveBytes: reserveBytes, decode: decode,
            seriesPerSegment: 1000, segmentByteLimit: 1 << 20, segmentAge: .seconds(60), rowsPerSegment: 10_000,
            dedupWindow: .seconds(7200), dedupEntryLimit: 10_000, keepsOthers: true, classify: { _ in .cost })
        service = IngestService(
            eventLoop: group.any(), options: options, metrics: IngestMetrics(registry), clocks: clock.clocks,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        var known: [(Hash128, BatchAnswer)] = []
        let recovered = try Recovery(Self.layout, in: disk).run(
            retired: [], newVolume: VolumeID(high: 1, low: 2)
        ) { _, record in
            let header = try Batch(payload: record.payload, isCompressed: record.isCompressed).header
            known.append((header.fingerprint, header.answer))
        }
        let environment = LogEnvironment(
            layout: Self.layout, fileSystem: disk, clocks: clock.clocks,
            segment: SegmentOptions(volume: recovered.volume.id, reservedBytes: 1 << 20, configuration: 1), salt: { 9 })
        try await whenListening(
            RemoteWriteHandler(service, clocks: clock.clocks, operatorRoutes: NoRoutes()), group.any())
        log = try await service.start(recovered, environment: environment, known: known, onRotate: {})
    }

    private var handler: RemoteWriteHandler {
        RemoteWriteHandler(service, clocks: clock.clocks, operatorRoutes: NoRoutes())
    }

    /// The status of a refusal before the body is read; nil: it would be read.
    func refusal() async throws -> Int? {
        try await group.any().submit { [handler] in
            let head = HTTPRequestHead(version: .http1_1, method: .POST, uri: "/api/v1/write")
            guard let refusal = handler.admit(head, declaredLength: 9) else {
                handler.abandoned(head, admitted: 9)
                return nil
            }
            return Int(refusal.status.code)
        }.get()
    }

    /// Posts a v1 request of one sample a name, which is refused where the name is empty; the answer's status and
    /// written header.
    func post(_ names: String..., at timestamp: Int64 = 1) async throws -> (status: Int, written: String?) {
        try await post(Self.request(names, at: timestamp))
    }

    func post(_ request: HTTPRequest) async throws -> (status: Int, written: String?) {
        let response = try await answer(to: request)
        return (
            Int(response.status.code), response.headers.first(name: "X-Prometheus-Remote-Write-Samples-Written")
        )
    }

    func answer(to request: HTTPRequest) async throws -> HTTPResponse {
        let loop = group.any()
        return try await loop.flatSubmit { [handler] in handler.handle(request, on: loop) }.get()
    }

    static func request(_ names: [String], at timestamp: Int64 = 1) -> HTTPRequest {
        var sample = ByteWriter()
        sample.varint(1 << 3 | 1)
        sample.u64((1.0).bitPattern)
        sample.varint(2 << 3)
        sample.varint(UInt64(timestamp))
        func field(_ number: UInt64, _ bytes: [UInt8]) -> [UInt8] {
            var out = ByteWriter()
            out.varint(number << 3 | 2)
            out.varint(UInt64(bytes.count))
            return out.bytes + bytes
        }
        let body = names.flatMap { name in
            let label = field(1, field(1, Array("__name__".utf8)) + field(2, Array(name.utf8)))
            return field(1, label + field(2, sample.bytes))
        }
        return request(body: Snappy.compress(body.span.bytes))
    }

    static func request(body: [UInt8]) -> HTTPRequest {
        HTTPRequest(
            method: .POST, path: "/api/v1/write", query: nil, headers: [:], body: ByteBuffer(bytes: body),
            admitted: body.count, remoteAddress: nil)
    }

    /// Metric names in the log, in order.
    static func stored(_ disk: SimulatedDisk) throws -> [String] {
        var names: [String] = []
        _ = try Recovery(layout, in: disk).run(retired: [], newVolume: VolumeID(high: 1, low: 2)) {
            _, record in
            let batch = try Batch(payload: record.payload, isCompressed: record.isCompressed)
            names += batch.series.map { batch.text(batch.labels($0.labels).first!.value) }
        }
        return names
    }

    func stop() async throws {
        service.stop()
        log.stop()
        try await group.shutdownGracefully()
    }

    private struct NoRoutes: HTTPHandler {
        func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? { nil }
        func bodyLimit(for head: HTTPRequestHead) -> Int { 0 }
        func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
            eventLoop.makeSucceededFuture(.empty(.notFound))
        }
    }
}

@Suite("Retransmits and failing disks, seen from the sender")
struct RetransmitTests {
    @Test("the same bytes are stored once and answered alike, also after a restart")
    func storedOnce() async throws {
        let disk = SimulatedDisk()
        let first = try await IntakeFixture(disk)
        for _ in 0..<3 {
            let answer = try await first.post("up")
            #expect(answer.status == 204)
            #expect(answer.written == "1")
        }
        try await first.stop()
        disk.restart(.nothing)
        let second = try await IntakeFixture(disk)
        let again = try await second.post("up")
        #expect(again.status == 204)
        #expect(again.written == "1")
        let metrics = second.service.metrics
        #expect(metrics.received.value == metrics.stored.value + metrics.retransmitted.value)
        try await second.stop()
        #expect(try IntakeFixture.stored(disk) == ["up"])
    }

    @Test("a request that is stored in part is a 400 that says how much, also when it comes again")
    func inPart() async throws {
        let disk = SimulatedDisk()
        let fixture = try await IntakeFixture(disk)
        for _ in 0..<2 {
            let answer = try await fixture.post("up", "", "down")
            #expect(answer.status == 400)
            #expect(answer.written == "2")
        }
        try await fixture.stop()
        #expect(try IntakeFixture.stored(disk) == ["up", "down"])
    }

    @Test("of 4 MiB of reasons the oldest are forgotten, the counts are not")
    func reasonsAreBounded() async throws {
        let fixture = try await IntakeFixture(SimulatedDisk())
        let refused = [String](repeating: "", count: 150)
        func text(_ number: Int) async throws -> String {
            let response = try await fixture.answer(to: IntakeFixture.request(["up"] + refused, at: Int64(number)))
            #expect(response.headers.first(name: "X-Prometheus-Remote-Write-Samples-Written") == "1")
            return String(buffer: try #require(response.body))
        }
        let first = try await text(0)
        #expect(first.utf8.count > 2_000)
        #expect(try await text(0) == first)
        let count = (4 << 20) / (first.utf8.count - 100) + 1  // the first line is made each time
        var last = ""
        for number in 1...count { last = try await text(number) }
        #expect(try await text(count) == last, "the newest keep theirs")
        #expect(try await text(0).contains("the reasons were given with the first answer"))
        try await fixture.stop()
    }

    @Test("after dedup.window the same bytes are a new request")
    func expires() async throws {
        let disk = SimulatedDisk()
        let fixture = try await IntakeFixture(disk)
        _ = try await fixture.post("up")
        fixture.clock.advance(.seconds(7201))
        _ = try await fixture.post("other")
        _ = try await fixture.post("up")
        #expect(fixture.service.metrics.stored.value == 3)
        try await fixture.stop()
    }

    @Test("what comes after a drain began is refused, though its head came before")
    func drained() async throws {
        let disk = SimulatedDisk()
        let fixture = try await IntakeFixture(disk)
        #expect(try await fixture.post("up").status == 204)
        fixture.service.set(.notReady("draining"))
        #expect(try await fixture.post("late").status == 503)
        try await fixture.stop()
        #expect(try IntakeFixture.stored(disk) == ["up"])
    }

    @Test("a request whose record no reader would take is a 400, and what follows it is stored")
    func overlongRecord() async throws {
        let disk = SimulatedDisk()
        var limits = DecodeLimits.standard
        limits.expandedLabelBytes = 1 << 30
        let fixture = try await IntakeFixture(disk, decodedByteLimit: 1 << 30, decode: limits)
        #expect(try await fixture.post("a").status == 204)
        let rotated = try await fixture.post(IntakeFixture.request(body: Self.metadata(helpBytes: 65 << 20)))
        #expect(rotated.status == 400)
        #expect(try await fixture.post("a", at: 2).status == 204)
        try await fixture.stop()
        #expect(try IntakeFixture.stored(disk) == ["a", "a"], "a known series is defined again in the next segment")
    }

    /// A v1 request of one metric family's metadata that does not compress, as a Snappy block of one literal.
    private static func metadata(helpBytes: Int) -> [UInt8] {
        var generator = SeededGenerator(seed: 1)
        var help: [UInt8] = []
        help.reserveCapacity(helpBytes)
        while help.count < helpBytes {
            // Eight characters of 64, from space on.
            let word = (generator.next() & 0x3F3F_3F3F_3F3F_3F3F) &+ 0x2020_2020_2020_2020
            withUnsafeBytes(of: word) { help.append(contentsOf: $0) }
        }
        var message = ByteWriter()
        message.varint(2 << 3 | 2)
        message.lengthPrefixed("up")
        message.varint(4 << 3 | 2)
        message.varint(UInt64(help.count))
        var head = ByteWriter()
        head.varint(3 << 3 | 2)
        head.varint(UInt64(message.count + help.count))
        head.raw(message.bytes)
        let length = head.count + help.count
        var block = ByteWriter()
        block.varint(UInt64(length))
        block.u8(63 << 2)  // a literal whose length, less one, is in the next four bytes
        block.u32(UInt32(length - 1))
        block.raw(head.bytes)
        return block.bytes + help
    }

    @Test("a request whose sync fails is written again to a fresh segment and acknowledged once", arguments: 0..<4)
    func poisoned(offset: Int) async throws {
        let disk = SimulatedDisk()
        let fixture = try await IntakeFixture(disk)
        #expect(try await fixture.post("a").status == 204)
        await fixture.log.barrier()
        disk.inject(.at(disk.operationCount + offset, .error(Errno.inputOutput)))
        #expect(try await fixture.post("b").status == 204)
        disk.inject(nil)
        #expect(try await fixture.post("a", at: 2).status == 204, "a known series of the lost epoch is defined again")
        try await fixture.stop()
        disk.restart(.nothing)
        let stored = try IntakeFixture.stored(disk)
        #expect(stored.filter { $0 == "b" }.count == 1)
        #expect(stored.first == "a")
    }

    @Test("a disk that stays full answers 503, and takes writes again when space returns")
    func full() async throws {
        let disk = SimulatedDisk()
        let fixture = try await IntakeFixture(disk)
        #expect(try await fixture.post("a").status == 204)
        await fixture.log.barrier()
        disk.inject(.at(disk.operationCount, .error(Errno.noSpace), .always))
        #expect(try await fixture.post("b").status == 503)
        let failures = fixture.registry.exposition().split(separator: "\n").first {
            $0.hasPrefix("function_execution_seconds_count") && $0.contains("\"append\"") && $0.contains("\"true\"")
        }
        #expect(failures?.hasSuffix(" 0") == false)
        disk.inject(nil)
        #expect(try await fixture.post("b").status == 204)
        try await fixture.stop()
        disk.restart(.nothing)
        #expect(try IntakeFixture.stored(disk).filter { $0 == "b" }.count == 1)
    }
}
