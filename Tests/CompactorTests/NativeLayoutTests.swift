import Bytes
import Compactor
import DiskIO
import Parquet
import Samples
import TestKit
import Testing
import WAL

@Suite("what compaction makes under layout native")
struct NativeLayoutTests {
    static let hour = CompactionFixture.hour
    static let stale = Double(bitPattern: 0x7FF0_0000_0000_0002)
    /// `count_int` 3, `sum` 1.5, one positive span of two buckets with 1 and 2 in them.
    private static let histogram: [UInt8] = [
        0x08, 3, 0x19, 0, 0, 0, 0, 0, 0, 0xF8, 0x3F, 0x5A, 4, 0x08, 0, 0x10, 2, 0x62, 2, 2, 2,
    ]

    private static func fixture(_ promotedLabels: [String] = ["pod", "node"]) throws -> CompactionFixture {
        var fixture = try CompactionFixture()
        fixture.tables = .native
        fixture.promotedLabels = promotedLabels
        return fixture
    }

    private static func sample(_ labels: [String], _ second: Int64, _ value: Double, start: Int64 = 0) -> TestSample {
        TestSample(labels: labels, timestamp: hour + second * 1000, value: value, start: start)
    }

    /// A histogram and an exemplar of the first sample's series, and a family's metadata.
    static func addOthers(_ encoder: inout BatchEncoder, _ references: [UInt32]) {
        guard let reference = references.first else { return }
        encoder.addHistogram(reference, timestamp: hour + 7, from: .v2, message: histogram.span.bytes)
        let (name, text) = (Array("trace".utf8), Array("t1".utf8))
        let key = Hash128(of: text.span.bytes, seed: 7)
        let label = encoder.findLabel(key) ?? encoder.addLabel(key, name: name.span.bytes, value: text.span.bytes)
        encoder.addExemplar(reference, timestamp: hour + 8, value: (-0.0).bitPattern, labels: [label])
        let help = Array("what it says".utf8)
        encoder.addMetadata(
            Hash128(low: 1, high: 1), type: 2, family: name.span.bytes, help: help.span.bytes, unit: text.span.bytes)
    }

    /// The cells of each column of the files of a kind, as texts: nothing for an absent value, lists in brackets.
    static func columns(_ fixture: CompactionFixture, _ kind: String) throws -> [String: [String]] {
        var columns: [String: [String]] = [:]
        for name in try fixture.disk.list(fixture.layout.outbox).sorted() where name.hasPrefix("\(kind)_") {
            let file = try ParquetFile(source: try StoredFile("\(fixture.layout.outbox)/\(name)", in: fixture.disk))
            for group in file.metadata.rowGroups.indices {
                for (index, column) in file.metadata.columns.enumerated() {
                    let column = try #require(column)
                    let cells = cells(try file.readColumn(rowGroup: group, column: index), column)
                    columns[file.metadata.leafName(index), default: []] += cells
                }
            }
        }
        return columns
    }

    private static func cells(_ values: ColumnValues, _ column: Column) -> [String] {
        switch values {
        case .dictionary(let entries, let indexes):
            return indexes.map { String(decoding: entries.string(Int($0)), as: UTF8.self) }
        case .strings(let table): return (0..<table.count).map { String(decoding: table.string($0), as: UTF8.self) }
        case .int64(let words):
            return words.map { column.kind == .double ? "\(String(Double(word: $0).bitPattern, radix: 16))" : "\($0)" }
        case .nested(let counts, let elements):
            let all = cells(elements, column)
            var next = 0
            return counts.map { count in
                defer { next += Int(count) }
                let own = all[next..<next + Int(count)].joined(separator: ",")
                return column.repetition == .optional ? own : "[\(own)]"
            }
        }
    }

