internal import Bytes

/// One protobuf field (the wire format of protobuf.dev/programming-guides/encoding).
enum FieldReader {
    static let varint: UInt64 = 0
    static let fixed64: UInt64 = 1
    static let bytes: UInt64 = 2
    static let fixed32: UInt64 = 5

    private static let groupStart: UInt64 = 3
    private static let groupEnd: UInt64 = 4
    /// Groups within groups, as deep as protobuf's own parsers go.
    private static let groupDepthLimit = 100

    /// Skips the value of a field that nobody asked for.
    @_lifetime(reader: copy reader)
    static func skip(_ tag: UInt64, _ reader: inout ByteReader) throws(ByteError) {
        if tag & 7 == groupStart { return try skipGroup(tag, &reader) }
        try skipValue(tag, &reader)
    }

    @_lifetime(reader: copy reader)
    private static func skipValue(_ tag: UInt64, _ reader: inout ByteReader) throws(ByteError) {
        // Field numbers are 1 to 2^29 - 1.
        guard tag >= 8, tag <= UInt64(UInt32.max) else { throw .truncated }
        switch tag & 7 {
        case varint: _ = try reader.varint()
        case fixed64: try reader.skip(8)
        case bytes: _ = try reader.lengthPrefixed()
        case fixed32: try reader.skip(4)
        default: throw .truncated  // no wire type, or the end of a group that never began
        }
    }

    /// A group is over when as many ends came as starts, each with the number of its start.
    @_lifetime(reader: copy reader)
    private static func skipGroup(_ tag: UInt64, _ reader: inout ByteReader) throws(ByteError) {
        var open: [UInt64] = []
        var tag = tag
        while true {
            switch tag & 7 {
            case groupStart:
                guard tag >= 8, tag <= UInt64(UInt32.max), open.count < groupDepthLimit else { throw .truncated }
                open.append(tag >> 3)
            case groupEnd:
                guard open.popLast() == tag >> 3 else { throw .truncated }
                if open.isEmpty { return }
            default: try skipValue(tag, &reader)
            }
            tag = try reader.varint()
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
            default: try FieldReader.skip(tag, &reader)
            }
        }
    }
}

/// `Label { string name = 1; string value = 2; }` of 1.0.
struct LabelMessage: ~Escapable {
    let name: RawSpan
    let value: RawSpan

    @_lifetime(copy message)
    init(_ message: RawSpan) throws(ByteError) {
        var reader = ByteReader(message)
        // What every sender writes: the name, then the value, nothing else.
        if !reader.isAtEnd, try reader.varint() == 1 << 3 | FieldReader.bytes {
            let name = try reader.lengthPrefixed()
            if !reader.isAtEnd, try reader.varint() == 2 << 3 | FieldReader.bytes {
                let value = try reader.lengthPrefixed()
                if reader.isAtEnd {
                    self.name = name
                    self.value = value
                    return
                }
            }
        }
        reader = ByteReader(message)
        var name = message.extracting(0..<0)
        var value = name
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.bytes: name = try reader.lengthPrefixed()
            case 2 << 3 | FieldReader.bytes: value = try reader.lengthPrefixed()
            default: try FieldReader.skip(tag, &reader)
            }
        }
        self.name = name
        self.value = value
    }
}
