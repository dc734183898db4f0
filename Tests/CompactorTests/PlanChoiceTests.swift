import Bytes
import Compactor
import DiskIO
import Samples
import Synchronization
import TestKit
import Testing
import WAL

/// Which sealed segments become files together, and when. The segments alone decide the first (I6).
@Suite("the choice of a plan")
struct PlanChoiceTests {
    /// What a segment's successor states of it.
    private struct Size {
        var rows: UInt64 = 1
        var bytes: UInt64 = 8192
        var records: UInt64 = 1
        /// UTC hour in which it was begun.
        var hour: Int64 = 0
    }

    /// A log of headers, from segment 3 on, and an empty newest segment.
    private static func sealed(_ sizes: [Size], newestHour: Int64 = 0) throws -> SealedSegments {
        let fixture = try CompactionFixture()
        let directory = SegmentDirectory(fixture.layout.wal, in: fixture.disk)
        var predecessor = SegmentEnding.none
        for number in 0...sizes.count {
            let id = SegmentID(UInt64(3 + number))
            let hour = number < sizes.count ? sizes[number].hour : newestHour
            let header = SegmentHeader(
                volume: CompactionFixture.volume, segment: id, salt: 1, createdAt: hour * 3_600_000 + Int64(number),
                firstLSN: predecessor.lastLSN + 1, configuration: 9, predecessor: predecessor)
            fixture.disk.plant(directory.path(of: id), header.encode())
            guard number < sizes.count else { break }
            let size = sizes[number]
            predecessor = SegmentEnding(
                segment: id, end: size.bytes, lastLSN: predecessor.lastLSN + size.records, verdict: .sealed,
                hash: Hash128(low: 0, high: 0), rows: size.rows)
        }
        return try SealedSegments(directory, recovered: [:])
    }

    private static func plan(_ sizes: [Size], rowLimit: Int = 100) throws -> [UInt64]? {
        try sealed(sizes).plan(rowLimit: rowLimit)?.segments.map(\.segment.number)
    }

    @Test func oldestFirst() throws {
        #expect(try Self.plan([]) == nil)
        #expect(try Self.plan([Size](repeating: Size(), count: 3)) == [3, 4, 5])
    }

    @Test("as many rows as a file takes, and one segment whatever it holds")
    func rows() throws {
        #expect(try Self.plan([60, 40, 1].map { Size(rows: $0) }) == [3, 4])
        #expect(try Self.plan([60, 41].map { Size(rows: $0) }) == [3])
        #expect(try Self.plan([500, 1].map { Size(rows: $0) }) == [3])
    }

    @Test("a GiB of log")
    func bytes() throws {
        let half = SealedSegments.planByteLimit / 2
        #expect(try Self.plan([Size(bytes: half), Size(bytes: half), Size()]) == [3, 4])
        #expect(try Self.plan([Size(bytes: half), Size(bytes: half + 1)]) == [3])
        #expect(try Self.plan([Size(bytes: 2 * half + 1), Size()]) == [3])
    }

    @Test("as many requests as are held in memory, also of senders of one sample, or of none, a request")
    func requests() throws {
        let limit = SealedSegments.planRecordLimit
        #expect(try Self.plan([limit - 2, 1, 3].map { Size(rows: 0, records: $0) }) == [3, 4])
        #expect(try Self.plan([limit, 2].map { Size(rows: $0, records: $0) }, rowLimit: 10_000_000) == [3])
    }

    @Test("hourly: what was begun in one hour, whatever its rows, once the hour is over")
    func hours() throws {
        let sealed = try Self.sealed([(7, 60), (7, 60), (8, 1)].map { Size(rows: $1, hour: $0) }, newestHour: 8)
        #expect(sealed.plan(rowLimit: nil)?.segments.map(\.segment.number) == [3, 4])
        #expect(sealed.isHourOver(at: 0), "a later segment is there")
        let open = try Self.sealed([Size(hour: 7)], newestHour: 7)
        #expect(!open.isHourOver(at: 8 * 3_600_000 + 299_999), "the newest segment may be sealed yet")
        #expect(open.isHourOver(at: 8 * 3_600_000 + 300_000))
        #expect(try !Self.sealed([]).isHourOver(at: .max))
        let records = SealedSegments.planRecordLimit
        let full = try Self.sealed([Size(records: records), Size(records: 1)])
        #expect(full.plan(rowLimit: nil)?.segments.count == 1, "the limits of memory hold")
    }

