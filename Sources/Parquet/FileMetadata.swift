/// Numbers of the format's Thrift definition; one we do not know is kept as it is.
package struct PhysicalType: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let boolean = PhysicalType(rawValue: 0)
    package static let int32 = PhysicalType(rawValue: 1)
    package static let int64 = PhysicalType(rawValue: 2)
    package static let float = PhysicalType(rawValue: 4)
    package static let double = PhysicalType(rawValue: 5)
    package static let byteArray = PhysicalType(rawValue: 6)
}

package struct Encoding: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let plain = Encoding(rawValue: 0)
    /// The old name of `rleDictionary`, and of the dictionary's own PLAIN.
    static let plainDictionary = Encoding(rawValue: 2)
    /// Of levels; a column of REQUIRED leaves has none, and still names it.
    package static let rle = Encoding(rawValue: 3)
    /// Of levels, in old files.
    static let bitPacked = Encoding(rawValue: 4)
    static let unknown = Encoding(rawValue: -1)
    package static let deltaBinaryPacked = Encoding(rawValue: 5)
    static let deltaLengthByteArray = Encoding(rawValue: 6)
    static let deltaByteArray = Encoding(rawValue: 7)
    package static let rleDictionary = Encoding(rawValue: 8)
    static let byteStreamSplit = Encoding(rawValue: 9)

    private static let names = [
        "PLAIN", "GROUP_VAR_INT", "PLAIN_DICTIONARY", "RLE", "BIT_PACKED", "DELTA_BINARY_PACKED",
        "DELTA_LENGTH_BYTE_ARRAY", "DELTA_BYTE_ARRAY", "RLE_DICTIONARY", "BYTE_STREAM_SPLIT",
    ]

    package var description: String {
        Self.names.indices.contains(Int(rawValue)) ? Self.names[Int(rawValue)] : "encoding \(rawValue)"
    }
}

package struct PageType: RawRepresentable, Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let data = PageType(rawValue: 0)
    package static let dictionary = PageType(rawValue: 2)
    package static let dataV2 = PageType(rawValue: 3)
}

package struct Codec: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }

    package static let uncompressed = Codec(rawValue: 0)
    package static let snappy = Codec(rawValue: 1)
    static let gzip = Codec(rawValue: 2)
    static let zstd = Codec(rawValue: 6)

    private static let names = ["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "ZSTD", "LZ4_RAW"]

    package var description: String {
        Self.names.indices.contains(Int(rawValue)) ? Self.names[Int(rawValue)] : "codec \(rawValue)"
    }
}

/// The footer.
package struct FileMetadata: Equatable, Sendable {
    package struct KeyValue: Equatable, Sendable {
        package let key: String
        package let value: String
    }

    package var schema: [SchemaElement] = []
    package var rowCount = 0
    package var rowGroups: [RowGroup] = []
    package var keyValues: [KeyValue] = []
    package var createdBy = ""

    /// The last value of `key`, as a map would keep it.
    package subscript(key: String) -> String? { keyValues.last { $0.key == key }?.value }
}

/// One node of the schema, depth first; the first is the root.
package struct SchemaElement: Equatable, Sendable {
    package enum LogicalType: Equatable, Sendable {
        case string
        case map
        case list
        case timestamp(TimeUnit, adjustedToUTC: Bool)
        /// One that we do not read as what its physical type is: decimals, times of day, unsigned integers.
        case other
    }

    /// Numbers of the format's union.
    package enum TimeUnit: Int, Sendable {
        case milliseconds = 1
        case microseconds, nanoseconds

        /// Of a millisecond.
        package var ticks: Int64 {
            switch self {
            case .milliseconds: 1
            case .microseconds: 1000
            case .nanoseconds: 1_000_000
            }
        }

        /// Rounded down.
        package func milliseconds(_ time: Int64) -> Int64 {
            let (quotient, remainder) = time.quotientAndRemainder(dividingBy: ticks)
            return remainder < 0 ? quotient - 1 : quotient
        }
    }

    /// Absent on groups.
    package var type: PhysicalType?
    /// 0 REQUIRED, 1 OPTIONAL, 2 REPEATED; absent on the root.
    package var repetition: Int32?
    package var name = ""
    /// Groups only.
    package var childCount: Int32?
    /// 0 UTF8, 1 MAP, 3 LIST, 9 TIMESTAMP_MILLIS.
    package var convertedType: Int32?
    /// nil also for one that says no more than the physical type: a signed integer.
    package var logicalType: LogicalType?

    package init(
        type: PhysicalType? = nil, repetition: Int32? = nil, name: String = "", childCount: Int32? = nil,
        convertedType: Int32? = nil, logicalType: LogicalType? = nil
    ) {
        self.type = type
        self.repetition = repetition
        self.name = name
        self.childCount = childCount
        self.convertedType = convertedType
        self.logicalType = logicalType
    }
}

package struct RowGroup: Equatable, Sendable {
    package var columns: [ColumnChunk] = []
    /// Uncompressed bytes, page headers included.
    package var byteCount = 0
    package var rowCount = 0
    package var sortingColumns: [WriterOptions.SortingColumn] = []
    /// Of its first page.
    package var fileOffset = 0
    /// Page headers included.
    package var compressedByteCount = 0
    package var ordinal: Int?
}

/// One column's values in one row group.
package struct ColumnChunk: Equatable, Sendable {
    /// Where a structure outside the pages lies.
    package struct Extent: Equatable, Sendable {
        package var offset: Int
        package var byteCount: Int
    }

    package struct EncodingCount: Equatable, Sendable {
        package var page: PageType
        package var encoding: Encoding
        package var count: Int
    }

    package var type = PhysicalType.byteArray
    package var encodings: [Encoding] = []
    package var path: [String] = []
    package var codec = Codec.snappy
    package var valueCount = 0
    /// Page headers and dictionary page included, as in `compressedByteCount`.
    package var uncompressedByteCount = 0
    package var compressedByteCount = 0
    package var dataPageOffset = 0
    package var dictionaryPageOffset: Int?
    package var statistics: Statistics?
    package var encodingCounts: [EncodingCount] = []
    package var bloomFilter: Extent?
    package var offsetIndex: Extent?
    package var columnIndex: Extent?
    /// Bytes of all strings, without lengths.
    package var stringByteCount: Int?

    package var firstPageOffset: Int { dictionaryPageOffset ?? dataPageOffset }
}

/// Bounds of a column chunk; PLAIN bytes, strings without length.
package struct Statistics: Equatable, Sendable {
    package var nullCount: Int?
    package var max: [UInt8]?
    package var min: [UInt8]?
    package var isMaxExact: Bool?
    package var isMinExact: Bool?
    /// DOUBLE only.
    package var nanCount: Int?

    package init(
        nullCount: Int? = nil, max: [UInt8]? = nil, min: [UInt8]? = nil, isMaxExact: Bool? = nil,
        isMinExact: Bool? = nil, nanCount: Int? = nil
    ) {
        self.nullCount = nullCount
        self.max = max
        self.min = min
        self.isMaxExact = isMaxExact
        self.isMinExact = isMinExact
        self.nanCount = nanCount
    }
}
