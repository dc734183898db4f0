import Bytes
import Compactor
import DiskIO
import Parquet
import Samples
import TestKit
import Testing
import WAL

/// Under layout `cloudzero` what is no sample has files of its own too, and what programs kept that had none becomes
/// such files.
@Suite("histograms, exemplars and metadata beside samples of layout cloudzero")
struct KeptSegmentsTests {
    private static let up = ["__name__", "up", "pod", "a"]
    private static let kinds: [ReferenceID.Kind] = [.exemplars, .histograms, .metadata, .metrics]

    private static func sample(_ second: Int64) -> TestSample {
        TestSample(labels: up, timestamp: CompactionFixture.hour + second * 1000, value: 1)
    }

    /// A log whose segments a program kept that had no files for what is in them; the program before us compacts them.
    private static func kept(
        segments: Int = 2, addOthers: (inout BatchEncoder, [UInt32]) -> Void = NativeLayoutTests.addOthers
    ) throws -> CompactionFixture {
        var fixture = try CompactionFixture()
        fixture.promotedLabels = ["pod"]
        fixture.writesOthers = false
        try fixture.write((0..<segments).map { [[sample(Int64($0))]] }, addOthers: addOthers)
        let report = try #require(try fixture.compact())
        #expect(report.files.count == 1 && report.rows("written") == segments)
        #expect(try keptNames(fixture).count == segments)
        fixture.writesOthers = true
        return fixture
    }

    private static func keptNames(_ fixture: CompactionFixture) throws -> [String] {
        try fixture.disk.list(fixture.layout.wal).filter { $0.hasSuffix(".kept") }
    }

    private static func published(_ fixture: CompactionFixture) throws -> [ReferenceID.Kind] {
        try fixture.disk.list(fixture.layout.outbox).compactMap { ReferenceID($0)?.kind }
            .sorted { $0.rawValue < $1.rawValue }
    }

    @Test func theyHaveFilesOfTheirOwn() throws {
        var fixture = try CompactionFixture()
        fixture.promotedLabels = ["pod"]
        try fixture.write([[[Self.sample(0)]], [[Self.sample(1)]]], addOthers: NativeLayoutTests.addOthers)
        let report = try #require(try fixture.compact())
        #expect(report.rows("others") == 6 && report.rows("others_kept") == 0)
        #expect(try Self.published(fixture) == Self.kinds)
        #expect(try Self.keptNames(fixture).isEmpty)
        #expect(try fixture.publishedRows().filter { $0.metric == "up" }.count == 2)
        for file in report.files {
            let stored = try StoredFile("\(fixture.layout.outbox)/\(file.name)", in: fixture.disk)
            let kind = try #require(ReferenceID(file.name)).kind
            let schema = try ParquetFile(source: stored).metadata["writer.schema"]
            #expect(schema == (kind == .metrics ? "cloudzero-v1" : "native-\(kind)-v1"))
        }
        #expect(try NativeLayoutTests.columns(fixture, "histograms")["pod"] == ["a"])
    }

    @Test("kept segments become files and go, their samples are not written again")
    func taken() throws {
        let fixture = try Self.kept()
        let before = try fixture.disk.list(fixture.layout.outbox)
        let service = try fixture.service()
        try service.check(flushing: false)
        #expect(try Self.keptNames(fixture).isEmpty)
        #expect(try Self.published(fixture) == Self.kinds)
        let names = try fixture.disk.list(fixture.layout.outbox)
        #expect(names.filter(before.contains) == before && names.count == 4)
        #expect(try NativeLayoutTests.columns(fixture, "histograms")["count"] == ["3"], "the same one of both segments")
        // The first plan's manifest still answers retransmits.
        #expect(try fixture.recoverVolume().known.count == 2)
        try service.check(flushing: true)
        #expect(try fixture.disk.list(fixture.layout.outbox) == names)
    }

    @Test("where no destination takes them they stay")
    func staysWithoutDestination() throws {
        var fixture = try Self.kept()
        fixture.writesOthers = false
        try fixture.service().check(flushing: false)
        #expect(try Self.keptNames(fixture).count == 2 && Self.published(fixture) == [.metrics])
    }

    @Test("one with a row that no file can hold stays: its other rows may be in files")
    func staysUnreadable() throws {
        let fixture = try Self.kept(segments: 1) { encoder, references in
            NativeLayoutTests.addOthers(&encoder, references)
            encoder.addExemplar(references[0], timestamp: .max, value: 0, labels: [])
        }
        try fixture.service().check(flushing: false)
        #expect(try Self.keptNames(fixture).count == 1 && Self.published(fixture) == [.metrics])
    }

    @Test("one that is damaged stays", arguments: [10, 4096 + 50])
    func staysDamaged(offset: Int) throws {
        let fixture = try Self.kept(segments: 1)
        let name = try #require(try Self.keptNames(fixture).first)
        fixture.disk.corrupt("\(fixture.layout.wal)/\(name)") { $0[offset] ^= 1 }
        try fixture.service().check(flushing: false)
        #expect(try Self.keptNames(fixture).count == 1 && Self.published(fixture) == [.metrics])
    }

    @Test("one that was damaged when it was compacted stays, though it is whole again: its readable rows are in files")
    func staysAfterDamage() throws {
        let fixture = try Self.kept(segments: 1)
        let name = try #require(try Self.keptNames(fixture).first).replacing(".kept", with: ".wal")
        try fixture.disk.makeDirectory(fixture.layout.quarantine)
        try fixture.disk.publish(Array("damaged".utf8), at: "\(fixture.layout.quarantine)/\(name).txt")
        try fixture.service().check(flushing: false)
        #expect(try Self.keptNames(fixture).count == 1 && Self.published(fixture) == [.metrics])
    }

    @Test("a flush takes them too; their manifest goes with them")
    func flushed() throws {
        let fixture = try Self.kept()
        try fixture.service().check(flushing: true)
        #expect(try Self.keptNames(fixture).isEmpty)
        #expect(try !fixture.disk.list(fixture.layout.wal).contains { $0.contains(".kept") })
    }

    @Test("a full disk leaves them, and nothing of the attempt in staging")
    func fullDisk() throws {
        let fixture = try Self.kept()
        let service = try fixture.service()
        fixture.disk.setSpace(capacity: 4_096)
        try service.check(flushing: false)
        fixture.disk.setSpace(capacity: nil)
        try service.check(flushing: false)
        #expect(try Self.keptNames(fixture).count == 2 && fixture.disk.list(fixture.layout.staging).isEmpty)
    }

    @Test("what is no sample is published exactly once, whenever the power goes", arguments: Crash.fixed)
    func powerCut(survival: Crash) throws {
        let whole = try Self.kept()
        let first = whole.disk.operationCount
        try whole.service().check(flushing: false)
        let last = whole.disk.operationCount
        let wanted = try whole.disk.list(whole.layout.outbox)
        for operation in first...last {
            let fixture = try Self.kept()
            fixture.disk.cutPower(before: operation)
            _ = try? fixture.service().check(flushing: false)
            fixture.disk.restart(survival)
            try fixture.service().check(flushing: false)
            #expect(try fixture.disk.list(fixture.layout.outbox) == wanted, "cut before operation \(operation)")
            #expect(try Self.keptNames(fixture).isEmpty && fixture.disk.list(fixture.layout.staging).isEmpty)
        }
    }
}
