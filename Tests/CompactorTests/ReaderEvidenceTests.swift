import Compactor
import DiskIO
import Foundation
import Parquet
import TestKit
import Testing
import WAL

/// Logs that try to break files, each with the files that compaction makes of it, for readers that are not ours
/// (Tests/Independent/parquet_readers.py). Written to the directory that `CIRRUS_EVIDENCE` names; without it only our
/// own reader counts the rows.
@Suite("hostile logs become files that others read")
struct ReaderEvidenceTests {
    private static let hour = CompactionFixture.hour

    private static func sample(_ labels: [String], _ milliseconds: Int64, _ value: Double) -> TestSample {
        TestSample(labels: labels, timestamp: milliseconds, value: value)
    }

    /// One sample of each label set, all at one time.
    private static func eachOf(_ sets: [[String]]) -> [TestSample] { sets.map { sample($0, hour, 1) } }

    private static func named(_ value: String) -> [String] { ["__name__", "m", "text", value] }

    private static let texts: [(name: String, samples: [TestSample])] = [
        ("empty-strings", eachOf([["__name__", ""], ["__name__", "", "node", ""], ["a", ""], []])),
        ("nul-bytes", eachOf([named("\0"), named("a\0b"), ["__name__", "\0", "node", "\0\0"]])),
        ("replaced-utf8", eachOf([named("\u{FFFD}"), ["__name__", "\u{FFFD}\u{FFFD}", "node", "\u{FFFD}"]])),
        ("controls-and-escapes", eachOf((0..<0x80).map { named(String(UnicodeScalar(UInt8($0)))) })),
        ("separators", eachOf([named("\u{2028}\u{2029}\u{2027}\u{202A}"), named("</script>&amp;"), named("\\\"/")])),
        ("emoji-across-the-cut", eachOf((0..<4).map { named(String(repeating: "a", count: $0) + emoji) })),
        ("emoji-metric", eachOf((0..<4).map { ["__name__", String(repeating: "a", count: $0) + emoji] })),
        ("no-upper-bound", eachOf([["__name__", String(repeating: "\u{10FFFF}", count: 40)], ["__name__", "b"]])),
        ("delete-characters", eachOf([["__name__", String(repeating: "\u{7F}", count: 100)]])),
        ("common-prefix", eachOf((0..<20).map { named(String(repeating: "p", count: 5000) + "\($0)") })),
        (
            "mebibyte-labels",
            eachOf([named(String(repeating: "x", count: 1 << 20)), named(noise(1 << 20)), named("y")])
        ),
    ]
    private static let emoji = String(repeating: "😀", count: 40)

    /// Text that does not compress.
    private static func noise(_ count: Int) -> String {
        var random = SeededGenerator(seed: 1)
        return String(decoding: (0..<count).map { _ in UInt8.random(in: 0x21...0x7E, using: &random) }, as: UTF8.self)
    }

    private static let values: [Double] = [
        .nan, Double(bitPattern: 0x7FF0_0000_0000_0002), .infinity, -.infinity, 0, -0.0, .leastNonzeroMagnitude,
        -.leastNonzeroMagnitude,
        .greatestFiniteMagnitude, -.greatestFiniteMagnitude, .leastNormalMagnitude, 0.1, 1e21, 1.5e-7, 1e15,
        9_007_199_254_740_994, -9_007_199_254_740_991, .pi,
    ]
    private static let times: [Int64] = [CivilTime.range.lowerBound, CivilTime.range.upperBound, -1, 0, 1, hour]

    private static let numbers: [(name: String, samples: [TestSample])] = [
        ("values", values.indices.map { sample(["__name__", "v"], hour + Int64($0), values[$0]) }),
        ("years", times.map { sample(["__name__", "t"], $0, 1) }),
        ("one-row", [sample(["__name__", "up"], hour, 1)]),
        ("one-series", (0..<5000).map { sample(["__name__", "up", "node", "n"], hour + Int64($0) * 15, Double($0)) }),
        ("same-time", [1, 2, 1, 3, 2].map { sample(["__name__", "up"], hour, $0) }),
        (
            "many-series",
            (0..<20_000).map { sample(["__name__", "m\($0 % 60)", "pod", "p\($0)"], hour, Double($0) / 8) }
        ),
        ("eight-rows", (0..<8).map { sample(["__name__", "m\($0)"], hour, 0) }),
        ("nine-rows", (0..<9).map { sample(["__name__", "m\($0 / 9)"], hour + Int64($0), 0) }),
        ("256-entries", (0..<256).map { sample(["__name__", "m\($0)"], hour, Double($0)) }),
        ("257-entries", (0..<257).map { sample(["__name__", "m\($0)"], hour, Double($0)) }),
    ]

