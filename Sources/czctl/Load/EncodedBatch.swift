internal import Bytes

/// The labels of one request's series, encoded once: only the samples differ from request to request.
///
/// Messages: `prometheus.WriteRequest` (v1) and `io.prometheus.write.v2.Request`, of the Remote-Write specifications.
struct EncodedBatch: Sendable {
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
            labels = series[range].map {
                WriteRequestBody.labels($0.labels.map { (name: Array($0.name.utf8), value: Array($0.value.utf8)) })
            }
            seriesField = WriteField.v1Series
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
                writer.u8(WriteField.v2Symbol)
                writer.lengthPrefixed(symbol)
            }
            preamble = writer.bytes
            seriesField = WriteField.v2Series
        }
    }

    /// The message with one sample a series.
    func message(timestamp: Int64, value: (Int) -> Double) -> [UInt8] {
        var message = ByteWriter(reserving: preamble.count + labels.reduce(0) { $0 + $1.count + 32 })
        message.raw(preamble)
        var sample = ByteWriter(reserving: 32)
        for (index, labels) in zip(range, labels) {
            message.series(seriesField, labels, timestamp: timestamp, value: value(index).bitPattern, by: &sample)
        }
        return message.bytes
    }

    private static func references(_ numbers: [Int]) -> [UInt8] {
        var packed = ByteWriter()
        for number in numbers { packed.varint(UInt64(number)) }
        var writer = ByteWriter()
        writer.u8(WriteField.labels)
        writer.varint(UInt64(packed.count))
        writer.raw(packed.bytes)
        return writer.bytes
    }
}
