import Bytes
import Ingest
import Snappy
import TestKit
import Testing
import WAL

/// When the intake ends a segment of which `wal.segment_bytes` is 1 MiB.
@Suite("The size of a segment")
struct SegmentSizeTests {
    /// Text that does not compress: eight characters of 64 a word, from space on.
    private static func noise(_ byteCount: Int, _ generator: inout SeededGenerator) -> [UInt8] {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            let word = (generator.next() & 0x3F3F_3F3F_3F3F_3F3F) &+ 0x2020_2020_2020_2020
            withUnsafeBytes(of: word) { bytes.append(contentsOf: $0) }
        }
        return bytes
    }

    /// Those that the log's thread has made once it has nothing left to do.
    private static func segments(_ fixture: IntakeFixture) async throws -> Int {
        await fixture.log.barrier()
        return try fixture.disk.list("/v/wal").count { $0.hasSuffix(".wal") }
    }

    @Test("labels take it to eight times its size, and no further")
    func labels() async throws {
        let fixture = try await IntakeFixture(SimulatedDisk())
        #expect(try await Self.segments(fixture) == 1)
        var generator = SeededGenerator(seed: 1)
        // 60 series of 14,000 bytes of labels: ten requests are above 8 MiB, and below the 1,000 series of a segment.
        for request in 0..<11 {
            let names = (0..<60).map { _ in String(decoding: Self.noise(14_000, &generator), as: UTF8.self) }
            #expect(try await fixture.post(IntakeFixture.request(names)).status == 204)
            #expect(try await Self.segments(fixture) == (request < 9 ? 1 : 2))
        }
        try await fixture.stop()
    }

    @Test("everything else ends it at its size")
    func values() async throws {
        let fixture = try await IntakeFixture(SimulatedDisk())
        #expect(try await Self.segments(fixture) == 1)
        var generator = SeededGenerator(seed: 2)
        for request in 0..<6 {
            var message = ByteWriter()
            message.varint(2 << 3 | 2)
            message.lengthPrefixed("up")
            message.varint(4 << 3 | 2)
            message.lengthPrefixed(String(decoding: Self.noise(300 << 10, &generator), as: UTF8.self))
            var body = ByteWriter()
            body.varint(3 << 3 | 2)
            body.varint(UInt64(message.count))
            let block = Snappy.compress((body.bytes + message.bytes).span.bytes)
            #expect(try await fixture.post(IntakeFixture.request(body: block)).status == 204)
            #expect(try await Self.segments(fixture) == (request < 3 ? 1 : 2))
        }
        try await fixture.stop()
    }
}
