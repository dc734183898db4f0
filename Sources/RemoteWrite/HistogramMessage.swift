internal import Bytes

/// A native histogram message of either version, decoded into its fields, for listings. The log keeps the message
/// itself; this reads what `NativeHistogram` has accepted.
package struct HistogramMessage: Equatable, Sendable {
    package struct Span: Equatable, Sendable {
        /// From the bucket behind the span before; of the first from bucket 0.
        package var offset: Int32 = 0
        package var length: UInt32 = 0
    }

    /// Of one sign: an integer histogram has deltas, a float histogram counts.
    package struct Buckets: Equatable, Sendable {
        package var spans: [Span] = []
        package var deltas: [Int64] = []
        package var counts: [Double] = []
    }

    package private(set) var timestamp: Int64 = 0
    /// 0 = unset.
    package private(set) var startTimestamp: Int64 = 0
    package private(set) var schema: Int32 = 0
    package private(set) var count: UInt64 = 0
    /// Set in a float histogram, in place of `count`.
    package private(set) var floatCount: Double?
    package private(set) var zeroCount: UInt64 = 0
    package private(set) var floatZeroCount: Double?
    package private(set) var sum = 0.0
    package private(set) var zeroThreshold = 0.0
    /// 0 unknown, 1 yes, 2 no, 3 gauge.
    package private(set) var resetHint: UInt64 = 0
    package private(set) var negative = Buckets()
    package private(set) var positive = Buckets()
    package private(set) var customValues: [Double] = []

    /// Spans, buckets and custom values of a message, counted without decoding it; nil for bytes that are none, or one
    /// that is too large to be decoded.
    package static func elementCount(_ message: RawSpan) -> Int? {
        do throws(ByteError) {
            let histogram = try NativeHistogram(message)
            return histogram.isTooLarge ? nil : Int(histogram.elementCount)
        } catch {
            return nil
        }
    }

    /// nil for bytes that are no such message.
    package init?(_ message: [UInt8]) {
        do throws(ByteError) {
            var reader = ByteReader(message.span)
            while !reader.isAtEnd { try readField(&reader) }
        } catch {
            return nil
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func readField(_ reader: inout ByteReader) throws(ByteError) {
        let tag = try reader.varint()
        switch tag {
        case 1 << 3 | FieldReader.varint: (count, floatCount) = (try reader.varint(), nil)
        case 2 << 3 | FieldReader.fixed64: floatCount = Double(bitPattern: try reader.u64())
        case 3 << 3 | FieldReader.fixed64: sum = Double(bitPattern: try reader.u64())
        case 4 << 3 | FieldReader.varint: schema = NativeHistogram.sint32(try reader.varint())
        case 5 << 3 | FieldReader.fixed64: zeroThreshold = Double(bitPattern: try reader.u64())
        case 6 << 3 | FieldReader.varint: (zeroCount, floatZeroCount) = (try reader.varint(), nil)
        case 7 << 3 | FieldReader.fixed64: floatZeroCount = Double(bitPattern: try reader.u64())
        case 14 << 3 | FieldReader.varint: resetHint = try reader.varint()
        case 15 << 3 | FieldReader.varint: timestamp = Int64(bitPattern: try reader.varint())
        case 16 << 3 | FieldReader.bytes: customValues += try Self.doubles(try reader.lengthPrefixed())
        case 16 << 3 | FieldReader.fixed64: customValues.append(Double(bitPattern: try reader.u64()))
        case 17 << 3 | FieldReader.varint: startTimestamp = Int64(bitPattern: try reader.varint())
        default:
            if try negative.readField(tag, first: 8, &reader) { return }
            if try positive.readField(tag, first: 11, &reader) { return }
            try FieldReader.skip(tag, &reader)
        }
    }

    fileprivate static func doubles(_ packed: RawSpan) throws(ByteError) -> [Double] {
        var values: [Double] = []
        var reader = ByteReader(packed)
        while !reader.isAtEnd { values.append(Double(bitPattern: try reader.u64())) }
        return values
    }
}

extension HistogramMessage.Buckets {
    /// Spans are field `first`, deltas the next, counts the one after it.
    /// - Returns: whether the field was one of them.
    @_lifetime(reader: copy reader)
    fileprivate mutating func readField(
        _ tag: UInt64, first: UInt64, _ reader: inout ByteReader
    ) throws(ByteError) -> Bool {
        switch (tag >> 3, tag & 7) {
        case (first, FieldReader.bytes): spans.append(try HistogramMessage.Span(try reader.lengthPrefixed()))
        case (first + 1, FieldReader.bytes):
            var packed = ByteReader(try reader.lengthPrefixed())
            while !packed.isAtEnd { deltas.append(try packed.zigzag()) }
        case (first + 1, FieldReader.varint): deltas.append(try reader.zigzag())
        case (first + 2, FieldReader.bytes): counts += try HistogramMessage.doubles(try reader.lengthPrefixed())
        case (first + 2, FieldReader.fixed64): counts.append(Double(bitPattern: try reader.u64()))
        default: return false
        }
        return true
    }
}

extension HistogramMessage.Span {
    fileprivate init(_ message: RawSpan) throws(ByteError) {
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.varint: offset = NativeHistogram.sint32(try reader.varint())
            case 2 << 3 | FieldReader.varint: length = UInt32(truncatingIfNeeded: try reader.varint())
            default: try FieldReader.skip(tag, &reader)
            }
        }
    }
}