    @Test("hourly: what one plan cannot take does not wait")
    func fullHours() throws {
        let half = SealedSegments.planByteLimit / 2 + 1
        #expect(try Self.sealed([Size(bytes: half), Size(bytes: half)]).isFull)
        #expect(try Self.sealed([Size(records: SealedSegments.planRecordLimit + 1)]).isFull)
        let rows = UInt64(SealedSegments.planRowLimit)
        let full = try Self.sealed([Size(rows: rows), Size(rows: 1)])
        #expect(full.isFull && full.plan(rowLimit: nil)?.segments.count == 1)
        #expect(try !Self.sealed([Size(), Size()]).isFull)
    }

    @Test("hourly: a clock that was ahead when a segment was begun holds nothing back")
    func hoursAhead() throws {
        #expect(try Self.sealed([Size(hour: 9)], newestHour: 7).isHourOver(at: 7 * 3_600_000))
        #expect(try Self.sealed([9, 7].map { Size(hour: $0) }, newestHour: 9).isHourOver(at: 7 * 3_600_000))
    }

    @Test("hourly: an hour of many files' rows is one plan, and waits no longer than two hours for any clock")
    func hourlyService() throws {
        let fixture = try Self.log()
        let service = try fixture.service(rowsPerFile: 4, isHourly: true)
        fixture.clock.jump(milliseconds: -10 * 3_600_000)
        try service.check(flushing: false)
        fixture.clock.advance(.seconds(7199))
        try service.check(flushing: false)
        #expect(try Self.done(fixture).isEmpty)
        fixture.clock.advance(.seconds(1))
        try service.check(flushing: false)
        #expect(try Self.done(fixture) == ["1-5"])
        #expect(try fixture.disk.list(fixture.layout.outbox).count == 3, "files of four rows")
    }

    /// Five segments of two rows.
    private static func log() throws -> CompactionFixture {
        let fixture = try CompactionFixture()
        try fixture.write(
            (0..<5).map { segment in
                [
                    [CompactionTests.sample("up", "a", 2 * segment, 1)],
                    [CompactionTests.sample("up", "a", 2 * segment + 1, 1)],
                ]
            })
        return fixture
    }

    private static func done(_ fixture: CompactionFixture) throws -> [String] {
        try fixture.disk.list(fixture.layout.wal).filter { $0.hasSuffix(".done") }.sorted()
            .map { $0.split(separator: ".")[0].split(separator: "-").compactMap { Int($0) }.map(String.init) }
            .map { $0.joined(separator: "-") }
    }

    @Test("rows start a plan, then age alone; the oldest first, and status says how far it is")
    func due() throws {
        let fixture = try Self.log()
        let seen = Mutex<[String]>([])
        let service = try fixture.service(rowsPerFile: 4)
        fixture.disk.inject(
            Injection { _ in
                if let plan = service.compacting, let percent = service.compactingPercent {
                    seen.withLock { if $0.last != "\(plan) \(percent)" { $0.append("\(plan) \(percent)") } }
                }
                return nil
            })
        try service.check(flushing: false)
        #expect(try Self.done(fixture) == ["1-2", "3-4"])
        #expect(seen.withLock { $0 } == ["1-2 0", "1-2 100", "3-4 0", "3-4 100"])
        #expect(service.compacting == nil && service.compactingPercent == nil)
        fixture.clock.advance(.seconds(599))
        try service.check(flushing: false)
        #expect(try Self.done(fixture).count == 2, "two rows wait")
        fixture.clock.advance(.seconds(1))
        try service.check(flushing: false)
        #expect(try Self.done(fixture) == ["1-2", "3-4", "5-5"])
    }

    @Test("what waited before the start is as old as its first segment")
    func ageAcrossStarts() throws {
        let fixture = try Self.log()
        fixture.clock.advance(.seconds(599))
        try fixture.service().check(flushing: false)
        #expect(try Self.done(fixture).isEmpty)
        fixture.clock.advance(.seconds(1))
        try fixture.service().check(flushing: false)
        #expect(try Self.done(fixture) == ["1-5"])
    }

    @Test("a manifest of more requests than a piece of it has is read back whole")
    func manyRequests() throws {
        let fixture = try CompactionFixture()
        let requests = (0..<3000).map { [CompactionTests.sample("up", "a", Int64($0), 1)] }
        try fixture.write([requests])
        try fixture.compact()
        let known = try fixture.recoverVolume().known
        #expect(Set(known.map(\.fingerprint.low)) == Set(0..<3000) && known.count == 3000)
        // Each copy alone says everything.
        let name = try #require(try fixture.disk.list(fixture.layout.wal).first { $0.hasSuffix(".done") })
        let path = "\(fixture.layout.wal)/\(name)"
        let size = try #require(fixture.disk.bytes(path)).count
        for offset in [100, size / 2 + 100] {
            fixture.disk.corrupt(path) { $0[offset] ^= 1 }
            #expect(try fixture.recoverVolume().known.count == 3000)
            fixture.disk.corrupt(path) { $0[offset] ^= 1 }
        }
    }
}
