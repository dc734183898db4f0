import Compactor
import DiskIO
import Parquet
import Samples
import Synchronization
import TestKit
import Testing
import WAL

@Suite("What compaction makes of a plan")
struct CompactionTests {
    static let hour = CompactionFixture.hour

    static func sample(_ metric: String, _ pod: String, _ second: Int64, _ value: Double) -> TestSample {
        TestSample(
            labels: ["__name__", metric, "node", "n1", "pod", pod], timestamp: hour + second * 1000, value: value)
    }

    @Test("rows of several segments come out once, sorted by metric, labels and time")
    func sorted() throws {
        let fixture = try CompactionFixture()
        try fixture.write([
            [[Self.sample("up", "b", 1, 1), Self.sample("cpu", "a", 1, 0.5)], [Self.sample("up", "a", 2, 0)]],
            [[Self.sample("cpu", "a", 0, 0.25)]],
        ])
        let report = try #require(try fixture.compact())
        #expect(report.rows("written") == 4)
        let rows = try fixture.publishedRows()
        #expect(rows.map(\.metric) == ["cpu", "cpu", "up", "up"])
        #expect(rows.map(\.value) == ["0.25", "0.5", "0", "1"])
        #expect(rows[2].labels == #"{"__name__":"up","node":"n1","pod":"a"}"#)
        #expect(rows.allSatisfy { $0.node == "n1" })
        #expect(try fixture.plan() == nil, "the segments are gone")
        #expect(try fixture.disk.list(fixture.layout.staging).isEmpty)
    }

    @Test("equal rows are stored once; another value at the same time is kept and counted")
    func duplicates() throws {
        let fixture = try CompactionFixture()
        let first = Self.sample("up", "a", 1, 1)
        try fixture.write([[[first, first, Self.sample("up", "a", 1, 2)]], [[first]]])
        let report = try #require(try fixture.compact())
        #expect(report.rows("log") == 4)
        #expect(report.rows("written") == 2)
        #expect(report.rows("deduplicated") == 2)
        #expect(report.rows("conflicts") == 1)
    }

    @Test("equal values are equal bits: 0 and -0 are two, a NaN is equal to itself")
    func equalBits() throws {
        let fixture = try CompactionFixture()
        try fixture.write([[[0, -0.0, .nan, .nan, .nan, 0].map { Self.sample("up", "a", 1, $0) }]])
        let report = try #require(try fixture.compact())
        #expect(report.rows("written") == 3)
        #expect(report.rows("deduplicated") == 3)
    }

