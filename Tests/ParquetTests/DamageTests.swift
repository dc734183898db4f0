import Parquet
import Testing

/// Damaged and foreign bytes: noticed, and never a trap.
struct DamageTests {
    /// Two row groups of all three encodings, several pages, indexes and bloom filter: 1.5 kB.
    private static func sample() throws -> [UInt8] {
        let schema = Schema(
            root: "RootName",
            columns: [
                Column("metric", .string, .dictionary), Column("value", .string, .plain),
                Column("time", .timestampMilliseconds, .delta),
            ])
        var options = WriterOptions(
            createdBy: "cirrus version 1 (build 2)",
            sortingColumns: [WriterOptions.SortingColumn(column: 0), WriterOptions.SortingColumn(column: 2)])
        options.pageRowLimit = 13
        options.bloomFilterColumns = ["metric"]
        let rowGroups: [[ColumnValues]] = try (0..<2).map { group in
            let rows = group == 0 ? 20 : 3
            return [
                try interned((0..<rows).map { [UInt8]("metric_\(group)_\($0 / 6)".utf8) }),
                .strings(try ByteTable((0..<rows).map { [UInt8]("\(Double($0) * 1.5)".utf8) })),
                .int64((0..<rows).map { 1_782_918_000_000 + Int64($0 % 10) * 15_000 }),
            ]
        }
        return try written(schema, options, rowGroups, keyValues: [("someKey", "someValue")]).bytes
    }

    @Test func verifiesWhole() throws {
        let file = try Self.sample()
        #expect(try ParquetFile.verify(MemoryFile(file)).rows == 23)
    }

    @Test(arguments: 0..<8) func everyFlippedBitIsNoticed(bit: Int) throws {
        let file = try Self.sample()
        var unnoticed: [Int] = []
        for offset in file.indices {
            var damaged = file
            damaged[offset] ^= 1 << UInt8(bit)
            do {
                _ = try ParquetFile.verify(MemoryFile(damaged))
                unnoticed.append(offset)
            } catch is ParquetError {}
        }
        #expect(unnoticed == [])
    }

    @Test func everyCutIsNoticed() throws {
        let file = try Self.sample()
        for length in 0..<file.count {
            #expect(throws: ParquetError.self, "\(length) bytes") {
                try ParquetFile.verify(MemoryFile([UInt8](file[..<length])))
            }
        }
        #expect(throws: ParquetError.self) { try ParquetFile.verify(MemoryFile(file + [0])) }
    }

    /// Several bytes at once, within a footer that still has its length: structures that no writer makes.
    @Test(arguments: 0..<20) func scribbledFilesDoNotTrap(seed: Int) throws {
        let file = try Self.sample()
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<150 {
            var damaged = file
            for _ in 0...random.upTo(5) {
                damaged[random.upTo(file.count - 9)] = UInt8.random(in: 0...255, using: &random)
            }
            Self.readEverything(damaged)
        }
    }

    @Test(arguments: 0..<20) func garbageDoesNotTrap(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        for _ in 0..<500 {
            let footer = (0...random.upTo(200)).map { _ in
                UInt8.random(in: 0...(random.chance(50) ? 0x2C : 0xFF), using: &random)
            }
            let length = UInt32(footer.count)
            let tail = (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) }
            Self.readEverything([UInt8]("PAR1".utf8) + footer + footer + tail + [UInt8]("PAR1".utf8))
            Self.readEverything(footer)
        }
    }

    /// All that a reader can be asked; errors are the expected end.
    private static func readEverything(_ bytes: [UInt8]) {
        do {
            _ = try ParquetFile.verify(MemoryFile(bytes))
        } catch is ParquetError {
        } catch {
            Issue.record(error)
        }
        do {
            let file = try ParquetFile(source: MemoryFile(bytes))
            for (index, rowGroup) in file.metadata.rowGroups.enumerated() {
                for column in rowGroup.columns.indices {
                    do {
                        _ = try file.readColumn(rowGroup: index, column: column)
                    } catch is ParquetError {}
                }
            }
        } catch is ParquetError {
        } catch {
            Issue.record(error)
        }
    }

    @Test func footersThatLie() throws {
        let golden = [UInt8]("PAR1".utf8)
        for length in [0, 1, 0x7FFF_FFFF, 0xFFFF_FFFF] as [UInt32] {
            let tail = (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) }
            #expect(throws: ParquetError.self) { try ParquetFile(source: MemoryFile(golden + tail + golden)) }
        }
        // Structures nested without end, and a list that claims 2^60 elements.
        let nested = [UInt8](repeating: 0x1C, count: 5000)
        let endless = [0x29, 0xFC] + [UInt8](repeating: 0xFF, count: 8) + [0x0F]
        for footer in [nested, endless] {
            let length = UInt32(footer.count)
            let tail = (0..<4).map { UInt8(truncatingIfNeeded: length >> UInt32(8 * $0)) }
            #expect(throws: ParquetError.self) { try ParquetFile(source: MemoryFile(golden + footer + tail + golden)) }
        }
    }

    @Test func messagesSayWhere() throws {
        var file = try Self.sample()
        let page = try ParquetFile(source: MemoryFile(file)).metadata.rowGroups[1].columns[1].dataPageOffset
        file[page + 30] ^= 1
        do {
            _ = try ParquetFile.verify(MemoryFile(file))
            Issue.record("the damage was not noticed")
        } catch let error as ParquetError {
            #expect(error.place == "row group 1, column value")
            #expect(error.offset == page)
            let cause = "the CRC of a page is not the one in its header"
            #expect(
                error.description
                    == "cannot read parquet file in row group 1, column value at byte \(page): \(cause); "
                    + "the file is damaged, restore it from its source")
        }
    }
}
