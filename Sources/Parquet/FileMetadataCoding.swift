extension FileMetadata {
    private static let rowGroupLimit = 1 << 16

    /// Field ids: FileMetaData of the format's Thrift file. Version 1, as the format text asks.
    func encode(to writer: inout CompactWriter) {
        writer.element { writer in
            writer.int32(1, 1)
            writer.list(2, .structure, schema) { $0.element($1.encode) }
            writer.int64(3, rowCount)
            writer.list(4, .structure, rowGroups) { $0.element($1.encode) }
            if !keyValues.isEmpty {
                writer.list(5, .structure, keyValues) { writer, pair in
                    writer.element { writer in
                        writer.string(1, pair.key)
                        writer.string(2, pair.value)
                    }
                }
            }
            writer.string(6, createdBy)
            // TYPE_ORDER for each leaf: without it readers ignore min and max.
            writer.list(7, .structure, schema.filter { $0.childCount == nil }) { writer, _ in
                writer.element { $0.structure(1) { _ in } }
            }
        }
    }

    init(from reader: inout CompactReader) throws(ParquetError) {
        // A flipped bit makes one of them a field that nobody knows; those behind it are then unknown, too.
        var required: Set = [1, 2, 3, 4]
        var hasUnknown = false
        try reader.structure { reader, field throws(ParquetError) in
            required.remove(field.id)
            switch field.id {
            case 1: _ = try reader.int32(field)
            case 2: try reader.list(field) { r throws(ParquetError) in schema.append(try SchemaElement(from: &r)) }
            case 3: rowCount = try reader.size(field)
            case 4:
                try reader.list(field, limit: Self.rowGroupLimit) { reader throws(ParquetError) in
                    rowGroups.append(try RowGroup(from: &reader))
                }
            case 5: try reader.list(field) { r throws(ParquetError) in keyValues.append(try KeyValue(from: &r)) }
            case 6: createdBy = try reader.string(field)
            default:
                hasUnknown = hasUnknown || field.id > 7
                try reader.skip(field)
            }
        }
        guard required.isEmpty else { throw ParquetError(.corrupt("a footer without its required fields")) }
        // One flipped bit in the header of the keys moves these and all fields behind them to other ids.
        guard !(hasUnknown && createdBy.isEmpty) else {
            throw ParquetError(.notSupported("a footer with unknown fields and without created_by"))
        }
    }
}

extension FileMetadata.KeyValue {
    fileprivate init(from reader: inout CompactReader) throws(ParquetError) {
        var (key, value) = ("", "")
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: key = try reader.string(field)
            case 2: value = try reader.string(field)
            default: try reader.skip(field)
            }
        }
        self.init(key: key, value: value)
    }
}

extension SchemaElement {
    fileprivate func encode(to writer: inout CompactWriter) {
        if let type { writer.int32(1, type.rawValue) }
        if let repetition { writer.int32(3, repetition) }
        writer.string(4, name)
        if let childCount { writer.int32(5, childCount) }
        if let convertedType { writer.int32(6, convertedType) }
        switch logicalType {
        case .string: writer.structure(10) { $0.structure(1) { _ in } }
        case .map: writer.structure(10) { $0.structure(2) { _ in } }
        case .list: writer.structure(10) { $0.structure(3) { _ in } }
        case .timestamp(let unit, let adjusted):
            writer.structure(10) { writer in
                writer.structure(8) { writer in
                    writer.bool(1, adjusted)
                    writer.structure(2) { $0.structure(unit.rawValue) { _ in } }
                }
            }
        case .other, nil: break
        }
    }

    fileprivate init(from reader: inout CompactReader) throws(ParquetError) {
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: type = PhysicalType(rawValue: try reader.int32(field))
            case 3: repetition = try reader.int32(field)
            case 4: name = try reader.string(field)
            case 5: childCount = try reader.int32(field)
            case 6: convertedType = try reader.int32(field)
            case 10: logicalType = try LogicalType.read(field, from: &reader)
            default: try reader.skip(field)
            }
        }
    }
}

extension SchemaElement.LogicalType {
    fileprivate static func read(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) -> Self? {
        var type: Self?
        try reader.structure(field) { reader, member throws(ParquetError) in
            switch member.id {
            case 1...3:
                try reader.skip(member)
                type = [.string, .map, .list][Int(member.id) - 1]
            case 8: type = try timestamp(member, from: &reader)
            case 10: type = try integer(member, from: &reader)
            default:
                try reader.skip(member)
                // ENUM, JSON and BSON are byte strings as STRING is.
                type = [4, 12, 13].contains(member.id) ? .string : .other
            }
        }
        return type
    }

    private static func integer(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) -> Self? {
        var isSigned = false
        try reader.structure(field) { reader, member throws(ParquetError) in
            if member.id == 2 { isSigned = try reader.bool(member) } else { try reader.skip(member) }
        }
        return isSigned ? nil : .other
    }

    private static func timestamp(
        _ field: CompactReader.Field, from reader: inout CompactReader
    ) throws(ParquetError) -> Self? {
        var adjusted = false
        var timeUnit: SchemaElement.TimeUnit?
        try reader.structure(field) { reader, member throws(ParquetError) in
            switch member.id {
            case 1: adjusted = try reader.bool(member)
            case 2:
                try reader.structure(member) { reader, unit throws(ParquetError) in
                    timeUnit = SchemaElement.TimeUnit(rawValue: unit.id)
                    try reader.skip(unit)
                }
            default: try reader.skip(member)
            }
        }
        return timeUnit.map { .timestamp($0, adjustedToUTC: adjusted) } ?? .other
    }
}

extension RowGroup {
    fileprivate func encode(to writer: inout CompactWriter) {
        writer.list(1, .structure, columns) { $0.element($1.encode) }
        writer.int64(2, byteCount)
        writer.int64(3, rowCount)
        if !sortingColumns.isEmpty {
            writer.list(4, .structure, sortingColumns) { writer, column in
                writer.element { writer in
                    writer.int32(1, Int32(column.column))
                    writer.bool(2, column.descending)
                    writer.bool(3, false)
                }
            }
        }
        writer.int64(5, fileOffset)
        writer.int64(6, compressedByteCount)
        if let ordinal { writer.int16(7, ordinal) }
    }

    fileprivate init(from reader: inout CompactReader) throws(ParquetError) {
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: try reader.list(field) { r throws(ParquetError) in columns.append(try ColumnChunk(from: &r)) }
            case 2: byteCount = try reader.size(field)
            case 3: rowCount = try reader.size(field)
            case 4:
                try reader.list(field) { reader throws(ParquetError) in
                    sortingColumns.append(try WriterOptions.SortingColumn(from: &reader))
                }
            case 5: fileOffset = try reader.size(field)
            case 6: compressedByteCount = try reader.size(field)
            case 7: ordinal = try reader.int16(field)
            default: try reader.skip(field)
            }
        }
    }
}

extension WriterOptions.SortingColumn {
    fileprivate init(from reader: inout CompactReader) throws(ParquetError) {
        var column: Int32 = 0
        var descending = false
        try reader.structure { reader, field throws(ParquetError) in
            switch field.id {
            case 1: column = try reader.int32(field)
            case 2: descending = try reader.bool(field)
            default: try reader.skip(field)
            }
        }
        self.init(column: Int(column), descending: descending)
    }
}
