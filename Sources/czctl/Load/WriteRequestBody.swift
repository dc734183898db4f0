internal import Bytes

/// A `prometheus.WriteRequest` (remote write 1.0) in work: series behind series.
struct WriteRequestBody {
    private enum Field {
        static let series: UInt8 = 1 << 3 | 2
        static let labels: UInt8 = 1 << 3 | 2
        static let samples: UInt8 = 2 << 3 | 2
        static let name: UInt8 = 1 << 3 | 2
        static let labelValue: UInt8 = 2 << 3 | 2
        static let value: UInt8 = 1 << 3 | 1
        static let timestamp: UInt8 = 2 << 3 | 0
    }

    private var message = ByteWriter()
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
            pair.u8(Field.name)
            pair.varint(UInt64(label.name.count))
            pair.raw(label.name)
            pair.u8(Field.labelValue)
            pair.varint(UInt64(label.value.count))
            pair.raw(label.value)
            writer.u8(Field.labels)
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
        var sample = ByteWriter(reserving: 20)
        sample.u8(Field.value)
        sample.u64(value)
        sample.u8(Field.timestamp)
        sample.varint(UInt64(bitPattern: timestamp))
        message.u8(Field.series)
        message.varint(UInt64(labels.count + 2 + sample.count))
        message.raw(labels)
        message.u8(Field.samples)
        message.u8(UInt8(sample.count))
        message.raw(sample.bytes)
        sampleCount += 1
    }
}
