internal import Bytes

/// One protobuf field (the wire format of protobuf.dev/programming-guides/encoding).
enum FieldReader {
    static let varint: UInt64 = 0
    static let fixed64: UInt64 = 1
    static let bytes: UInt64 = 2
    static let fixed32: UInt64 = 5

    /// Skips the value of a field that nobody asked for.
    @_lifetime(reader: copy reader)
    static func skip(_ type: UInt64, _ reader: inout ByteReader) throws(ByteError) {
        switch type {
        case varint: _ = try reader.varint()
        case fixed64: try reader.skip(8)
        case bytes: _ = try reader.lengthPrefixed()
        case fixed32: try reader.skip(4)
        default: throw .truncated  // groups and unknown types: nothing that follows can be placed
        }
    }
}

/// `prometheus.Sample` and `io.prometheus.write.v2.Sample`.
struct SampleMessage {
    var value: UInt64 = 0
    var timestamp: Int64 = 0
    var startTimestamp: Int64 = 0

    /// Fields 1 (double) and 2 (int64); v2 also 3 (start timestamp, int64).
    init(_ message: RawSpan) throws(ByteError) {
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.fixed64: value = try reader.u64()
            case 2 << 3 | FieldReader.varint: timestamp = Int64(bitPattern: try reader.varint())
            case 3 << 3 | FieldReader.varint: startTimestamp = Int64(bitPattern: try reader.varint())
            default: try FieldReader.skip(tag & 7, &reader)
            }
        }
    }
}
