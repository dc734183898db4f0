import Bytes
import DiskIO
import TestKit
import Testing
import WAL

/// Four segments of real groups, all sealed but the last, and what damage makes of them.
private struct DamagedLog {
    static let blockBytes = 4096

    let fixture: LogFixture
    /// Payload texts by segment.
    var written: [SegmentID: [String]] = [:]

    init() throws {
        fixture = try LogFixture()
        var appender = try fixture.open()
        var random = SeededGenerator(seed: 7)
        for epoch in UInt64(1)...3 {
            for group in 0..<3 {
                // Of different lengths, so that alignment and padding take every form; the last spans blocks.
                let texts = (0..<3).map { record in
                    let count = Int.random(in: 1...(group == 2 ? 1800 : 60), using: &random)
                    return "\(epoch)/\(group)/\(record) " + String(repeating: "x", count: count)
                }
                guard appender.append(texts.map { LogFixture.record($0, rows: 2) }, epoch: epoch) == .durable else {
                    throw IOError(.write, "the fixture", code: Errno.inputOutput)
                }
                written[SegmentID(epoch), default: []] += texts
            }
        }
        try appender.rotate(to: 4)
    }

    func path(_ segment: UInt64) -> String { fixture.directory.path(of: SegmentID(segment)) }
    func bytes(_ segment: UInt64) -> [UInt8] { fixture.disk.bytes(path(segment)) ?? [] }

    func stated(_ segment: UInt64) throws -> SegmentEnding? {
        SegmentEnding.stated(of: SegmentID(segment), by: try fixture.directory.header(of: SegmentID(segment + 1)))
    }
}

/// What the program reads in one damaged file.
private struct Reading {
    let payloads: [String]
    /// Bytes of each payload's record.
    let places: [Range<Int>]
    let summary: SegmentSummary

    init(_ segment: UInt64, _ bytes: [UInt8], _ stated: SegmentEnding?) throws {
        let disk = SimulatedDisk()
        let directory = SegmentDirectory("/wal", in: disk)
        disk.plant(directory.path(of: SegmentID(segment)), bytes)
        var scanner = try SegmentScanner(SegmentID(segment), statedEnding: stated, directory: directory, in: disk)
        var payloads: [String] = []
        var places: [Range<Int>] = []
        summary = try scanner.scan { record in
            payloads.append(String(decoding: record.payload, as: UTF8.self))
            places.append(Int(record.offset)..<Int(record.offset) + 40 + record.payloadByteCount)
        }
        self.payloads = payloads
        self.places = places
    }

    /// Payloads of records that lie outside of `bytes`.
    func payloads(outside bytes: Range<Int>) -> [String] {
        zip(payloads, places).filter { !$0.1.overlaps(bytes) }.map(\.0)
    }
}