    private static let layouts: [TableLayout] = [.cloudzero, .native]

    @Test(arguments: 0..<texts.count, layouts) func text(index: Int, layout: TableLayout) throws {
        try Self.check(Self.texts[index].name, Self.texts[index].samples, layout: layout)
    }

    @Test(arguments: 0..<numbers.count, layouts) func number(index: Int, layout: TableLayout) throws {
        try Self.check(Self.numbers[index].name, Self.numbers[index].samples, layout: layout)
    }

    /// Pages without a single value of a column, and pages of NaN alone, over two row groups.
    @Test func nullPages() throws {
        let rows = (0..<300_000).map { row in
            let isEarly = row < 150_000
            let labels = isEarly ? ["__name__", "m0"] : ["__name__", "m1", "pod", "p"]
            let start = isEarly ? 0 : Self.hour - 1
            return TestSample(
                labels: labels + ["series", "\(row % 100)"], timestamp: Self.hour + Int64(row),
                value: isEarly ? .nan : Double(row), start: start)
        }
        try Self.check("null-pages", rows, batchRows: 10_000, layout: .native)
    }

    /// More rows than a row group has, and files of 100,000.
    @Test func severalRowGroupsAndFiles() throws {
        let rows = (0..<300_000).map {
            Self.sample(["__name__", "m\($0 % 3)", "pod", "p\($0 % 500)"], Self.hour + Int64($0), Double($0 % 1000))
        }
        try Self.check("several-row-groups", rows, batchRows: 10_000)
        try Self.check("several-files", rows, batchRows: 10_000, rowsPerFile: 100_000)
        // One row group, and pages as long as it.
        try Self.check("compact-profile", rows, batchRows: 10_000, profile: .compact)
    }

    private static func check(
        _ name: String, _ samples: [TestSample], batchRows: Int = 2000, rowsPerFile: Int = 1_000_000,
        profile: WriterProfile = .compat, layout: TableLayout = .cloudzero
    ) throws {
        var fixture = try CompactionFixture()
        fixture.tables = layout
        fixture.promotedLabels = ["node", "pod"]
        let batches = stride(from: 0, to: samples.count, by: batchRows).map {
            Array(samples[$0..<min(samples.count, $0 + batchRows)])
        }
        try fixture.write([batches])
        let log = try fixture.disk.list(fixture.layout.wal)
            .map { ($0, fixture.disk.bytes("\(fixture.layout.wal)/\($0)")) }
        var options = fixture.options
        options.rowsPerFile = rowsPerFile
        options.profile = profile
        let plan = try #require(try fixture.plan())
        let report = try Compaction(options, volume: CompactionFixture.volume, layout: fixture.layout, in: fixture.disk)
            .run(plan)
        #expect(report.rows("written") + report.rows("deduplicated") == samples.count)
        guard let evidence = ProcessInfo.processInfo.environment["CIRRUS_EVIDENCE"] else { return }
        let folder = "\(evidence)/\(layout == .native ? "native" : "parquet")/\(name)"
        try FileManager.default.createDirectory(atPath: "\(folder)/wal", withIntermediateDirectories: true)
        for (name, bytes) in log where name.hasSuffix(".wal") {
            try Data(try #require(bytes)).write(to: URL(filePath: "\(folder)/wal/\(name)"))
        }
        for file in report.files {
            let bytes = try #require(fixture.disk.bytes("\(fixture.layout.outbox)/\(file.name)"))
            try Data(bytes).write(to: URL(filePath: "\(folder)/\(file.name)"))
        }
        let rows = report.files.map { "[\"\($0.name)\", \($0.rows)]" }.joined(separator: ", ")
        try Data("[\(rows)]".utf8).write(to: URL(filePath: "\(folder)/rows.json"))
    }
}
