import Parquet
import Testing

/// A file whose bytes change between two readings.
private final class FlippedFile: ByteSource {
    private var bytes: [UInt8]

    init(_ bytes: [UInt8]) { self.bytes = bytes }

    var count: Int { bytes.count }
    func read(at offset: Int, count: Int) -> [UInt8] { [UInt8](bytes[offset..<offset + count]) }
    func flip(_ offset: Int, _ bit: Int) { bytes[offset] ^= 1 << UInt8(bit) }
}

/// Every single bit of a file of 64 KiB: none is ignorable, since what no page's CRC covers is under one in the footer.
@Suite("a flipped bit is noticed") struct BitFlipTests {
    /// Twelve columns, three row groups, several pages each, a bloom filter, and texts that Snappy leaves as they are.
    private static func makeFile() throws -> [UInt8] {
        var random = SeededGenerator(seed: 64)
        var options = WriterOptions(
            createdBy: "cirrus version 1.2.3 (build test)", sortingColumns: [WriterOptions.SortingColumn(column: 6)])
        options.pageRowLimit = 150
        options.bloomFilterColumns = ["metric_name"]
        let rowGroups = try [420, 420, 130].map { rows in
            func words(_ distinct: Int, _ length: Int) -> [[UInt8]] {
                let pool = (0..<distinct).map { _ in
                    (0..<length).map { _ in UInt8.random(in: 0x21...0x7E, using: &random) }
                }
                return (0..<rows).map { pool[$0 * distinct / rows] }
            }
            let constants = try (0..<6).map { _ in try interned(words(1, 8)) }
            let names = [try interned(words(40, 20)), try interned(words(9, 12))]
            let created = ColumnValues.int64((0..<rows).map { 1_782_918_000_000 + Int64($0 / 50) })
            let times = ColumnValues.int64((0..<rows).map { _ in 1_782_918_000_000 + Int64(random.upTo(600_000)) })
            let labels = try interned(words(rows / 5, 230))
            let values = ColumnValues.strings(try ByteTable(words(rows, 7)))
            return constants + names + [created, times, labels, values]
        }
        return try written(.cloudzero, options, rowGroups, keyValues: [("writer.schema", "cloudzero-v1")]).bytes
    }

    private static let file = Result { try makeFile() }

    @Test func theFileHas64KiB() throws {
        let file = try Self.file.get()
        #expect((65_536..<80_000).contains(file.count), "\(file.count) bytes")
        #expect(try ParquetFile.verify(MemoryFile(file)).rows == 970)
    }

    /// Reading the column that a byte of a page belongs to notices it; reading anything notices it elsewhere.
    @Test(arguments: 0..<8) func byTheReader(bit: Int) throws {
        let bytes = try Self.file.get()
        let file = FlippedFile(bytes)
        let opened = try ParquetFile(source: file)
        var unnoticed: [Int] = []
        var pagesEnd = 4
        for (group, rowGroup) in opened.metadata.rowGroups.enumerated() {
            for (column, chunk) in rowGroup.columns.enumerated() {
                let start = chunk.dictionaryPageOffset ?? chunk.dataPageOffset
                #expect(start == pagesEnd, "no byte lies between the columns")
                pagesEnd = start + chunk.compressedByteCount
                for offset in start..<pagesEnd {
                    file.flip(offset, bit)
                    if Self.isRead({ _ = try opened.readColumn(rowGroup: group, column: column) }) {
                        unnoticed.append(offset)
                    }
                    file.flip(offset, bit)
                }
            }
        }
        for offset in Array(0..<4) + Array(pagesEnd..<bytes.count) {
            file.flip(offset, bit)
            if Self.isRead({ _ = try ParquetFile(source: file) }) { unnoticed.append(offset) }
            file.flip(offset, bit)
        }
        #expect(unnoticed == [])
    }

    /// `verify` reads what the reader reads; each seventh byte shows that it asks for all of it.
    @Test(arguments: 0..<8) func byVerify(bit: Int) throws {
        let bytes = try Self.file.get()
        let file = FlippedFile(bytes)
        var unnoticed: [Int] = []
        for offset in stride(from: bit % 7, to: bytes.count, by: 7) {
            file.flip(offset, bit)
            if Self.isRead({ _ = try ParquetFile.verify(file) }) { unnoticed.append(offset) }
            file.flip(offset, bit)
        }
        #expect(unnoticed == [])
    }

    private static func isRead(_ body: () throws -> Void) -> Bool {
        do {
            try body()
            return true
        } catch {
            return false
        }
    }
}
