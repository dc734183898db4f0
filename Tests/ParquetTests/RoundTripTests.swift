import Parquet
import Testing

/// Random and hostile tables through the writer and back.
struct RoundTripTests {
    private static let schema = Schema(
        root: "Table",
        columns: [
            Column("dictionary", .string, .dictionary), Column("plain", .string, .plain),
            Column("strings", .string, .smallest), Column("time", .timestampMilliseconds, .smallest),
            Column("created", .timestampMilliseconds, .dictionary), Column("delta", .timestampMilliseconds, .delta),
            Column("number", .int64, .plain),
        ])

    /// Equal rows, whatever the representation.
    private static func expectEqual(_ read: ColumnValues, _ written: ColumnValues, _ place: String) {
        if case .int64 = written {
            #expect(read == written, "\(place)")
        } else {
            #expect(read.rows == written.rows, "\(place)")
        }
    }

    private static func check(
        _ schema: Schema, _ options: WriterOptions, _ rowGroups: [[ColumnValues]], _ place: String
    ) throws {
        let file = try written(schema, options, rowGroups, keyValues: [("writer.schema", "test"), ("empty", "")])
        let opened = try ParquetFile(source: MemoryFile(file.bytes))
        #expect(opened.metadata == file.metadata, "\(place)")
        let filled = rowGroups.filter { $0[0].count > 0 }
        try #require(opened.metadata.rowGroups.count == filled.count)
        for (group, columns) in filled.enumerated() {
            for (column, values) in columns.enumerated() {
                let read = try opened.readColumn(rowGroup: group, column: column)
                expectEqual(read, values, "\(place), row group \(group), column \(column)")
            }
        }
        let verified = try ParquetFile.verify(
            MemoryFile(file.bytes), statisticsByteLimit: options.statisticsByteLimit)
        #expect(verified.rows == filled.reduce(0) { $0 + $1[0].count }, "\(place)")
        #expect(verified.content == file.content, "\(place)")
    }

    private static func strings(_ rows: Int, _ random: inout SeededGenerator) -> [[UInt8]] {
        let lengthLimit = [0, 5, 70, 2000][random.upTo(3)]
        let pool = (0...random.upTo(lengthLimit > 100 ? 20 : max(1, rows))).map { _ in random.text(lengthLimit) }
        let runs = random.chance(50)
        var result: [[UInt8]] = []
        while result.count < rows {
            let value = pool[random.upTo(pool.count - 1)]
            result += [[UInt8]](repeating: value, count: min(runs ? 1 + random.upTo(20) : 1, rows - result.count))
        }
        return result
    }

    private static func numbers(_ rows: Int, _ random: inout SeededGenerator) -> [Int64] {
        switch random.upTo(3) {
        case 0: (0..<rows).map { _ in Int64.random(in: Int64.min...Int64.max, using: &random) }
        case 1: (0..<rows).map { 1_782_918_000_000 + Int64($0) * 15_000 }
        case 2: (0..<rows).map { _ in Int64(random.upTo(5)) }
        default: (0..<rows).map { _ in 1_782_918_000_000 + Int64(random.upTo(600_000)) }
        }
    }

    @Test(arguments: 0..<120) func randomTables(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var options = WriterOptions(createdBy: "cirrus version 0.1.0 (build test)")
        options.pageRowLimit = 1 + random.upTo(1000)
        options.pageByteLimit = random.chance(30) ? 64 + random.upTo(4000) : 4 << 20
        options.statisticsByteLimit = random.chance(30) ? 1 + random.upTo(20) : 64
        options.snappyWindow = random.chance(20) ? .libsnappy : .wholePage
        options.bloomFilterColumns = random.chance(50) ? ["dictionary"] : []
        let rowGroups = try (0...random.upTo(2)).map { _ in
            let rows = random.chance(1) ? 5000 : [0, 1, 7, 8, 9, 100, random.upTo(400)][random.upTo(6)]
            return [
                try interned(Self.strings(rows, &random)), .strings(try ByteTable(Self.strings(rows, &random))),
                .strings(try ByteTable(Self.strings(rows, &random))), .int64(Self.numbers(rows, &random)),
                .int64(Self.numbers(rows, &random)), .int64(Self.numbers(rows, &random)),
                .int64(Self.numbers(rows, &random)),
            ]
        }
        try Self.check(Self.schema, options, rowGroups, "seed \(seed)")
    }

    private static let hostile: [(name: String, rows: [[UInt8]])] = {
        func utf8(_ text: String) -> [UInt8] { [UInt8](text.utf8) }
        var random = SeededGenerator(seed: 9)
        return [
            ("empty strings", [[], [], []]),
            ("NUL bytes", [[0], [0, 0], []]),
            ("emoji across the cut", [utf8(String(repeating: "😀", count: 40)), utf8("a😀")]),
            ("no upper bound", [utf8(String(repeating: "\u{10FFFF}", count: 40)), utf8("b")]),
            ("delete characters", [[UInt8](repeating: 0x7F, count: 100)]),
            ("not UTF-8", [[0xFF, 0xFE], [UInt8](repeating: 0xFF, count: 100), [0xC0]]),
            ("1 MB, compressible", [[UInt8](repeating: 0x61, count: 1 << 20), utf8("x")]),
            ("1 MB, random", [(0..<1 << 20).map { _ in UInt8.random(in: 0...255, using: &random) }, []]),
            ("common prefix", (0..<20).map { [UInt8](repeating: 0x70, count: 5000) + utf8("\($0)") }),
            ("values", ["NaN", "+Inf", "-Inf", "-0", "0.1", "1e309"].map(utf8)),
            ("257 entries", (0..<257).map { utf8("\($0)") }), ("256 entries", (0..<256).map { utf8("\($0)") }),
            ("65537 entries", (0..<65_537).map { utf8("\($0)") }),
        ]
    }()

