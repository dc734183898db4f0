internal import Bytes

/// The sections of a payload in their order (docs/formats/record.md). Every count is checked against the bytes that are
/// left before anything is allocated for it.
struct BatchParser {
    private var batch: Batch

    static func parse(_ bytes: [UInt8]) throws -> Batch {
        var reader = ByteReader(bytes.span)
        var parser = BatchParser(batch: Batch(header: try header(&reader)))
        try parser.labels(&reader)
        try parser.series(&reader)
        try parser.samples(&reader)
        try parser.histograms(&reader)
        try parser.exemplars(&reader)
        try parser.metadata(&reader)
        guard reader.isAtEnd else { throw BatchError(reason: .field("length")) }
        parser.batch.bytes = bytes
        return parser.batch
    }

    static func header(of bytes: [UInt8]) throws -> BatchHeader {
        var reader = ByteReader(bytes.span)
        return try header(&reader)
    }

    @_lifetime(reader: copy reader)
    private static func header(_ reader: inout ByteReader) throws -> BatchHeader {
        let version = try reader.u8()
        guard version == BatchHeader.version else { throw BatchError(reason: .version(version)) }
        let low = try reader.u64()
        let high = try reader.u64()
        let receivedAt = try reader.zigzag()
        let source = try writeProtocol(&reader)
        let status = try reader.u16()
        var counts: [Int] = []
        for _ in 0..<6 { counts.append(try int(&reader, "count")) }
        let text = try reader.text(try int(&reader, "text"))
        return BatchHeader(
            fingerprint: Hash128(low: low, high: high), receivedAt: receivedAt, source: source,
            answer: BatchAnswer(
                status: status,
                written: WrittenCounts(
                    samples: counts[0], histograms: counts[1], exemplars: counts[2], metadata: counts[3]),
                rejectedSamples: counts[4], filteredSamples: counts[5], text: text))
    }

    @_lifetime(reader: copy reader)
    private static func writeProtocol(_ reader: inout ByteReader) throws -> WriteProtocol {
        guard let source = WriteProtocol(rawValue: try reader.u8()) else {
            throw BatchError(reason: .field("protocol"))
        }
        return source
    }

    /// A varint that fits Int32's positive half: counts and lengths.
    @_lifetime(reader: copy reader)
    private static func int(_ reader: inout ByteReader, _ name: String) throws -> Int {
        let value = try reader.varint()
        guard value <= UInt64(Int32.max) else { throw BatchError(reason: .field(name)) }
        return Int(value)
    }

    /// A count of elements of at least one byte each.
    @_lifetime(reader: copy reader)
    private static func count(_ reader: inout ByteReader, _ name: String) throws -> Int {
        let value = try int(&reader, name)
        guard value <= reader.remaining else { throw BatchError(reason: .field(name)) }
        return value
    }

    @_lifetime(reader: copy reader)
    private static func reference(_ reader: inout ByteReader) throws -> UInt32 {
        let value = try reader.varint()
        guard value < UInt64(BatchEncoder.referenceLimit) else { throw BatchError(reason: .field("series reference")) }
        return UInt32(value)
    }

    @_lifetime(reader: copy reader)
    private static func slice(_ reader: inout ByteReader) throws -> Batch.Slice {
        let length = try int(&reader, "length")
        let start = reader.offset
        try reader.skip(length)
        return Batch.Slice(start: UInt32(start), count: UInt32(length))
    }

    @_lifetime(reader: copy reader)
    private mutating func labels(_ reader: inout ByteReader) throws {
        for _ in 0..<(try Self.count(&reader, "label count")) {
            batch.labels.append(Batch.Label(name: try Self.slice(&reader), value: try Self.slice(&reader)))
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func labelSet(_ reader: inout ByteReader) throws -> Range<Int> {
        let start = batch.labelReferences.count
        for _ in 0..<(try Self.count(&reader, "label count")) {
            let number = try reader.varint()
            guard number < UInt64(batch.labels.count) else { throw BatchError(reason: .field("label number")) }
            batch.labelReferences.append(UInt32(number))
        }
        return start..<batch.labelReferences.count
    }

    @_lifetime(reader: copy reader)
    private mutating func series(_ reader: inout ByteReader) throws {
        let first = try Self.reference(&reader)
        let count = try Self.count(&reader, "series count")
        guard Int(first) + count <= BatchEncoder.referenceLimit else {
            throw BatchError(reason: .field("series count"))
        }
        for index in 0..<count {
            let streams = Streams(rawValue: try reader.u8())
            let labels = try labelSet(&reader)
            batch.series.append(Batch.Series(reference: first + UInt32(index), streams: streams, labels: labels))
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func samples(_ reader: inout ByteReader) throws {
        let count = try Self.count(&reader, "sample count")
        batch.references.reserveCapacity(count)
        batch.timestamps.reserveCapacity(count)
        batch.values.reserveCapacity(count)
        var reference: Int64 = -1
        for _ in 0..<count {
            reference = reference &+ 1 &+ (try reader.zigzag())
            guard reference >= 0, reference < Int64(BatchEncoder.referenceLimit) else {
                throw BatchError(reason: .field("series reference"))
            }
            batch.references.append(UInt32(reference))
        }
        var timestamp: Int64 = 0
        for _ in 0..<count {
            timestamp = timestamp &+ (try reader.zigzag())
            batch.timestamps.append(timestamp)
        }
        if try reader.u8() != 0 {
            for index in 0..<count {
                let isSet = try reader.u8() != 0
                batch.startTimestamps.append(isSet ? batch.timestamps[index] &- (try reader.zigzag()) : 0)
            }
        }
        for _ in 0..<count {
            guard let bits = try SampleValue.read(from: &reader) else { throw BatchError(reason: .field("value")) }
            batch.values.append(bits)
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func histograms(_ reader: inout ByteReader) throws {
        for _ in 0..<(try Self.count(&reader, "histogram count")) {
            let reference = try Self.reference(&reader)
            let timestamp = try reader.zigzag()
            let source = try Self.writeProtocol(&reader)
            batch.histograms.append(
                Batch.Histogram(
                    reference: reference, timestamp: timestamp, source: source, message: try Self.slice(&reader)))
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func exemplars(_ reader: inout ByteReader) throws {
        for _ in 0..<(try Self.count(&reader, "exemplar count")) {
            let reference = try Self.reference(&reader)
            let timestamp = try reader.zigzag()
            let value = try reader.u64()
            batch.exemplars.append(
                Batch.Exemplar(reference: reference, timestamp: timestamp, value: value, labels: try labelSet(&reader)))
        }
    }

    @_lifetime(reader: copy reader)
    private mutating func metadata(_ reader: inout ByteReader) throws {
        for _ in 0..<(try Self.count(&reader, "metadata count")) {
            let type = try reader.varint()
            guard type <= UInt64(UInt32.max) else { throw BatchError(reason: .field("metadata type")) }
            batch.metadata.append(
                Batch.Metadata(
                    type: UInt32(type), family: try Self.slice(&reader), help: try Self.slice(&reader),
                    unit: try Self.slice(&reader)))
        }
    }
}
