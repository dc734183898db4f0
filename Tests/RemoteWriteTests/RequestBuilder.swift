import Bytes
import RemoteWrite
import Samples

/// Write requests in protobuf, made by hand so that they can be wrong.
enum RequestBuilder {
    static func field(_ number: UInt64, _ message: [UInt8]) -> [UInt8] {
        var out = ByteWriter()
        out.varint(number << 3 | 2)
        out.varint(UInt64(message.count))
        out.raw(message)
        return out.bytes
    }

    static func sample(_ value: UInt64, _ timestamp: Int64, start: Int64 = 0) -> [UInt8] {
        var out = ByteWriter()
        out.varint(1 << 3 | 1)
        out.u64(value)
        out.varint(2 << 3)
        out.varint(UInt64(bitPattern: timestamp))
        if start != 0 {
            out.varint(3 << 3)
            out.varint(UInt64(bitPattern: start))
        }
        return out.bytes
    }

    static func labelV1(_ name: String, _ value: String) -> [UInt8] {
        field(1, field(1, Array(name.utf8)) + field(2, Array(value.utf8)))
    }

    /// A series of v1 from name, value, name, value ...
    static func seriesV1(_ labels: [String], _ samples: [[UInt8]]) -> [UInt8] {
        var message: [UInt8] = []
        for pair in stride(from: 0, to: labels.count, by: 2) { message += labelV1(labels[pair], labels[pair + 1]) }
        for sample in samples { message += field(2, sample) }
        return field(1, message)
    }

    static func packed(_ references: [UInt64]) -> [UInt8] {
        var out = ByteWriter()
        for reference in references { out.varint(reference) }
        return out.bytes
    }

    static func seriesV2(_ references: [UInt64], _ samples: [[UInt8]], rest: [UInt8] = []) -> [UInt8] {
        field(5, field(1, packed(references)) + samples.flatMap { field(2, $0) } + rest)
    }

    static func symbols(_ texts: [String]) -> [UInt8] { texts.flatMap { field(4, Array($0.utf8)) } }
}

/// Decodes bodies against one segment and reads the payload back.
final class Decoding {
    var decoder: RequestDecoder
    var encoder = BatchEncoder()

    init(limits: DecodeLimits = .standard, keepsOthers: Bool = true, streams: Streams = .cost) {
        decoder = RequestDecoder(limits: limits, seed: 42, keepsOthers: keepsOthers) { _ in streams }
    }

    func decode(_ body: [UInt8], _ source: WriteProtocol) throws(DecodeError) -> DecodeResult {
        encoder.startBatch()
        return try decoder.decode(body.span.bytes, source: source, into: &encoder)
    }

    /// Ends the batch and decodes its payload.
    func batch(_ source: WriteProtocol) throws -> Batch {
        let answer = BatchAnswer(
            status: 204, written: WrittenCounts(), rejectedSamples: 0, filteredSamples: 0, text: "")
        let encoded = encoder.encode(
            BatchHeader(fingerprint: Hash128(low: 1, high: 2), receivedAt: 3, source: source, answer: answer))
        return try Batch(payload: encoded.payload, isCompressed: encoded.isCompressed)
    }
}