@Suite("Damage is always noticed, never read as data, and costs no more than its place")
struct DamageTests {
    @Test("every single bit of a sealed segment of 16 KiB", arguments: 0..<8)
    func everyBit(part: Int) throws {
        let log = try DamagedLog()
        let stated = try log.stated(1)
        var bytes = Array(log.bytes(1).prefix(Int(try #require(stated?.end))))
        #expect(bytes.count >= 16 << 10)
        let written = try #require(log.written[SegmentID(1)])
        for bit in stride(from: part, to: bytes.count * 8, by: 8) {
            bytes[bit / 8] ^= 1 << (bit % 8)
            let found = try Reading(1, bytes, stated)
            bytes[bit / 8] ^= 1 << (bit % 8)
            let isNoticed = found.summary.damage.contains {
                ($0.start..<max($0.end, $0.start + 1)).contains(UInt64(bit / 8))
            }
            guard isNoticed, found.payloads.allSatisfy(written.contains), found.payloads.count >= written.count - 1
            else {
                Issue.record("bit \(bit): read \(found.payloads.count), damage \(found.summary.damage)")
                return
            }
            // The rows that are missing are the rows that are said to be missing.
            #expect(Int(found.summary.rowsLost) == 2 * (written.count - found.payloads.count), "bit \(bit)")
            SegmentEvidence.add(SegmentID(1), bytes, stated: stated, flippedBit: bit)
        }
    }

    @Test("every bit of the newest segment: torn or damaged, and never a record that was not written")
    func everyBitOfTheNewest() throws {
        let log = try DamagedLog()
        var bytes = log.bytes(1)
        let written = try #require(log.written[SegmentID(1)])
        let end = try #require(try log.stated(1)?.end)
        for bit in stride(from: 0, to: Int(end) * 8, by: 5) {
            bytes[bit / 8] ^= 1 << (bit % 8)
            let found = try Reading(1, bytes, nil)
            bytes[bit / 8] ^= 1 << (bit % 8)
            // The seal at the end states that all before it is durable: what comes before cannot be a torn tail.
            let isNoticed = !found.summary.damage.isEmpty || found.summary.ending.verdict == .torn
            #expect(isNoticed, "bit \(bit)")
            let isBeforeSeal = bit / 8 < Int(end) - DamagedLog.blockBytes
            if isBeforeSeal {
                #expect(found.summary.ending.verdict == .damaged || found.summary.header == nil, "bit \(bit)")
            }
            #expect(found.payloads.allSatisfy(written.contains), "bit \(bit)")
            SegmentEvidence.add(SegmentID(1), bytes, stated: nil, flippedBit: bit)
        }
    }

    @Test("each block zeroed, or replaced by any block of this or another segment")
    func blocks() throws {
        let log = try DamagedLog()
        let stated = try log.stated(1)
        let good = log.bytes(1)
        let whole = try Reading(1, good, stated)
        let written = try #require(log.written[SegmentID(1)])
        let sources = (1...3).flatMap { segment in
            stride(from: 0, to: log.bytes(UInt64(segment)).count, by: DamagedLog.blockBytes).map { start in
                Array(log.bytes(UInt64(segment))[start..<start + DamagedLog.blockBytes])
            }
        }
        var cases = 0
        for start in stride(from: 0, to: Int(try #require(stated?.end)), by: DamagedLog.blockBytes) {
            let zeros = [UInt8](repeating: 0, count: DamagedLog.blockBytes)
            for source in [zeros] + sources where source != Array(good[start..<start + DamagedLog.blockBytes]) {
                var bytes = good
                bytes.replaceSubrange(start..<start + DamagedLog.blockBytes, with: source)
                let found = try Reading(1, bytes, stated)
                #expect(!found.summary.damage.isEmpty, "block at \(start)")
                #expect(found.payloads.allSatisfy(written.contains), "block at \(start)")
                // Records elsewhere are read; without any header there is no salt, and nothing can be.
                if start > 0 {
                    let untouched = whole.payloads(outside: start..<start + DamagedLog.blockBytes)
                    #expect(untouched.allSatisfy(found.payloads.contains), "block at \(start)")
                    #expect(
                        Int(found.summary.rowsLost) == 2 * (written.count - found.payloads.count), "block at \(start)")
                }
                SegmentEvidence.add(SegmentID(1), bytes, stated: stated)
                cases += 1
            }
        }
        #expect(cases > 60)
    }

    @Test("two blocks of a segment swapped")
    func swapped() throws {
        let log = try DamagedLog()
        let stated = try log.stated(2)
        let good = log.bytes(2)
        let written = try #require(log.written[SegmentID(2)])
        let starts = stride(from: DamagedLog.blockBytes, to: Int(try #require(stated?.end)), by: DamagedLog.blockBytes)
        for first in starts {
            for second in starts where second > first {
                var bytes = good
                bytes.replaceSubrange(first..<first + 4096, with: good[second..<second + 4096])
                bytes.replaceSubrange(second..<second + 4096, with: good[first..<first + 4096])
                let found = try Reading(2, bytes, stated)
                #expect(!found.summary.damage.isEmpty, "\(first) and \(second)")
                #expect(found.payloads.allSatisfy(written.contains))
                SegmentEvidence.add(SegmentID(2), bytes, stated: stated)
            }
        }
    }

    @Test("sectors that cannot be read are damage, not the end; the rest is kept, and a copy is made of what there is")
    func unreadable() throws {
        let log = try DamagedLog()
        let path = log.path(1)
        // From the second group's block on, 512 bytes are gone.
        log.fixture.disk.makeUnreadable(path, 8192..<8704)
        let found = try log.fixture.recover()
        let written = try #require(log.written[SegmentID(1)])
        let read = found.payloads.filter(written.contains)
        #expect(read == written.filter { !$0.hasPrefix("1/1/") } || read.count >= written.count - 3)
        #expect(read.count < written.count)
        let summary = try #require(found.log.segments.first)
        #expect(summary.damage.contains { $0.start <= 8192 && $0.end > 8192 })
        #expect(Int(summary.rowsLost) == 2 * (written.count - read.count))
        #expect(log.fixture.disk.bytes("/v/quarantine/00000000000000000001.wal")?.count == log.bytes(1).count)
        #expect(found.payloads.filter(log.written.values.flatMap(\.self).contains).count == found.payloads.count)
    }

    @Test("a segment that is gone is told with its rows; one that was compacted is not")
    func missing() throws {
        let log = try DamagedLog()
        try log.fixture.disk.remove(log.path(2))
        let found = try log.fixture.recover()
        #expect(found.log.missing.map(\.ending.segment) == [SegmentID(2)])
        #expect(found.log.missing.map(\.ending.rows) == [18])
        let compacted = try Recovery(log.fixture.layout, in: log.fixture.disk).run(
            retired: [SegmentID(1)...SegmentID(2)], newVolume: LogFixture.volume
        ) { _, _ in }
        #expect(compacted.missing.isEmpty)
    }

    @Test("a copy that cannot be made does not stop the start")
    func fullQuarantine() throws {
        let log = try DamagedLog()
        log.fixture.disk.corrupt(log.path(1)) { $0[4096 + 60] ^= 1 }
        log.fixture.disk.setSpace(capacity: 1)
        let found = try log.fixture.recover()
        #expect(found.log.uncopied.map(\.segment) == [SegmentID(1)])
        #expect(found.payloads.count == log.written.values.reduce(0) { $0 + $1.count } - 1)
    }
}