    @Test func samples() throws {
        let fixture = try Self.fixture()
        let labels = ["__name__", "up", "job", "j", "node", "", "pod", "p"]
        try fixture.write([
            [
                [
                    Self.sample(labels, 2, Self.stale), Self.sample(labels, 1, -0.0, start: 5),
                    Self.sample(["__name__", "cpu"], 3, .nan, start: .max),
                ]
            ]
        ])
        let report = try #require(try fixture.compact())
        #expect(report.rows("written") == 3)
        let columns = try Self.columns(fixture, "metrics")
        #expect(columns["metric_name"] == ["cpu", "up", "up"])
        #expect(columns["timestamp"] == [3, 1, 2].map { "\(Self.hour + Int64($0) * 1000)" })
        #expect(columns["value"] == [Double.nan, -0.0, Self.stale].map { String($0.bitPattern, radix: 16) })
        #expect(columns["is_stale"] == ["0", "0", "1"])
        #expect(columns["start_timestamp"] == ["", "5", ""], "of a year that readers refuse there is none")
        #expect(columns["pod"] == ["", "p", "p"])
        #expect(columns["labels.key"] == ["[]", "[job]", "[job]"], "neither the name nor what has a column")
        #expect(columns["labels.value"] == ["[]", "[j]", "[j]"])
        let text = Array("__name__".utf8) + [0xFF] + Array("cpu".utf8) + [0xFF]
        #expect(columns["series_hash"]?.first == "\(Int64(bitPattern: xxh64(text.span.bytes)))")
        #expect(Set(columns["series_hash"] ?? []).count == 2)
        let name = try #require(report.files.first).name
        let file = try ParquetFile(source: try StoredFile("\(fixture.layout.outbox)/\(name)", in: fixture.disk))
        #expect(file.metadata["writer.schema"] == "native-samples-v1")
        let nulls = file.metadata.rowGroups[0].columns.map { $0.statistics?.nullCount }
        #expect(nulls == [0, 0, 0, 0, 2, 0, 1, 1, 1, 1], "an empty label is no absent one")
    }

    @Test("repeated samples keep the start of the first, in any order of arrival")
    func startsMoveWithTheirRows() throws {
        let fixture = try Self.fixture()
        let labels = ["__name__", "up"]
        try fixture.write([
            [
                [
                    Self.sample(labels, 9, 9, start: 9), Self.sample(labels, 3, 3, start: 3),
                    Self.sample(labels, 5, 5), Self.sample(labels, 3, 3, start: 4), Self.sample(labels, 1, 1, start: 1),
                ], [Self.sample(["__name__", "z"], 0, 0, start: 77)],
            ]
        ])
        try fixture.compact()
        #expect(try Self.columns(fixture, "metrics")["start_timestamp"] == ["1", "3", "", "9", "77"])
    }

    @Test func filteredLabelsAreInNoColumn() throws {
        let fixture = try Self.fixture()
        let labels = ["__name__", "up", "job", "j", "node", "n", "pod", "p"]
        try fixture.write([[[Self.sample(labels, 1, 1)]]], addOthers: Self.addOthers)
        var options = fixture.options
        options.labelFilters[.cost] = { name in
            let bytes = [UInt8](name)
            return bytes != Array("pod".utf8) && bytes != Array("job".utf8)
        }
        let plan = try #require(try fixture.plan())
        _ = try Compaction(options, volume: CompactionFixture.volume, layout: fixture.layout, in: fixture.disk)
            .run(plan)
        for kind in ["metrics", "histograms", "exemplars"] {
            let columns = try Self.columns(fixture, kind)
            #expect(columns["pod"] == [""] && columns["node"] == ["n"] && columns["labels.key"] == ["[]"], "\(kind)")
        }
    }

    @Test("histograms, exemplars and metadata have files of their own, equal ones are there once")
    func others() throws {
        let fixture = try Self.fixture()
        let labels = ["__name__", "up", "job", "j", "node", "n"]
        let segment = [[Self.sample(labels, 1, 1)], [Self.sample(labels, 2, 1)]]
        try fixture.write([segment, segment], streams: [.cost, .observability], addOthers: Self.addOthers)
        let report = try #require(try fixture.compact())
        #expect(report.rows("others") == 4 + 4 + 2 && report.rows("others_kept") == 0)
        let kinds = report.files.compactMap { ReferenceID($0.name)?.kind }
        #expect(kinds == [.metrics, .observability, .histograms, .exemplars, .metadata])
        #expect(report.files.map(\.rows) == [2, 2, 1, 1, 1])
        let histograms = try Self.columns(fixture, "histograms")
        #expect(histograms["count"] == ["3"] && histograms["count_float"] == [""])
        #expect(histograms["positive_counts"] == ["[1,2]"] && histograms["positive_span_lengths"] == ["[2]"])
        #expect(histograms["node"] == ["n"] && histograms["labels.key"] == ["[job]"])
        let exemplars = try Self.columns(fixture, "exemplars")
        #expect(exemplars["value"] == ["8000000000000000"] && exemplars["exemplar_labels.value"] == ["[t1]"])
        let metadata = try Self.columns(fixture, "metadata")
        #expect(metadata["type"] == ["gauge"] && metadata["unit"] == ["t1"] && metadata["help"] == ["what it says"])
        #expect(metadata["timestamp"] == ["\(Self.hour)"])
        #expect(try !fixture.disk.list(fixture.layout.wal).contains { $0.hasSuffix(".kept") })
    }

