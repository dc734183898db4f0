extension ColumnChunk {
    /// ColumnChunk with its ColumnMetaData. `file_offset` is 0: deprecated, and often wrong in other files.
    func encode(to writer: inout CompactWriter) {
        writer.int64(2, 0)
        writer.structure(3, encodeMetadata)
        if let offsetIndex {
            writer.int64(4, offsetIndex.offset)
            writer.int32(5, Int32(offsetIndex.byteCount))
        }
        if let columnIndex {
            writer.int64(6, columnIndex.offset)
            writer.int32(7, Int32(columnIndex.byteCount))
        }
    }

    private func encodeMetadata(to writer: inout CompactWriter) {
        writer.int32(1, type.rawValue)
        writer.list(2, .int32, encodings) { $0.element(Int($1.rawValue)) }
        writer.list(3, .binary, path) { $0.element([UInt8]($1.utf8)) }
        writer.int32(4, codec.rawValue)
        writer.int64(5, valueCount)
        writer.int64(6, uncompressedByteCount)
        writer.int64(7, compressedByteCount)
        writer.int64(9, dataPageOffset)
        if let dictionaryPageOffset { writer.int64(11, dictionaryPageOffset) }
        if let statistics { writer.structure(12, statistics.encode) }
        if !encodingCounts.isEmpty {
            writer.list(13, .structure, encodingCounts) { writer, item in
                writer.element { writer in
                    writer.int32(1, item.page.rawValue)
                    writer.int32(2, item.encoding.rawValue)
                    writer.int32(3, Int32(item.count))
                }
            }
        }
        if let bloomFilter {
            writer.int64(14, bloomFilter.offset)
            writer.int32(15, Int32(bloomFilter.byteCount))
        }
        if let stringByteCount {
            writer.structure(16) { $0.int64(1, stringByteCount) }
        }
    }

    init(from reader: inout CompactReader) throws(ParquetError) {
        var hasMetadata = false
        var (offsetIndex, columnIndex) = (OptionalExtent(), OptionalExtent())
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: throw ParquetError(.notSupported("a column chunk in another file"))
            case 3:
                try readMetadata(field, from: &reader)
                hasMetadata = true
            case 4: offsetIndex.offset = try reader.size(field)
            case 5: offsetIndex.byteCount = try reader.size32(field)
            case 6: columnIndex.offset = try reader.size(field)
            case 7: columnIndex.byteCount = try reader.size32(field)
            default: try reader.skip(field)
            }
        }
        guard hasMetadata else { throw reader.corrupt("a column chunk has no metadata") }
        self.offsetIndex = offsetIndex.value
        self.columnIndex = columnIndex.value
    }

    private mutating func readMetadata(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) {
        var bloomFilter = OptionalExtent()
        try reader.structure(field) { reader, field throws(ParquetError) in
            switch field.id {
            case 1: type = PhysicalType(rawValue: try reader.int32(field))
            case 2:
                try reader.list(field, .int32) { reader throws(ParquetError) in
                    encodings.append(Encoding(rawValue: try reader.int32Element()))
                }
            case 3:
                try reader.list(field, .binary) { reader throws(ParquetError) in
                    path.append(String(decoding: try reader.binaryElement(), as: UTF8.self))
                }
            case 4: codec = Codec(rawValue: try reader.int32(field))
            case 5: valueCount = try reader.size(field)
            case 6: uncompressedByteCount = try reader.size(field)
            case 7: compressedByteCount = try reader.size(field)
            case 9: dataPageOffset = try reader.size(field)
            case 11: dictionaryPageOffset = try reader.size(field)
            case 12: statistics = try Statistics(field, from: &reader)
            case 13:
                try reader.list(field) { reader throws(ParquetError) in
                    encodingCounts.append(try EncodingCount(from: &reader))
                }
            case 14: bloomFilter.offset = try reader.size(field)
            case 15: bloomFilter.byteCount = try reader.size32(field)
            case 16: stringByteCount = try Self.readStringByteCount(field, from: &reader)
            default: try reader.skip(field)
            }
        }
        self.bloomFilter = bloomFilter.value
    }

    private static func readStringByteCount(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) -> Int? {
        var count: Int?
        try reader.structure(field) { reader, member throws(ParquetError) in
            if member.id == 1 { count = try reader.size(member) } else { try reader.skip(member) }
        }
        return count
    }
}

/// Offset and length come as two fields.
private struct OptionalExtent {
    var offset: Int?
    var byteCount: Int?

    var value: ColumnChunk.Extent? {
        guard let offset, let byteCount else { return nil }
        return ColumnChunk.Extent(offset: offset, byteCount: byteCount)
    }
}

extension ColumnChunk.EncodingCount {
    fileprivate init(from reader: inout CompactReader) throws(ParquetError) {
        self.init(page: .data, encoding: .plain, count: 0)
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: page = PageType(rawValue: try reader.int32(field))
            case 2: encoding = Encoding(rawValue: try reader.int32(field))
            case 3: count = try reader.size32(field)
            default: try reader.skip(field)
            }
        }
    }
}

extension Statistics {
    /// The deprecated fields 1 and 2 are never written, and not read: their order is not defined for strings.
    fileprivate func encode(to writer: inout CompactWriter) {
        if let nullCount { writer.int64(3, nullCount) }
        if let max { writer.binary(5, max) }
        if let min { writer.binary(6, min) }
        if let isMaxExact { writer.bool(7, isMaxExact) }
        if let isMinExact { writer.bool(8, isMinExact) }
        if let nanCount { writer.int64(9, nanCount) }
    }

    fileprivate init(_ field: CompactReader.Field, from reader: inout CompactReader) throws(ParquetError) {
        try reader.structure(field) { reader, field throws(ParquetError) in
            switch field.id {
            case 3: nullCount = try reader.size(field)
            case 5: max = try reader.binary(field)
            case 6: min = try reader.binary(field)
            case 7: isMaxExact = try reader.bool(field)
            case 8: isMinExact = try reader.bool(field)
            case 9: nanCount = try reader.size(field)
            default: try reader.skip(field)
            }
        }
    }
}