    @Test("an hour and a stream become files of their own")
    func parts() throws {
        let fixture = try CompactionFixture()
        let rows = [Self.sample("up", "a", 0, 1), Self.sample("up", "a", 3599, 1), Self.sample("up", "a", 3600, 1)]
        try fixture.write([[rows]], streams: [.cost, .observability])
        let report = try #require(try fixture.compact())
        let ids = report.files.compactMap { ReferenceID($0.name) }
        #expect(ids.map(\.kind) == [.metrics, .metrics, .observability, .observability])
        #expect(
            ids.map(\.hivePartition) == [
                "dt=2026-07-01/hr=15", "dt=2026-07-01/hr=16", "dt=2026-07-01/hr=15", "dt=2026-07-01/hr=16",
            ])
        #expect(report.files.map(\.rows) == [2, 1, 2, 1])
    }

    @Test("a plan of many hours is read a few times, not once an hour")
    func manyHours() throws {
        let fixture = try CompactionFixture()
        let rows = (0..<100).map { Self.sample("up", "a", 3600 * $0, 1) } as [TestSample]
        try fixture.write([[rows], [rows.map { Self.sample("up", "b", ($0.timestamp - Self.hour) / 1000, 2) }]])
        let before = fixture.disk.trace.count
        let report = try #require(try fixture.compact())
        #expect(report.files.count == 100 && report.files.allSatisfy { $0.rows == 2 })
        let opened = fixture.disk.trace[before...].filter { $0.hasPrefix("open /v/wal/") }
        #expect((6...12).contains(opened.count), "survey, count and gather read both segments")
    }

    @Test("files are cut at rowsPerFile, also inside one series")
    func cut() throws {
        let fixture = try CompactionFixture()
        try fixture.write([[(0..<25).map { Self.sample("up", "a", $0, Double($0)) }]])
        var options = fixture.options
        options.rowsPerFile = 10
        let plan = try #require(try fixture.plan())
        let report = try Compaction(options, volume: CompactionFixture.volume, layout: fixture.layout, in: fixture.disk)
            .run(plan)
        #expect(report.files.map(\.rows) == [10, 10, 5])
        #expect(try fixture.publishedRows().count == 25)
    }

    @Test("the same segments give the same names and bytes (I6)")
    func deterministic() throws {
        var segments: [[[TestSample]]] = []
        for segment in 0..<3 {
            var batches: [[TestSample]] = []
            for batch in 0..<4 {
                var samples: [TestSample] = []
                for row in 0..<50 {
                    let second = Int64(segment * 100 + batch * 10 + row)
                    samples.append(Self.sample("m\(row % 7)", "p\(row % 11)", second, Double(row) / 3))
                }
                batches.append(samples)
            }
            segments.append(batches)
        }
        let names = try (0..<2).map { _ in
            let fixture = try CompactionFixture()
            try fixture.write(segments)
            let names = try #require(try fixture.compact()).files.map(\.name)
            // Another process hashes otherwise: no order of a table may show, so all of it is sorted.
            let rows = try fixture.publishedRows()
            #expect(rows == rows.sorted { ($0.metric, $0.labels, $0.timestamp) < ($1.metric, $1.labels, $1.timestamp) })
            return names
        }
        #expect(names[0] == names[1])
        #expect(!names[0].isEmpty)
    }

    @Test("a plan without rows removes its segments and publishes nothing")
    func empty() throws {
        let fixture = try CompactionFixture()
        try fixture.write([[[]]])
        let report = try #require(try fixture.compact())
        #expect(report.files.isEmpty)
        #expect(try fixture.plan() == nil)
    }

    @Test("rows whose record or definition is damaged are counted, the rest is published, a copy is kept")
    func damaged() throws {
        let fixture = try CompactionFixture()
        try fixture.write([
            [[Self.sample("up", "a", 0, 1)], [Self.sample("up", "a", 1, 1), Self.sample("up", "b", 1, 1)]]
        ])
        let path = SegmentDirectory(fixture.layout.wal, in: fixture.disk).path(of: SegmentID(1))
        fixture.disk.corrupt(path) { $0[4096 + 60] ^= 1 }  // the record that defines series a
        let report = try #require(try fixture.compact())
        #expect(report.rows("written") == 1)
        #expect(report.rows("quarantined") == 2)
        #expect(fixture.disk.bytes("/v/quarantine/00000000000000000001.wal") != nil)
    }
}

@Suite("Publication survives a cut or a failure at every operation")
struct PublicationCrashTests {
    private static let segments: [[[TestSample]]] = [
        [[CompactionTests.sample("up", "a", 0, 1), CompactionTests.sample("up", "b", 3601, 2)]],
        [[CompactionTests.sample("cpu", "a", 5, 0.5)]],
    ]

    private static func prepared() throws -> CompactionFixture {
        let fixture = try CompactionFixture()
        try fixture.write(segments)
        fixture.disk.restart(.nothing)  // all of it is durable
        return fixture
    }

    private static let operations: ClosedRange<Int> = {
        guard let fixture = try? prepared() else { return 0...0 }
        let start = fixture.disk.operationCount
        _ = try? fixture.compact()
        return start...fixture.disk.operationCount
    }()

