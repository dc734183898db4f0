internal import Bytes

/// Tags of the fields of `prometheus.WriteRequest` (v1) and `io.prometheus.write.v2.Request`.
enum WriteField {
    static let v1Series: UInt8 = 1 << 3 | 2
    static let v2Symbol: UInt8 = 4 << 3 | 2
    static let v2Series: UInt8 = 5 << 3 | 2
    /// `labels` of a v1 series, `labels_refs` of a v2 one.
    static let labels: UInt8 = 1 << 3 | 2
    static let samples: UInt8 = 2 << 3 | 2
    static let name: UInt8 = 1 << 3 | 2
    static let labelValue: UInt8 = 2 << 3 | 2
    static let value: UInt8 = 1 << 3 | 1
    static let timestamp: UInt8 = 2 << 3 | 0
}

/// A `prometheus.WriteRequest` (remote write 1.0) in work: series behind series.
struct WriteRequestBody {
    private var message = ByteWriter()
    /// Scratch of `add`.
    private var sample = ByteWriter(reserving: 20)
    private(set) var sampleCount = 0

    var bytes: [UInt8] { message.bytes }

    /// Forgets everything, and begins with bytes of the caller's.
    mutating func begin(_ first: [UInt8] = []) {
        message.removeAll()
        message.raw(first)
        sampleCount = 0
    }

    /// The label fields of a series, to be used as often as it has samples.
    static func labels(_ labels: some Sequence<(name: [UInt8], value: [UInt8])>) -> [UInt8] {
        var writer = ByteWriter()
        var pair = ByteWriter()
        for label in labels {
            pair.removeAll()
            pair.u8(WriteField.name)
            pair.varint(UInt64(label.name.count))
            pair.raw(label.name)
            pair.u8(WriteField.labelValue)
            pair.varint(UInt64(label.value.count))
            pair.raw(label.value)
            writer.u8(WriteField.labels)
            writer.varint(UInt64(pair.count))
            writer.raw(pair.bytes)
        }
        return writer.bytes
    }

    /// Adds a series of one sample.
    /// - Parameters:
    ///   - labels: as `labels(_:)` made them.
    ///   - timestamp: milliseconds since 1970.
    ///   - value: the bits of the double.
    mutating func add(_ labels: [UInt8], timestamp: Int64, value: UInt64) {
        message.series(WriteField.v1Series, labels, timestamp: timestamp, value: value, by: &sample)
        sampleCount += 1
    }
}

extension ByteWriter {
    /// Appends a series of one sample, of either version.
    /// - Parameters:
    ///   - field: which field of the request it is.
    ///   - labels: its label fields.
    ///   - sample: scratch, so that a message of many series allocates it once.
    mutating func series(
        _ field: UInt8, _ labels: [UInt8], timestamp: Int64, value: UInt64, by sample: inout ByteWriter
    ) {
        sample.removeAll()
        sample.u8(WriteField.value)
        sample.u64(value)
        sample.u8(WriteField.timestamp)
        sample.varint(UInt64(bitPattern: timestamp))
        u8(field)
        varint(UInt64(labels.count + 2 + sample.count))
        raw(labels)
        u8(WriteField.samples)
        u8(UInt8(sample.count))
        raw(sample.bytes)
    }
}
