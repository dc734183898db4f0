import Parquet
import Testing

/// A file of 3 rows, written by an independent writer and read by ten readers: ours must be the same, byte for byte.
struct GoldenFileTests {
    private static let golden = bytes(
        hex: """
            504152311504150c151015eecec9f50f3c150215000000061402000000757015001504150815fce9
            b8d20c1c150615101506150600000204000615001518151c15e0edf5b9041c1506150a1506150600
            000c2c80010403d00fd00f0000000019110219180275701918027570150219160000191102191808
            e803000000000000191808b80b000000000000150219160000191c163e153616000019160c00191c
            1674154a160000001502193c480d506172717565744d6574726963150400150c2500180b6d657472
            69635f6e616d6525004c1c00000015042500180974696d657374616d7025124c8c111c1c00000000
            001606191c192c26001c150c1925001019180b6d65747269635f6e616d65150216061664166c263e
            26081c36002802757018027570111100192c15041500150200150015101502003c160c000016a202
            151a16be0115260026001c150419150a19180974696d657374616d70150216061646164a26743c36
            002808b80b0000000000001808e803000000000000111100191c1500150a1502000016bc02151416
            e401153e0016aa011606191c1500121200160816b601140000281c737065632076657273696f6e20
            312e302e3020286275696c64203029192c1c00001c0000002801000050415231
            """)

    private static let schema = Schema(
        root: "ParquetMetric",
        columns: [Column("metric_name", .string, .dictionary), Column("timestamp", .timestampMilliseconds, .delta)])

    private static func table() throws -> [ColumnValues] {
        [
            .dictionary(entries: try ByteTable([[UInt8]("up".utf8)]), indexes: [0, 0, 0]),
            .int64([1000, 2000, 3000]),
        ]
    }

    @Test func writesTheGoldenFile() throws {
        var options = WriterOptions(
            createdBy: "spec version 1.0.0 (build 0)", sortingColumns: [WriterOptions.SortingColumn(column: 0)])
        options.checksumsFooter = false
        var writer = try ParquetWriter(schema: Self.schema, options: options, sink: MemoryFile())
        try writer.write(rowGroup: try Self.table())
        let written = try writer.finish(keyValues: [])
        #expect(written.sink.bytes == Self.golden)
    }

    @Test func readsTheGoldenFile() throws {
        let file = try ParquetFile(source: MemoryFile(Self.golden))
        #expect(file.metadata.rowCount == 3)
        #expect(file.metadata.createdBy == "spec version 1.0.0 (build 0)")
        let table = try Self.table()
        #expect(try file.readColumn(rowGroup: 0, column: 0) == table[0])
        #expect(try file.readColumn(rowGroup: 0, column: 1) == table[1])
    }

    @Test func verifiesTheGoldenFile() throws {
        let verified = try ParquetFile.verify(MemoryFile(Self.golden))
        var content = ContentHash()
        content.add(rowGroup: try Self.table())
        #expect(verified.rows == 3)
        #expect(verified.content == content)
    }
}
