internal import Bytes

/// The labels of one request's series, encoded once: only the samples differ from request to request.
///
/// Messages: `prometheus.WriteRequest` (v1) and `io.prometheus.write.v2.Request`, of the Remote-Write specifications.
struct EncodedBatch: Sendable {
    private enum Field {
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

    /// Indices of the series.
    let range: Range<Int>
    /// The symbol table of v2; empty in v1.
    private let preamble: [UInt8]
    /// The label fields of each series.
    private let labels: [[UInt8]]
    private let seriesField: UInt8

    init(_ series: [KubernetesSeries], _ range: Range<Int>, _ version: WriteVersion) {
        self.range = range
        switch version {
        case .v1:
            preamble = []
            labels = series[range].map { Self.labelPairs($0.labels) }
            seriesField = Field.v1Series
        case .v2:
            // Symbol 0 is the empty string by the specification.
            var symbols = [""]
            var numbers = ["": 0]
            func number(_ text: String) -> Int {
                if let known = numbers[text] { return known }
                numbers[text] = symbols.count
                symbols.append(text)
                return symbols.count - 1
            }
            labels = series[range].map { Self.references($0.labels.flatMap { [number($0.name), number($0.value)] }) }
            var writer = ByteWriter()
            for symbol in symbols {
                writer.u8(Field.v2Symbol)
                writer.lengthPrefixed(symbol)
            }
            preamble = writer.bytes
            seriesField = Field.v2Series
        }
    }

    /// The message with one sample a series.
    func message(timestamp: Int64, value: (Int) -> Double) -> [UInt8] {
        var message = ByteWriter(reserving: preamble.count + labels.reduce(0) { $0 + $1.count + 32 })
        message.raw(preamble)
        var sample = ByteWriter(reserving: 32)
        for (index, labels) in zip(range, labels) {
            sample.removeAll()
            sample.u8(Field.value)
            sample.u64(value(index).bitPattern)
            sample.u8(Field.timestamp)
            sample.varint(UInt64(bitPattern: timestamp))
            message.u8(seriesField)
            message.varint(UInt64(labels.count + 2 + sample.count))
            message.raw(labels)
            message.u8(Field.samples)
            message.u8(UInt8(sample.count))
            message.raw(sample.bytes)
        }
        return message.bytes
    }

    private static func labelPairs(_ labels: [(name: String, value: String)]) -> [UInt8] {
        var writer = ByteWriter()
        for label in labels {
            var pair = ByteWriter()
            pair.u8(Field.name)
            pair.lengthPrefixed(label.name)
            pair.u8(Field.labelValue)
            pair.lengthPrefixed(label.value)
            writer.u8(Field.labels)
            writer.varint(UInt64(pair.count))
            writer.raw(pair.bytes)
        }
        return writer.bytes
    }

    private static func references(_ numbers: [Int]) -> [UInt8] {
        var packed = ByteWriter()
        for number in numbers { packed.varint(UInt64(number)) }
        var writer = ByteWriter()
        writer.u8(Field.labels)
        writer.varint(UInt64(packed.count))
        writer.raw(packed.bytes)
        return writer.bytes
    }
}
