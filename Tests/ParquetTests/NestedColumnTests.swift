import Bytes
import Parquet
import Testing

/// Optional columns, lists, maps, doubles and booleans through the writer and back.
struct NestedColumnTests {
    private static let schema = Schema(
        root: "Table",
        columns: [
            Column("name", .string, .dictionary), Column("pod", .string, .dictionary, .optional),
            Column("start", .timestampMilliseconds, .smallest, .optional), Column("value", .double, .smallest),
            Column("stale", .boolean, .plain), Column("counts", .int64, .smallest, .list),
            Column("bounds", .double, .smallest, .list),
        ] + Column.map("labels"))
    private static let options = WriterOptions(createdBy: "cirrus version 0.1.0 (build test)")

    private static func texts(_ count: Int, _ random: inout SeededGenerator) throws -> ColumnValues {
        let pool = (0..<max(1, random.upTo(300))).map { [UInt8]("text \($0)".utf8) }
        return try interned((0..<count).map { _ in pool[random.upTo(pool.count - 1)] })
    }

    private static func doubles(_ count: Int, _ random: inout SeededGenerator) -> ColumnValues {
        let hostile: [Double] = [
            .nan, Double(bitPattern: 0x7FF0_0000_0000_0002), 0, -0.0, .infinity, -.infinity, .leastNonzeroMagnitude,
        ]
        let isHostile = random.chance(50)
        return .int64(
            (0..<count).map { _ in
                isHostile ? hostile[random.upTo(hostile.count - 1)].word : (Double(random.upTo(1000)) / 8 - 60).word
            })
    }

    private static func counts(_ rows: Int, upTo limit: Int, _ random: inout SeededGenerator) -> [UInt32] {
        let isEmpty = random.chance(15)
        return (0..<rows).map { _ in isEmpty ? 0 : UInt32(random.upTo(limit)) }
    }

    private static func rowGroup(_ rows: Int, _ random: inout SeededGenerator) throws -> [ColumnValues] {
        func sum(_ counts: [UInt32]) -> Int { Int(counts.reduce(0, +)) }
        let (pods, starts) = (counts(rows, upTo: 1, &random), counts(rows, upTo: 1, &random))
        let (lists, bounds) = (counts(rows, upTo: 5, &random), counts(rows, upTo: 12, &random))
        let labels = counts(rows, upTo: 20, &random)
        return [
            try texts(rows, &random), .nested(counts: pods, try texts(sum(pods), &random)),
            .nested(counts: starts, .int64((0..<sum(starts)).map { 1_782_918_000_000 + Int64($0) })),
            doubles(rows, &random), .int64((0..<rows).map { _ in Int64(random.upTo(1)) }),
            .nested(counts: lists, .int64((0..<sum(lists)).map { _ in Int64(random.upTo(9)) - 4 })),
            .nested(counts: bounds, doubles(sum(bounds), &random)),
            .nested(counts: labels, try texts(sum(labels), &random)),
            .nested(counts: labels, try texts(sum(labels), &random)),
        ]
    }

    @Test(arguments: 0..<60) func randomTables(seed: Int) throws {
        var random = SeededGenerator(seed: UInt64(seed))
        var options = Self.options
        options.pageRowLimit = 1 + random.upTo(500)
        options.pageByteLimit = random.chance(30) ? 64 + random.upTo(4000) : 4 << 20
        let rowGroups = try (0...random.upTo(2)).map { _ in
            try Self.rowGroup([1, 7, 8, 9, random.upTo(600) + 1][random.upTo(4)], &random)
        }
        let file = try written(Self.schema, options, rowGroups)
        let opened = try ParquetFile(source: MemoryFile(file.bytes))
        #expect(opened.metadata == file.metadata)
        for (group, columns) in rowGroups.enumerated() {
            for (column, values) in columns.enumerated() {
                let read = try opened.readColumn(rowGroup: group, column: column)
                let place = "seed \(seed), row group \(group), column \(column)"
                #expect(read.counts == values.counts, "\(place)")
                if case .int64(let numbers) = values.elements {
                    #expect(read.elements == .int64(numbers), "\(place)")
                } else {
                    #expect(read.elements.rows == values.elements.rows, "\(place)")
                }
            }
        }
        let verified = try ParquetFile.verify(MemoryFile(file.bytes))
        #expect(verified.content == file.content)
        #expect(verified.rows == rowGroups.reduce(0) { $0 + $1[0].count })
    }

