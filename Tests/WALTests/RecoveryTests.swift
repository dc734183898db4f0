import Bytes
import DiskIO
import TestKit
import Testing
import WAL

@Suite("What recovery keeps, and where it ends the log")
struct RecoveryTests {
    @Test("an empty directory begins with segment 1")
    func empty() throws {
        let fixture = try LogFixture()
        let found = try fixture.recover()
        #expect(found.payloads.isEmpty)
        #expect(found.log.nextSegment == SegmentID(1))
        #expect(found.log.newest == .none)
    }

    @Test("a name beyond every segment's is none of ours")
    func hugeName() throws {
        let fixture = try LogFixture()
        fixture.disk.plant(fixture.layout.wal + "/18446744073709551615.wal", [1, 2, 3])
        #expect(try fixture.recover().log.nextSegment == SegmentID(1))
    }

    @Test("a header or record whose numbers are beyond every log's is none", arguments: [56, 80, 88, 120, 4096 + 16])
    func hugeNumbers(at place: Int) throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        _ = appender.append([LogFixture.record("b")], epoch: 2)
        let path = fixture.directory.path(of: SegmentID(2))
        var bytes = try #require(fixture.disk.bytes(path))
        bytes.replaceSubrange(place..<place + 8, with: [UInt8](repeating: 0xFF, count: 8))
        var key = ByteWriter()
        for number in [0x0102_0304_0506_0708, 2, 4096] as [UInt64] { key.u64(number) }
        func put(_ crc: UInt32, at offset: Int) {
            for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: crc >> UInt32(8 * index)) }
        }
        put(CRC32C.extend(over: bytes.span.bytes.extracting(12..<136)), at: 8)
        bytes.replaceSubrange(2048..<4096, with: bytes[..<2048])
        let keyed = CRC32C.extend(over: key.bytes.span.bytes)
        put(CRC32C.extend(keyed, over: bytes.span.bytes.extracting(4100..<4136)), at: 4096)
        fixture.disk.corrupt(path) { $0 = bytes }
        let found = try fixture.recover()
        #expect(found.payloads == ["a"])
        #expect(found.log.segments.last?.damage.isEmpty == false || found.log.newest.verdict == .torn)
    }

    @Test("everything acknowledged comes back in order, across segments and a restart")
    func roundTrip() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        #expect(appender.append([LogFixture.record("a"), LogFixture.record("b")], epoch: 1) == .durable)
        #expect(appender.append([LogFixture.record("c")], epoch: 2) == .durable)
        appender.close()
        fixture.disk.restart(.nothing)
        let found = try fixture.recover()
        #expect(found.payloads == ["a", "b", "c"])
        #expect(found.log.segments.map(\.ending.verdict) == [.sealed, .sealed])
        #expect(found.log.segments.map(\.ending.rows) == [2, 1])
        #expect(found.log.nextSegment == SegmentID(3))
    }

    @Test("a segment states its predecessor's end, verdict and hash")
    func chain() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a", rows: 5)], epoch: 1)
        _ = appender.append([LogFixture.record("b")], epoch: 2)
        let stated = try #require(try fixture.directory.header(of: SegmentID(2))?.predecessor)
        #expect(stated.verdict == .sealed)
        #expect(stated.rows == 5)
        let found = try fixture.recover()
        #expect(found.log.segments[0].ending == stated)
    }

    @Test("a torn group was never acknowledged: the log ends before it", arguments: [1, 511, 512, 4095])
    func tornTail(keptBytes: Int) throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("kept")], epoch: 1)
        let durable = try #require(fixture.disk.bytes(fixture.directory.path(of: SegmentID(1)))).count
        let operation = fixture.disk.operationCount
        fixture.disk.cutPower(before: operation + 1)  // the write happens, its sync does not
        let lost = LogFixture.record(String(repeating: "x", count: 9000))
        guard case .poisoned = appender.append([lost], epoch: 1) else {
            Issue.record("a group without its sync must not count")
            return
        }
        fixture.disk.restart(.everything)
        fixture.disk.corrupt(fixture.directory.path(of: SegmentID(1))) { bytes in
            bytes.replaceSubrange(
                (durable + keptBytes)..., with: repeatElement(0, count: bytes.count - durable - keptBytes))
        }
        let found = try fixture.recover()
        #expect(found.payloads == ["kept"])
        #expect(found.log.newest.verdict == .torn)
        #expect(found.log.newest.end == UInt64(durable))
        #expect(found.log.segments[0].damage.isEmpty)
    }

    @Test(
        "what recovery finds after a kill outlives a power cut, whether the last sync failed or was never made",
        arguments: [true, false])
    func settled(syncFails: Bool) throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("kept")], epoch: 1)
        let sync = fixture.disk.operationCount + 1  // after the write
        if syncFails {
            fixture.disk.inject(.at(sync, .error(Errno.inputOutput)))
        } else {
            fixture.disk.cutPower(before: sync)
        }
        guard case .poisoned = appender.append([LogFixture.record("cached")], epoch: 1) else {
            Issue.record("a group without its sync must not count")
            return
        }
        fixture.disk.restartProcesses()
        let found = try fixture.recover()
        var next = LogAppender(found.log, environment: fixture.environment())
        try next.rotate(to: 1)  // its header states what was found
        fixture.disk.restart(.nothing)
        #expect(try fixture.recover().payloads == found.payloads)
    }

    @Test("where the cache cannot be set right, nothing is believed: the start is tried again")
    func unsettled() throws {
        let fixture = try LogFixture()
        _ = try fixture.open()
        let before = fixture.disk.operationCount
        _ = try fixture.recover()
        let trace = fixture.disk.trace
        let drop = try #require(trace.indices.last { $0 >= before && trace[$0].hasPrefix("dropCache") })
        for (operation, isBelieved) in [(drop, false), (drop - 1, true)] {
            // The same calls again: the cache cannot be dropped, or the sync before fails, which drops its pages.
            fixture.disk.inject(
                .at(fixture.disk.operationCount + operation - before, .error(Errno.interrupted)))
            let found = try? fixture.recover()
            fixture.disk.inject(nil)
            #expect((found != nil) == isBelieved)
        }
    }

    @Test("what a poisoned segment holds behind its stated end is not read")
    func behindTheEnd() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        fixture.disk.inject(.at(fixture.disk.operationCount + 1, .error(Errno.inputOutput)))  // the sync
        _ = appender.append([LogFixture.record("b")], epoch: 1)
        #expect(appender.append([LogFixture.record("b")], epoch: 2) == .durable)
        #expect(try fixture.recover().payloads == ["a", "b"])
    }

    @Test("damage to acknowledged data is told from a torn tail, reported and copied; the rest is kept")
    func damage() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        _ = appender.append([LogFixture.record("b", rows: 3)], epoch: 1)
        _ = appender.append([LogFixture.record("c")], epoch: 1)
        let path = fixture.directory.path(of: SegmentID(1))
        fixture.disk.corrupt(path) { $0[4096 + 4096 + 40] ^= 1 }  // b's payload
        let found = try fixture.recover()
        #expect(found.payloads == ["a", "c"])
        #expect(found.log.segments[0].ending.verdict == .damaged)
        let range = try #require(found.log.segments[0].damage.first)
        #expect((range.start, range.end, range.firstLSN) == (8192, 8240, 3))
        #expect(range.rows == 3)
        fixture.disk.restart(.nothing)
        #expect(fixture.disk.bytes("/v/quarantine/00000000000000000001.wal") == fixture.disk.bytes(path))
        let report = String(
            decoding: fixture.disk.bytes("/v/quarantine/00000000000000000001.wal.txt") ?? [], as: UTF8.self)
        #expect(report.contains("bytes 8192..<8240 damaged"))
    }

    @Test("the last group is damage, not a torn tail, once its witness is written")
    func witness() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        let before = appender.wantsWitness
        try appender.witness()
        let after = appender.wantsWitness
        #expect(before && !after)
        fixture.disk.corrupt(fixture.directory.path(of: SegmentID(1))) { $0[4096 + 40] ^= 0x80 }
        #expect(try fixture.recover().log.newest.verdict == .damaged)
    }

    @Test("one bad header copy is no loss; two are reported")
    func headers() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        appender.close()
        let path = fixture.directory.path(of: SegmentID(1))
        fixture.disk.corrupt(path) { $0[20] ^= 1 }
        #expect(try fixture.recover().payloads == ["a"])
        fixture.disk.corrupt(path) { $0[2048 + 20] ^= 1 }
        let found = try fixture.recover()
        #expect(found.payloads.isEmpty)
        #expect(found.log.newest.verdict == .missing)
        #expect(!found.log.segments[0].damage.isEmpty)
        var next = LogAppender(found.log, environment: fixture.environment())
        try next.rotate(to: 1)
        #expect(next.append([LogFixture.record("b")], epoch: 1) == .durable)
        #expect(try fixture.recover().payloads == ["b"])
    }

    @Test("recovery changes nothing when it runs again")
    func idempotent() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        let first = try fixture.recover()
        let second = try fixture.recover()
        #expect(first.log.newest == second.log.newest)
        #expect(first.log.nextSegment == second.log.nextSegment)
    }

    @Test("an emptied wal/ does not begin at 1 again")
    func highWaterMark() throws {
        let fixture = try LogFixture()
        var appender = try fixture.open()
        _ = appender.append([LogFixture.record("a")], epoch: 1)
        appender.close()
        try fixture.disk.remove(fixture.directory.path(of: SegmentID(1)))
        let found = try fixture.recover()
        #expect(found.log.nextSegment.number > 1)
        #expect(found.log.volume.id == LogFixture.volume)
    }
}
