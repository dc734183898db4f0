import Parquet
import Testing

/// Takes so many writes, then fails.
private struct FailingSink: ByteSink {
    struct Full: Error {}
    var writesLeft: Int
    var bytes: [UInt8] = []

    mutating func write(_ more: [UInt8]) throws {
        guard writesLeft > 0 else { throw Full() }
        writesLeft -= 1
        bytes += more
    }
}

struct WriterTests {
    private static let schema = Schema(
        root: "r", columns: [Column("name", .string, .dictionary), Column("time", .timestampMilliseconds, .smallest)])
    private static let options = WriterOptions(createdBy: "x version 1 (build 1)")

    private static func names(_ indexes: [UInt32]) throws -> ColumnValues {
        .dictionary(entries: try ByteTable([[97], [98]]), indexes: indexes)
    }

    private static func reason(_ rowGroup: [ColumnValues]) throws -> ParquetError.Reason? {
        var writer = try ParquetWriter(schema: schema, options: options, sink: MemoryFile())
        do {
            try writer.write(rowGroup: rowGroup)
            return nil
        } catch let error as ParquetError {
            // The writer is spent: the sink may hold half a row group.
            #expect(throws: ParquetError(.writerFailed)) { try writer.write(rowGroup: rowGroup) }
            #expect(throws: ParquetError(.writerFailed)) { _ = try writer.finish(keyValues: []) }
            return error.reason
        }
    }

    @Test func refusesTablesThatCannotBe() throws {
        #expect(try Self.reason([Self.names([0, 1]), .int64([1, 2])]) == nil)
        let bad: [(String, [ColumnValues])] = [
            ("a column is missing", [try Self.names([0, 1])]),
            ("unequal rows", [try Self.names([0, 1]), .int64([1])]),
            ("numbers for strings", [.int64([1, 2]), .int64([1, 2])]),
            ("strings for numbers", [try Self.names([0, 1]), .strings(try ByteTable([[1], [2]]))]),
            ("index without entry", [try Self.names([0, 2]), .int64([1, 2])]),
            ("entry without row", [try Self.names([0, 0]), .int64([1, 2])]),
        ]
        for (name, rowGroup) in bad {
            guard case .invalidTable = try Self.reason(rowGroup) else {
                Issue.record("\(name) was taken")
                continue
            }
        }
    }