    @Test("a segment with a message that nobody can read is kept")
    func unreadable() throws {
        let fixture = try Self.fixture()
        try fixture.write([[[Self.sample(["__name__", "up"], 1, 1)]]]) { encoder, references in
            encoder.addHistogram(references[0], timestamp: Self.hour, from: .v1, message: [0x08].span.bytes)
            encoder.addHistogram(references[0], timestamp: Self.hour, from: .v1, message: Self.histogram.span.bytes)
            encoder.addExemplar(references[0], timestamp: .max, value: 0, labels: [])
            // More buckets than intake takes: decoded it would be a hundred megabytes.
            let zeros = [UInt8](repeating: 0, count: 65_537)
            encoder.addHistogram(
                references[0], timestamp: Self.hour, from: .v1, message: ([0x62, 0x81, 0x80, 0x04] + zeros).span.bytes)
        }
        let report = try #require(try fixture.compact())
        #expect(report.rows("others") == 1 && report.rows("others_kept") == 3)
        #expect(try fixture.disk.list(fixture.layout.wal).contains { $0.hasSuffix(".kept") })
    }

    @Test("more label values than a row group takes are cut into several")
    func rowGroupsAreCut() throws {
        let fixture = try Self.fixture([])
        let labels = ["__name__", "up"] + (0..<60).flatMap { ["l\($0 + 10)", "v"] }
        let batches = (0..<80).map { batch in
            (0..<1000).map { Self.sample(labels, 0, 1).moved(by: Int64(batch * 1000 + $0)) }
        }
        try fixture.write([batches])
        let report = try #require(try fixture.compact())
        let name = try #require(report.files.first).name
        let file = try ParquetFile(source: try StoredFile("\(fixture.layout.outbox)/\(name)", in: fixture.disk))
        #expect(file.metadata.rowGroups.map(\.rowCount).reduce(0, +) == 80_000)
        #expect(file.metadata.rowGroups.count == 2)
    }

    private static func prepared() throws -> CompactionFixture {
        let fixture = try fixture()
        try fixture.write(
            [
                [[sample(["__name__", "up", "pod", "a"], 1, 1), sample(["__name__", "up", "pod", "b"], 3601, 1)]],
                [[sample(["__name__", "cpu"], 2, 2)]],
            ], addOthers: addOthers)
        return fixture
    }

    @Test("each row is published exactly once, whenever the power goes", arguments: Crash.fixed)
    func powerCut(survival: Crash) throws {
        let whole = try Self.prepared()
        let first = whole.disk.operationCount
        try whole.compact()
        let wanted = try whole.disk.list(whole.layout.outbox)
        #expect(wanted.count == 5)
        for operation in first...whole.disk.operationCount {
            let fixture = try Self.prepared()
            fixture.disk.cutPower(before: operation)
            _ = try? fixture.compact()
            fixture.disk.restart(survival)
            _ = try fixture.recover()
            try fixture.compact()
            // A name holds the hash of its file: the same files, nothing beside them.
            #expect(try fixture.disk.list(fixture.layout.outbox) == wanted, "cut before operation \(operation)")
            #expect(try fixture.disk.list(fixture.layout.staging).isEmpty && fixture.disk.openFileCount == 0)
        }
    }
}

extension TestSample {
    fileprivate func moved(by milliseconds: Int64) -> TestSample {
        TestSample(labels: labels, timestamp: timestamp + milliseconds, value: value)
    }
}
