/// What stands before each page.
struct PageHeader {
    var type = PageType.data
    /// Of the body; this header excluded.
    var uncompressedByteCount = 0
    var compressedByteCount = 0
    /// CRC-32 of the body as stored.
    var checksum: UInt32?
    var valueCount = 0
    var encoding = Encoding.plain
    /// Data pages: RLE, whether there are levels or not.
    var levelEncodings: [Encoding] = [.rle, .rle]
    /// Of a data page of version 2, which we do not write: its levels stand before what is compressed.
    var levelByteCounts: (repetition: Int, definition: Int)?
    var isCompressed = true

    func encode(to writer: inout CompactWriter) {
        writer.element { writer in
            writer.int32(1, type.rawValue)
            writer.int32(2, Int32(uncompressedByteCount))
            writer.int32(3, Int32(compressedByteCount))
            if let checksum { writer.int32(4, Int32(bitPattern: checksum)) }
            writer.structure(type == .dictionary ? 7 : 5) { writer in
                writer.int32(1, Int32(valueCount))
                writer.int32(2, encoding.rawValue)
                guard type == .data else { return }
                writer.int32(3, levelEncodings[0].rawValue)
                writer.int32(4, levelEncodings[1].rawValue)
            }
        }
    }

    init(type: PageType, encoding: Encoding, valueCount: Int) {
        self.type = type
        self.encoding = encoding
        self.valueCount = valueCount
    }

    init(from reader: inout CompactReader) throws(ParquetError) {
        var details: PageType?
        // Fields that the format requires: absent is not what they are where nothing is stated.
        (encoding, levelEncodings) = (.unknown, [.unknown, .unknown])
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: type = PageType(rawValue: try reader.int32(field))
            case 2: uncompressedByteCount = try reader.size32(field)
            case 3: compressedByteCount = try reader.size32(field)
            case 4: checksum = UInt32(bitPattern: try reader.int32(field))
            case 5, 7:
                try readDetails(field, from: &reader)
                details = field.id == 5 ? .data : .dictionary
            case 8:
                try readDetailsV2(field, from: &reader)
                details = .dataV2
            default: try reader.skip(field)
            }
        }
        let levels: [Encoding] = [.rle, .bitPacked]
        guard type != .data || levelEncodings.allSatisfy(levels.contains) else {
            throw reader.corrupt("a page whose levels have no encoding")
        }
        guard details == type else { throw reader.corrupt("a page header without the details of its type") }
        if type != .data { levelEncodings = [.rle, .rle] }
    }

    private mutating func readDetailsV2(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) {
        var (repetition, definition) = (0, 0)
        try reader.structure(field) { reader, member throws(ParquetError) in
            switch member.id {
            case 1: valueCount = try reader.size32(member)
            case 4: encoding = Encoding(rawValue: try reader.int32(member))
            case 5: definition = try reader.size32(member)
            case 6: repetition = try reader.size32(member)
            case 7: isCompressed = try reader.bool(member)
            default: try reader.skip(member)
            }
        }
        guard repetition + definition <= min(compressedByteCount, uncompressedByteCount) else {
            throw reader.corrupt("levels longer than their page")
        }
        levelByteCounts = (repetition, definition)
    }

    private mutating func readDetails(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) {
        try reader.structure(field) { reader, member throws(ParquetError) in
            switch member.id {
            case 1: valueCount = try reader.size32(member)
            case 2: encoding = Encoding(rawValue: try reader.int32(member))
            case 3 where field.id == 5: levelEncodings[0] = Encoding(rawValue: try reader.int32(member))
            case 4 where field.id == 5: levelEncodings[1] = Encoding(rawValue: try reader.int32(member))
            default: try reader.skip(member)
            }
        }
    }
}
