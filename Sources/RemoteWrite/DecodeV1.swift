internal import Bytes
internal import Samples

/// Remote write 1.0: `WriteRequest { repeated TimeSeries timeseries = 1; repeated MetricMetadata metadata = 3; }`.
extension RequestDecoder {
    mutating func decodeV1(_ body: RawSpan, into encoder: inout BatchEncoder) throws(DecodeError) {
        var reader = ByteReader(body)
        while !reader.isAtEnd {
            place = reader.offset
            do throws(ByteError) {
                let tag = try reader.varint()
                switch tag {
                case 1 << 3 | FieldReader.bytes:
                    let message = try reader.lengthPrefixed()
                    try seriesV1(message, into: &encoder)
                case 3 << 3 | FieldReader.bytes:
                    try metadataV1(try reader.lengthPrefixed(), into: &encoder)
                default: try FieldReader.skip(tag, &reader)
                }
            } catch {
                throw Self.malformed(at: place)
            }
            if let fault { throw fault }
        }
    }

    /// `TimeSeries { repeated Label labels = 1; repeated Sample samples = 2; repeated Exemplar exemplars = 3;
    /// repeated Histogram histograms = 4; }`
    private mutating func seriesV1(
        _ message: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        // Labels come first in what every sender makes: then their bytes are one region, hashed where it lies.
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let start = reader.offset
            guard try reader.varint() == 1 << 3 | FieldReader.bytes else {
                reader = ByteReader(message)
                try reader.skip(start)
                break
            }
            _ = try reader.lengthPrefixed()
        }
        var rest = reader
        guard try hasLabels(&rest) else {
            return try valuesV1(&reader, of: message.extracting(0..<reader.offset), into: &encoder)
        }
        let gathered = try gatherLabels(message)
        // SAFETY: UInt8 has no padding.
        try valuesV1(&reader, of: unsafe gathered.bytes.span.bytes, into: &encoder)
    }

    /// What follows the labels of a series, which are in `region`.
    @_lifetime(reader: copy reader)
    private mutating func valuesV1(
        _ reader: inout ByteReader, of region: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        guard let entry = try entryV1(region, into: &encoder) else {
            try rejectRestV1(&reader, of: region)
            return
        }
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 2 << 3 | FieldReader.bytes:
                var sample = try SampleMessage(try reader.lengthPrefixed())
                sample.startTimestamp = 0  // field 3 is none of 1.0
                if accepts(sample.timestamp) {
                    add(sample, startTimestamp: 0, to: entry, into: &encoder)
                } else {
                    reject(refusal(of: sample.timestamp), 1, of: region)
                }
            case 3 << 3 | FieldReader.bytes:
                try exemplarV1(try reader.lengthPrefixed(), of: entry, into: &encoder)
            case 4 << 3 | FieldReader.bytes:
                let histogram = try reader.lengthPrefixed()
                if let refused = try addHistogram(histogram, source: .v1, to: entry, into: &encoder) {
                    reject(refused, 1, of: region)
                }
            default: try FieldReader.skip(tag, &reader)
            }
            if fault != nil { return }
        }
    }

    /// Whether labels come behind something else: legal protobuf, though no sender we know writes it.
    @_lifetime(reader: copy reader)
    private func hasLabels(_ reader: inout ByteReader) throws(ByteError) -> Bool {
        while !reader.isAtEnd {
            let tag = try reader.varint()
            if tag == 1 << 3 | FieldReader.bytes { return true }
            try FieldReader.skip(tag, &reader)
        }
        return false
    }

    /// The label fields of a series, one behind the other.
    private func gatherLabels(_ message: RawSpan) throws(ByteError) -> ByteWriter {
        var labels = ByteWriter()
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let start = reader.offset
            let tag = try reader.varint()
            try FieldReader.skip(tag, &reader)
            if tag == 1 << 3 | FieldReader.bytes { labels.raw(reader.consumed(since: start)) }
        }
        return labels
    }

    /// The series of a label region; nil when it is refused.
    private mutating func entryV1(
        _ region: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) -> BatchEncoder.Entry? {
        let key = Hash128(of: region, seed: seed)
        if let known = encoder.find(key) { return known }
        labels.start()
        rejection = nil
        var reader = ByteReader(region)
        var last = region.extracting(0..<0)
        var metric = last
        while !reader.isAtEnd {
            _ = try reader.varint()
            let message = try reader.lengthPrefixed()
            let label = try LabelMessage(message)
            if rejection == nil { rejection = add(label, of: message, after: last, to: &encoder) }
            last = label.name
            if LabelSet.isMetricName(last) { metric = label.value }
        }
        guard expand(labels.byteCount) else { return nil }
        return define(key, metric: metric, into: &encoder)
    }

    private mutating func add(
        _ label: LabelMessage, of message: RawSpan, after last: RawSpan, to encoder: inout BatchEncoder
    ) -> Rejection? {
        // Of the whole message: name and value stand one behind the other.
        labels.add(
            name: label.name, value: label.value, key: Hash128(of: message, seed: seed), after: last, to: &encoder)
    }

    /// Notes that values of a series were refused.
    private mutating func reject(_ refused: Rejection, _ count: Int, of region: RawSpan) {
        result.reject(refused, count: count, series: Self.description(ofV1: region))
    }

    /// The labels of a series, or those of an exemplar's message, for a message.
    private static func description(ofV1 message: RawSpan) -> String {
        var text = LabelText()
        do throws(ByteError) {
            var reader = ByteReader(message)
            while !reader.isAtEnd {
                let tag = try reader.varint()
                guard tag == 1 << 3 | FieldReader.bytes else {
                    try FieldReader.skip(tag, &reader)
                    continue
                }
                let label = try LabelMessage(try reader.lengthPrefixed())
                text.add(name: label.name, value: label.value)
            }
        } catch {}  // malformed: what came before names it
        return text.description
    }

    /// Counts the values of a refused series.
    @_lifetime(reader: copy reader)
    private mutating func rejectRestV1(_ reader: inout ByteReader, of region: RawSpan) throws(ByteError) {
        var values = 0
        while !reader.isAtEnd {
            let tag = try reader.varint()
            if tag == 2 << 3 | FieldReader.bytes || tag == 4 << 3 | FieldReader.bytes { values += 1 }
            try FieldReader.skip(tag, &reader)
        }
        if let rejection { reject(rejection, values, of: region) }
    }

    /// `Exemplar { repeated Label labels = 1; double value = 2; int64 timestamp = 3; }`
    private mutating func exemplarV1(
        _ message: RawSpan, of entry: BatchEncoder.Entry, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        labels.start()
        rejection = nil
        var last = message.extracting(0..<0)
        var value: UInt64 = 0
        var timestamp: Int64 = 0
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.bytes:
                let labelMessage = try reader.lengthPrefixed()
                let label = try LabelMessage(labelMessage)
                if rejection == nil { rejection = add(label, of: labelMessage, after: last, to: &encoder) }
                last = label.name
            case 2 << 3 | FieldReader.fixed64: value = try reader.u64()
            case 3 << 3 | FieldReader.varint: timestamp = Int64(bitPattern: try reader.varint())
            default: try FieldReader.skip(tag, &reader)
            }
        }
        if let refused = addExemplar(value: value, timestamp: timestamp, of: entry, into: &encoder) {
            result.reject(refused, count: 0, series: "exemplar " + Self.description(ofV1: message))
        }
    }

    /// Of an exemplar's labels. OpenMetrics allows 128 characters; in v2 one symbol can be many labels, and a file has
    /// each exemplar's written out.
    private static var exemplarByteLimit: Int { 4096 }

    /// Stores the exemplar whose labels are in `labels`; or says why not.
    mutating func addExemplar(
        value: UInt64, timestamp: Int64, of entry: BatchEncoder.Entry, into encoder: inout BatchEncoder
    ) -> Rejection? {
        if let rejection { return rejection }
        guard labels.byteCount <= Self.exemplarByteLimit else {
            return .exemplarTooLong(bytes: labels.byteCount, limit: Self.exemplarByteLimit)
        }
        guard accepts(timestamp) else { return refusal(of: timestamp) }
        guard hasRoom() else { return nil }
        result.written.exemplars += 1
        guard keepsOthers, case .reference(let reference) = entry else { return nil }
        encoder.addExemplar(reference, timestamp: timestamp, value: value, labels: labels.numbers)
        return nil
    }

    /// `MetricMetadata { type = 1; metric_family_name = 2; help = 4; unit = 5; }`
    private mutating func metadataV1(_ message: RawSpan, into encoder: inout BatchEncoder) throws(ByteError) {
        var type: UInt64 = 0
        var family = message.extracting(0..<0)
        var help = message.extracting(0..<0)
        var unit = message.extracting(0..<0)
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.varint: type = try reader.varint()
            case 2 << 3 | FieldReader.bytes: family = try reader.lengthPrefixed()
            case 4 << 3 | FieldReader.bytes: help = try reader.lengthPrefixed()
            case 5 << 3 | FieldReader.bytes: unit = try reader.lengthPrefixed()
            default: try FieldReader.skip(tag, &reader)
            }
        }
        addMetadata(type: type, family: family, help: help, unit: unit, into: &encoder)
    }
}