    @Test func refusesOptionsThatCannotBe() {
        var sorting = Self.options
        sorting.sortingColumns = [WriterOptions.SortingColumn(column: 2)]
        var bloom = Self.options
        bloom.bloomFilterColumns = ["nobody"]
        for options in [sorting, bloom] {
            #expect(throws: ParquetError.self) {
                _ = try ParquetWriter(schema: Self.schema, options: options, sink: MemoryFile())
            }
        }
    }

    @Test func refusesADictionaryThatReadersRefuse() throws {
        let entry = [UInt8](repeating: 1, count: WriterProfile.compat.dictionaryByteLimit / 2)
        let table: ColumnValues = .dictionary(entries: try ByteTable([entry, entry + [2]]), indexes: [0, 1])
        guard case .tooLarge = try Self.reason([table, .int64([1, 2])]) else {
            Issue.record("a dictionary over the limit was taken")
            return
        }
    }

    /// A failure of any write reaches the caller, and what was written is never a file.
    @Test(arguments: 0..<7) func sinkFailures(writes: Int) throws {
        let rowGroup: [ColumnValues] = [try Self.names([0, 1, 1]), .int64([1, 2, 3])]
        let sink = FailingSink(writesLeft: writes)
        func writeAll() throws -> FailingSink {
            var writer = try ParquetWriter(schema: Self.schema, options: Self.options, sink: sink)
            try writer.write(rowGroup: rowGroup)
            try writer.write(rowGroup: rowGroup)
            return try writer.finish(keyValues: []).sink
        }
        // Magic, two columns twice, the rest: six writes.
        if writes < 6 {
            #expect(throws: FailingSink.Full.self) { try writeAll() }
        } else {
            #expect(try ParquetFile.verify(MemoryFile(try writeAll().bytes)).rows == 6)
        }
    }

    @Test func pagesEndAtTheSameRow() throws {
        let schema = Schema(root: "r", columns: [Column("a", .string, .plain), Column("b", .string, .plain)])
        var options = Self.options
        options.pageByteLimit = 1000
        options.pageRowLimit = 50
        let wide = (0..<120).map { [UInt8](repeating: 1, count: $0 < 60 ? 100 : 3) }
        let narrow = (0..<120).map { _ in [UInt8]([1, 2]) }
        let file = try written(schema, options, [[.strings(try ByteTable(wide)), .strings(try ByteTable(narrow))]])
        // verify wants equal page ends; wide rows of 104 bytes fit nine to a page, narrow ones fifty.
        #expect(try ParquetFile.verify(MemoryFile(file.bytes)).rows == 120)
        let pages = file.metadata.rowGroups[0].columns.map { $0.encodingCounts[0].count }
        #expect(pages == [8, 8])
        var huge = Self.options
        huge.pageByteLimit = 10
        #expect(
            try written(schema, huge, [[.strings(try ByteTable(wide)), .strings(try ByteTable(narrow))]])
                .metadata.rowGroups[0].columns[0].encodingCounts[0].count == 120)
    }

    @Test func choosesTheSmallerEncoding() throws {
        let schema = Schema(
            root: "r", columns: [Column("s", .string, .smallest), Column("t", .timestampMilliseconds, .smallest)])
        var random = SeededGenerator(seed: 5)
        func encodings(_ strings: [[UInt8]], _ numbers: [Int64]) throws -> [[Encoding]] {
            let file = try written(schema, Self.options, [[.strings(try ByteTable(strings)), .int64(numbers)]])
            return file.metadata.rowGroups[0].columns.map(\.encodings)
        }
        let distinct = (0..<2000).map { _ in (0..<12).map { _ in UInt8.random(in: 0...255, using: &random) } }
        let few = (0..<2000).map { _ in distinct[random.upTo(20)] }
        #expect(
            try encodings(distinct, (0..<2000).map { Int64($0) * 1000 }) == [[.plain], [.deltaBinaryPacked]])
        let times = (0..<30).map { _ in Int64.random(in: 0..<1 << 40, using: &random) }
        #expect(
            try encodings(few, (0..<2000).map { _ in times[random.upTo(29)] })
                == [[.plain, .rleDictionary], [.plain, .rleDictionary]])
    }

    @Test(arguments: 0..<40) func internedOrNotTheSameFile(seed: Int) throws {
        let schema = Schema(
            root: "r",
            columns: [
                Column("s", .string, .smallest), Column("p", .string, .plain), Column("d", .string, .dictionary),
            ])
        var random = SeededGenerator(seed: UInt64(seed))
        var options = Self.options
        options.pageRowLimit = 1 + random.upTo(300)
        options.pageByteLimit = 64 + random.upTo(4000)
        let texts = (0..<1 + random.upTo(200)).map { index in
            [UInt8]("\(index)".utf8) + (0..<random.upTo([3, 11, 12, 13, 40][random.upTo(4)])).map { UInt8($0) }
        }
        let rows = (0..<1 + random.upTo(1000)).map { _ in texts[random.upTo(texts.count - 1)] }
        let plain = ColumnValues.strings(try ByteTable(rows))
        let file = try written(schema, options, [[plain, plain, try interned(rows)]])
        let same = try written(schema, options, [[try interned(rows), try interned(rows), try interned(rows)]])
        #expect(file.bytes == same.bytes)
    }

    /// Whichever of the two was tried first, with pages behind the one where the other ends.
    @Test func smallestIsTheSmallerOfBoth() throws {
        let policies: [Column.EncodingPolicy] = [.smallest, .plain, .dictionary]
        let schema = Schema(root: "r", columns: policies.map { Column("\($0)", .string, $0) })
        var seen: Set<[Bool]> = []
        for seed in UInt64(0)..<40 {
            var random = SeededGenerator(seed: seed)
            var options = Self.options
            options.pageRowLimit = 1 + random.upTo(300)
            let entryCount = [3, 30, 240, 300, 600][random.upTo(4)]
            let length = [0, 30, 300][random.upTo(2)]
            let texts = (0..<entryCount).map { index in
                [UInt8]("\(index)".utf8)
                    + (0..<random.upTo(length)).map { _ in UInt8.random(in: 0...255, using: &random) }
            }
            // Equal strings side by side: Snappy needs no dictionary.
            let areSorted = random.upTo(1) == 0
            let rows = (0..<1000).map { texts[areSorted ? $0 * entryCount / 1000 : random.upTo(entryCount - 1)] }
            let column = ColumnValues.strings(try ByteTable(rows))
            let file = try written(schema, options, [policies.map { _ in column }])
            let bytes = file.metadata.rowGroups[0].columns.map(\.compressedByteCount)
            #expect(bytes[0] == min(bytes[1], bytes[2]), "seed \(seed)")
            seen.insert([Set(rows).count <= rows.count / 4, bytes[1] < bytes[2]])
        }
        #expect(seen.count == 4, "likely and unlikely, chosen and not")
    }

    @Test func dictionaryOfTimesIsTriedUpToAQuarterOfTheRows() throws {
        let schema = Schema(root: "r", columns: [Column("t", .timestampMilliseconds, .smallest)])
        func encoding(of distinct: Int) throws -> [Encoding] {
            // Deltas of 50 bits: a dictionary would be the smaller.
            var random = SeededGenerator(seed: 3)
            let values = (0..<distinct).map { _ in Int64.random(in: 0..<1 << 50, using: &random) }
            let rows = values + (distinct..<8000).map { _ in values[random.upTo(distinct - 1)] }
            return try written(schema, Self.options, [[.int64(rows)]]).metadata.rowGroups[0].columns[0].encodings
        }
        #expect(try encoding(of: 1024) == [.plain, .rleDictionary])
        #expect(try encoding(of: 2000) == [.plain, .rleDictionary])
        #expect(try encoding(of: 2001) == [.deltaBinaryPacked])
    }

    @Test func cloudzeroSchema() throws {
        let names = [
            "cluster_name", "cloud_account_id", "year", "month", "day", "hour", "metric_name", "node_name",
            "created_at",
            "timestamp", "labels", "value",
        ]
        let file = try written(.cloudzero, Self.options, [])
        #expect(file.metadata.schema[0] == SchemaElement(name: "ParquetMetric", childCount: 12))
        #expect(file.metadata.leaves.map(\.name) == names)
        for leaf in file.metadata.leaves {
            let isTime = leaf.name == "created_at" || leaf.name == "timestamp"
            #expect(leaf.repetition == 0)
            #expect(leaf.type == (isTime ? .int64 : .byteArray))
            #expect(leaf.convertedType == (isTime ? 9 : 0))
            #expect(leaf.logicalType == (isTime ? .timestamp(.milliseconds, adjustedToUTC: true) : .string))
        }
    }

    @Test func statisticsOfAChunk() throws {
        let file = try written(Self.schema, Self.options, [[try Self.names([1, 0]), .int64([-1, 1])]])
        let columns = file.metadata.rowGroups[0].columns
        #expect(
            columns[0].statistics
                == Statistics(nullCount: 0, max: [98], min: [97], isMaxExact: true, isMinExact: true))
        #expect(columns[1].statistics?.min == [UInt8](repeating: 0xFF, count: 8))
        #expect(columns[1].statistics?.max == [1, 0, 0, 0, 0, 0, 0, 0])
        #expect(columns[0].stringByteCount == 2)
        #expect(columns[1].stringByteCount == nil)
    }
}