    @Test(arguments: hostile.indices) func hostileStrings(index: Int) throws {
        let (name, rows) = Self.hostile[index]
        let times: [Int64] = rows.indices.map { [CivilTime.range.lowerBound, CivilTime.range.upperBound, 0][$0 % 3] }
        let options = WriterOptions(createdBy: "cirrus version 0.1.0 (build test)")
        let columns: [ColumnValues] = [
            try interned(rows), .strings(try ByteTable(rows)), .strings(try ByteTable(rows)), .int64(times),
            .int64(times), .int64(rows.indices.map { $0 % 2 == 0 ? .min : .max }), .int64(times),
        ]
        try Self.check(Self.schema, options, [columns], name)
    }

    @Test(arguments: [1, 2, 7, 8, 9, 127, 128, 129, 1001]) func pagesOfOneValue(rows: Int) throws {
        var options = WriterOptions(createdBy: "cirrus version 0.1.0 (build test)")
        options.pageRowLimit = 1
        let text = (0..<rows).map { [UInt8]("\($0 / 3)".utf8) }
        let columns: [ColumnValues] = [
            try interned(text), .strings(try ByteTable(text)), .strings(try ByteTable(text)),
            .int64((0..<rows).map { Int64($0) }), .int64([Int64](repeating: 5, count: rows)),
            .int64((0..<rows).map { Int64(-$0) }), .int64([Int64](repeating: .min, count: rows)),
        ]
        try Self.check(Self.schema, options, [columns], "\(rows) rows")
    }

    @Test func thousandRowGroups() throws {
        let schema = Schema(root: "r", columns: [Column("c", .string, .dictionary), Column("t", .int64, .smallest)])
        let rowGroups: [[ColumnValues]] = try (0..<1000).map {
            [try interned([[UInt8]("\($0)".utf8)]), .int64([Int64($0)])]
        }
        try Self.check(schema, WriterOptions(createdBy: "x version 1 (build 1)"), rowGroups, "1000 row groups")
    }

    @Test func noRowsNoRowGroup() throws {
        let options = WriterOptions(createdBy: "x version 1 (build 1)")
        let empty: [ColumnValues] = [
            .dictionary(entries: ByteTable(), indexes: []), .strings(ByteTable()), .strings(ByteTable()), .int64([]),
            .int64([]), .int64([]), .int64([]),
        ]
        for rowGroups in [[], [empty], [empty, empty]] {
            let file = try written(Self.schema, options, rowGroups)
            #expect(file.metadata.rowGroups.isEmpty)
            let verified = try ParquetFile.verify(MemoryFile(file.bytes))
            #expect(verified.rows == 0)
            #expect(verified.content == ContentHash())
        }
    }

    @Test func sameInputSameBytes() throws {
        let text = (0..<3000).map { [UInt8]("value \($0 * 7919 % 1013)".utf8) }
        let schema = Schema(root: "r", columns: [Column("c", .string, .smallest), Column("t", .int64, .smallest)])
        let table: [ColumnValues] = [.strings(try ByteTable(text)), .int64(text.map { Int64($0.count) })]
        let options = WriterOptions(createdBy: "x version 1 (build 1)")
        #expect(try written(schema, options, [table]).bytes == written(schema, options, [table]).bytes)
    }
}

struct ContentHashTests {
    private static func hash(_ values: ColumnValues, column: Int = 0) -> ContentHash {
        var hash = ContentHash()
        hash.add(column: column, values)
        return hash
    }

    @Test func theEncodingDoesNotMatter() throws {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<50 {
            let pool = (0...random.upTo(20)).map { _ in random.text(40) }
            let rows = (0...random.upTo(500)).map { _ in pool[random.upTo(pool.count - 1)] }
            #expect(try Self.hash(interned(rows)) == Self.hash(.strings(ByteTable(rows))))
        }
    }

    @Test func everythingElseDoes() throws {
        let rows = ["a", "a", "b", "", "ab"].map { [UInt8]($0.utf8) }
        let changes: [[[UInt8]]] = [
            Array(rows.dropLast()), Array(rows.reversed()), rows + [[]], [[97, 97], [], [98], [], [97, 98]],
            [rows[0], rows[2], rows[2], rows[3], rows[4]],
        ]
        let original = Self.hash(.strings(try ByteTable(rows)))
        for change in changes { #expect(try Self.hash(.strings(ByteTable(change))) != original) }
        #expect(try Self.hash(.strings(ByteTable(rows)), column: 1) != original)
        #expect(Self.hash(.int64([1, 2])) != Self.hash(.int64([2, 1])))
        #expect(Self.hash(.int64([0])) != Self.hash(.int64([0, 0])))
        var twice = original
        twice.add(column: 0, .strings(try ByteTable(rows)))
        #expect(twice != original)
    }
}