    @Test("the compaction is as long as it was when the cases were counted")
    func pinned() { #expect(Self.operations.count == 144) }

    @Test("each row is published exactly once", arguments: Crash.fixed)
    func powerCut(survival: Crash) throws {
        for operation in Self.operations {
            let fixture = try Self.prepared()
            fixture.disk.cutPower(before: operation)
            _ = try? fixture.compact()
            fixture.disk.restart(survival)
            try Self.expectOnce(fixture, "cut before operation \(operation), \(survival)")
        }
    }

    @Test("a failing operation delays, and loses nothing", arguments: [Errno.noSpace, Errno.inputOutput])
    func failure(code: Int32) throws {
        for operation in Self.operations {
            let fixture = try Self.prepared()
            fixture.disk.inject(.at(operation, .error(code)))
            _ = try? fixture.compact()
            fixture.disk.inject(nil)
            try Self.expectOnce(fixture, "errno \(code) at operation \(operation)")
        }
    }

    @Test("a plan that is given up commits nothing, and its rows are published by the next")
    func givenUp() throws {
        let fixture = try Self.prepared()
        let plan = try #require(try fixture.plan())
        let compaction = Compaction(
            fixture.options, volume: CompactionFixture.volume, layout: fixture.layout, in: fixture.disk)
        #expect(throws: CancellationError.self) { _ = try compaction.run(plan) { _ in throw CancellationError() } }
        #expect(try fixture.publishedRows().isEmpty)
        try Self.expectOnce(fixture, "given up")
    }

    @Test(
        "a manifest whose directory was not synced is not acted upon: the power goes at every instant of the next try",
        arguments: [true, false])
    func unsyncedManifest(isKilled: Bool) throws {
        for operation in 0..<1_000 {
            let fixture = try Self.prepared()
            let service = try fixture.service()
            let isNamed = Mutex(false)
            fixture.disk.inject(
                Injection { call in
                    if call.operation == .rename, call.path.hasSuffix(".commit") { isNamed.withLock { $0 = true } }
                    let fails = call.operation == .syncDirectory && isNamed.withLock { $0 }
                    return fails ? .error(Errno.inputOutput) : nil
                })
            #expect(throws: IOError.self) { try service.check(flushing: true) }
            if isKilled { fixture.disk.restartProcesses() } else { fixture.disk.inject(nil) }
            fixture.disk.cutPower(before: fixture.disk.operationCount + operation)
            if isKilled { _ = try? fixture.recoverVolume() } else { try? service.check(flushing: true) }
            let isOver = !fixture.disk.isOff
            fixture.disk.restart(.nothing)
            try fixture.write([[[CompactionTests.sample("late", "a", 9, 7)]]], behind: try fixture.recover())
            try fixture.compact()
            let rows = try fixture.publishedRows()
            #expect(rows.count == 4 && Set(rows).count == 4, "operation \(operation): \(rows)")
            if isOver { return }
        }
        Issue.record("it never ends")
    }

    @Test("a service that tries again beside a newer segment publishes each row once")
    func retryWithoutRestart() async throws {
        for operation in Self.operations {
            let fixture = try Self.prepared()
            let before = fixture.disk.operationCount
            let found = try fixture.recoverVolume()
            let recoveryCount = fixture.disk.operationCount - before
            let service = try fixture.service(found)
            fixture.disk.inject(.at(operation + recoveryCount, .error(Errno.inputOutput)))
            service.start()
            // Fails or not: what counts is what is there in the end.
            try? await service.flush()
            fixture.disk.inject(nil)
            let log = try Recovery(fixture.layout, in: fixture.disk).run(
                retired: [], newVolume: CompactionFixture.volume
            ) { _, _ in }
            try fixture.write([[[CompactionTests.sample("late", "a", 9, 7)]]], behind: log)
            try await service.flush()
            service.stop()
            let rows = try fixture.publishedRows()
            #expect(rows.count == 4 && Set(rows).count == 4, "operation \(operation): \(rows)")
        }
    }

    @Test("a segment that was compacted with nothing in it is never said to be gone")
    func emptySegment() throws {
        let fixture = try Self.prepared()
        try fixture.compact()
        // Started, drained and stopped with nothing in between.
        try fixture.write([], behind: try fixture.recover())
        #expect(try fixture.compact()?.rows("log") == 0)
        try fixture.write([[[CompactionTests.sample("late", "a", 9, 7)]]], behind: try fixture.recover())
        #expect(try fixture.recover().missing.isEmpty)
        #expect(try fixture.recoverVolume().log.segments.contains { $0.recordCount > 0 }, "it is not all compacted")
    }

    /// Recovers, compacts what is left, and compares.
    private static func expectOnce(_ fixture: CompactionFixture, _ place: String) throws {
        _ = try fixture.recover()
        try fixture.compact()
        let rows = try fixture.publishedRows()
        #expect(rows.count == 3, "\(place): \(rows)")
        #expect(Set(rows).count == 3, "\(place)")
        #expect(try fixture.disk.list(fixture.layout.staging).isEmpty, "\(place): staging is swept")
        #expect(try fixture.plan() == nil, "\(place): the segments are gone")
        #expect(fixture.disk.openFileCount == 0, "\(place)")
    }
}
