import Parquet
import Testing

/// What a file may claim costs no more than it holds, and what it says of itself is compared with it.
struct ReaderLimitTests {
    /// Ends of a file, and between them as many zeros as one wishes.
    private final class SparseFile: ByteSource {
        private let end: [UInt8]
        let count: Int
        private(set) var bytesRead = 0

        init(_ end: [UInt8], count: Int) { (self.end, self.count) = (end, count) }

        func read(at offset: Int, count: Int) -> [UInt8] {
            bytesRead += count
            return (offset..<offset + count).map { place in
                let inEnd = place - (self.count - end.count)
                return inEnd >= 0 ? end[inEnd] : place < 4 ? [UInt8]("PAR1".utf8)[place] : 0
            }
        }
    }

    private static func tail(_ footer: [UInt8]) -> [UInt8] {
        footer + (0..<4).map { UInt8(truncatingIfNeeded: footer.count >> (8 * $0)) } + [UInt8]("PAR1".utf8)
    }

    /// Version, a schema of one column, no rows, no row groups.
    private static func footer(schema: [UInt8]) -> [UInt8] { [0x15, 0x02] + schema + [0x16, 0, 0x19, 0x0C, 0] }

    private static let oneColumn: [UInt8] = [0x19, 0x2C, 0x48, 1, 0x72, 0x15, 2, 0, 0x15, 4, 0x25, 0, 0x18, 1, 0x63, 0]

    @Test func whatNoChecksumCoversIsNotRead() throws {
        let file = SparseFile(Self.tail(Self.footer(schema: Self.oneColumn)), count: 10 << 30)
        let opened = try ParquetFile(source: file)
        #expect(opened.metadata.rowCount == 0 && opened.metadata.leaves.count == 1)
        #expect(file.bytesRead < 100)
    }

    @Test func listsOfTheFooterHaveALimit() throws {
        let many = [0x19, 0xFC, 0x88, 0x27] + [UInt8](repeating: 0, count: 5000)
        let file = MemoryFile([UInt8]("PAR1".utf8) + Self.tail(Self.footer(schema: many)))
        #expect(throws: ParquetError(.tooLarge(what: "footer list", size: 5000, limit: 4096))) {
            try ParquetFile(source: file)
        }
    }

    @Test func aFooterHasALimit() throws {
        let file = SparseFile([0, 0, 0, 0x40] + [UInt8]("PAR1".utf8), count: 10 << 30)
        #expect(throws: ParquetError(.tooLarge(what: "footer", size: 1 << 30, limit: 16 << 20), at: (10 << 30) - 8)) {
            try ParquetFile(source: file)
        }
    }

    @Test(arguments: ["", "writer.schema", "cirrus.rows", "cirrus.content"]) func keysAreCompared(key: String) throws {
        let text = try interned((0..<3).map { [UInt8]("\($0)".utf8) })
        let rowGroup = Schema.cloudzero.columns.map { $0.kind == .string ? text : .int64([1, 2, 3]) }
        var content = ContentHash()
        content.add(rowGroup: rowGroup)
        var keyValues = ["writer.schema": "cloudzero-v1", "cirrus.rows": "3", "cirrus.content": content.hex]
        keyValues[key]?.removeLast()
        let options = WriterOptions(createdBy: "cirrus version 1.2.3 (build test)")
        let file = try written(.cloudzero, options, [rowGroup], keyValues: keyValues.sorted { $0.key < $1.key })
        let source = MemoryFile(file.bytes)
        guard !key.isEmpty else {
            #expect(try ParquetFile.verify(source).content == content)
            return try ParquetFile(source: source).checkKeys()
        }
        let error = #expect(throws: ParquetError.self) { try ParquetFile.verify(source) }
        guard case .corrupt(let cause) = error?.reason else { throw ParquetError(.corrupt("\(key) was believed")) }
        #expect(cause.contains("the key \(key) is not "))
        // What needs no value is compared without reading any.
        if key != "cirrus.content" {
            #expect(throws: ParquetError.self) { try ParquetFile(source: source).checkKeys() }
        }
    }

    /// Writers may choose the length of blocks: here 256 deltas in two miniblocks.
    @Test func deltasInBlocksOfAnotherLength() throws {
        var numbers: [Int64] = []
        let block: [UInt8] = [0x80, 2, 2, 3, 0x0A, 2, 0, 0]
        try DeltaBinaryPacked.decode(block.span.bytes, count: 3, into: &numbers)
        #expect(numbers == [5, 6, 7])
        for lengths: [UInt8] in [[0x80, 2, 3], [0x80, 2, 0], [0x40, 1], [0x80, 2, 0x10], [0, 0]] {
            #expect(throws: ParquetError.self) {
                try DeltaBinaryPacked.decode((lengths + [3, 0x0A, 2, 0, 0]).span.bytes, count: 3, into: &numbers)
            }
        }
    }
}

struct LabelsTextTests {
    private static func pairs(_ json: String) -> [[String]]? {
        LabelsText.pairs(Array(json.utf8).span.bytes)?.map { pair in
            [pair.name, pair.value].map { String(decoding: $0, as: UTF8.self) }
        }
    }

    @Test func asOthersWriteIt() {
        #expect(Self.pairs(#" { "a" : "b" , "c\n":"\ud83d\ude00\u00fc" } "#) == [["a", "b"], ["c\n", "😀ü"]])
        #expect(Self.pairs("{ }") == [])
        for none in [#"{"a":1}"#, #"{"a":"\ud83d"}"#, #"{"a":"\ud83d\u0041"}"#, #"{"a":"b"} x"#, ""] {
            #expect(Self.pairs(none) == nil, "\(none)")
        }
    }
}