    @Test func countsAreContent() {
        func hash(_ counts: [UInt32]) -> ContentHash {
            var hash = ContentHash()
            hash.add(column: 0, .nested(counts: counts, .int64([1, 2, 3])))
            return hash
        }
        #expect(hash([1, 2]) != hash([2, 1]))
        #expect(hash([1, 2]) != hash([1, 2, 0]))
    }

    private static func statistics(_ values: [Double]) throws -> Statistics? {
        let schema = Schema(root: "r", columns: [Column("v", .double, .plain)])
        let file = try written(schema, options, [[.int64(values.map(\.word))]])
        return file.metadata.rowGroups[0].columns[0].statistics
    }

    private static func plain(_ value: Double) -> [UInt8] {
        (0..<8).map { UInt8(truncatingIfNeeded: value.bitPattern >> (8 * UInt64($0))) }
    }

    @Test func boundsOfDoubles() throws {
        let zeros = try #require(try Self.statistics([0, .nan, -0.0]))
        #expect(zeros.min == Self.plain(-0.0))
        #expect(zeros.max == Self.plain(0.0))
        #expect(zeros.nanCount == 1)
        let signed = try #require(try Self.statistics([-1, -2, 3, -.infinity]))
        #expect(signed.min == Self.plain(-.infinity))
        #expect(signed.max == Self.plain(3))
        #expect(signed.nanCount == 0)
        let none = try #require(try Self.statistics([.nan, .nan]))
        #expect(none.min == nil && none.max == nil && none.nanCount == 2)
        let infinite = try #require(try Self.statistics([.infinity]))
        #expect(infinite.min == Self.plain(.infinity) && infinite.max == Self.plain(.infinity))
    }

    @Test func nullsAreCounted() throws {
        let schema = Schema(
            root: "r", columns: [Column("o", .string, .dictionary, .optional), Column("l", .int64, .delta, .list)])
        var options = Self.options
        options.pageRowLimit = 2
        let file = try written(
            schema, options,
            [
                [
                    .nested(counts: [0, 0, 1], try interned([[97]])),
                    .nested(counts: [0, 2, 0], .int64([5, 6])),
                ]
            ])
        let columns = file.metadata.rowGroups[0].columns
        #expect(columns.map { $0.statistics?.nullCount } == [2, 2])
        #expect(columns.map(\.valueCount) == [3, 4])
        #expect(columns.map(\.path) == [["o"], ["l", "list", "element"]])
    }

    @Test(arguments: [
        [ColumnValues.nested(counts: [1], .int64([1])), .int64([2])],
        [.int64([1]), .nested(counts: [1], .int64([1]))],
        [.nested(counts: [2], .int64([1, 2])), .nested(counts: [2], .int64([1]))],
        [.nested(counts: [2], .int64([1, 2])), .int64([1])],
    ]) func refusesOtherCounts(_ table: [ColumnValues]) throws {
        let schema = Schema(
            root: "r", columns: [Column("o", .int64, .plain, .optional), Column("l", .int64, .plain, .list)])
        #expect(throws: ParquetError.self) { _ = try written(schema, Self.options, [table]) }
    }

    @Test func refusesHalfAMap() throws {
        for columns in [
            [Column("m", .string, .dictionary, .mapKey)], [Column("m", .string, .dictionary, .mapValue)],
            Array(Column.map("m").reversed()), [Column.map("m")[0], Column.map("n")[1]],
        ] {
            #expect(throws: ParquetError.self) {
                _ = try written(Schema(root: "r", columns: columns), Self.options, [])
            }
        }
        var random = SeededGenerator(seed: 3)
        let two: [ColumnValues] = [
            .nested(counts: [1, 2], try Self.texts(3, &random)), .nested(counts: [2, 1], try Self.texts(3, &random)),
        ]
        #expect(throws: ParquetError.self) {
            _ = try written(Schema(root: "r", columns: Column.map("m")), Self.options, [two])
        }
    }

    /// Every flipped bit of a file of all kinds is noticed, as of flat ones.
    @Test func flippedBits() throws {
        var random = SeededGenerator(seed: 5)
        let file = try written(Self.schema, Self.options, [try Self.rowGroup(40, &random)])
        for bit in 0..<file.bytes.count * 8 {
            var bytes = file.bytes
            bytes[bit / 8] ^= 1 << UInt8(bit % 8)
            #expect(throws: (any Error).self, "bit \(bit)") { _ = try ParquetFile.verify(MemoryFile(bytes)) }
        }
    }
}
