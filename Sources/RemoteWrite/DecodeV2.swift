internal import Bytes
internal import Samples

/// Remote write 2.0: `Request { repeated string symbols = 4; repeated TimeSeries timeseries = 5; }`.
extension RequestDecoder {
    mutating func decodeV2(_ body: RawSpan, into encoder: inout BatchEncoder) throws(DecodeError) {
        try readSymbols(body)
        var reader = ByteReader(body)
        while !reader.isAtEnd {
            place = reader.offset
            do throws(ByteError) {
                let tag = try reader.varint()
                if tag == 5 << 3 | FieldReader.bytes {
                    try seriesV2(try reader.lengthPrefixed(), in: body, into: &encoder)
                } else {
                    try FieldReader.skip(tag, &reader)
                }
            } catch {
                throw Self.malformed(at: place)
            }
            if let fault { throw fault }
        }
    }

    /// The whole symbol table first: nothing says that it comes before the series.
    private mutating func readSymbols(_ body: RawSpan) throws(DecodeError) {
        symbols.removeAll()
        var hasSeries = false
        var reader = ByteReader(body)
        while !reader.isAtEnd {
            let place = reader.offset
            do throws(ByteError) {
                let tag = try reader.varint()
                if tag == 4 << 3 | FieldReader.bytes {
                    let symbol = try reader.lengthPrefixed()
                    symbols.append(symbol, at: reader.offset - symbol.byteCount, seed: seed)
                } else {
                    if tag == 5 << 3 | FieldReader.bytes { hasSeries = true }
                    try FieldReader.skip(tag, &reader)
                }
            } catch {
                throw Self.malformed(at: place)
            }
        }
        guard symbols.firstLength == 0 || (symbols.count == 0 && !hasSeries) else {
            throw DecodeError(reason: .firstSymbol, offset: 0)
        }
    }

    /// `TimeSeries { repeated uint32 labels_refs = 1; repeated Sample samples = 2; repeated Histogram histograms = 3;
    /// repeated Exemplar exemplars = 4; Metadata metadata = 5; int64 created_timestamp = 6; }`
    private mutating func seriesV2(
        _ message: RawSpan, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        var shape = SeriesShape(message)
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case Self.packedReferences:
                if shape.references.byteCount > 0 { shape.isScattered = true }
                shape.references = try reader.lengthPrefixed()
            case Self.plainReference:
                shape.isScattered = true
                try FieldReader.skip(tag, &reader)
            case 2 << 3 | FieldReader.bytes:
                shape.sampleCount += 1
                shape.sample = try reader.lengthPrefixed()
            case 5 << 3 | FieldReader.bytes:
                if shape.metadata.byteCount > 0 { shape.isPlain = false }
                shape.metadata = try reader.lengthPrefixed()
            case 6 << 3 | FieldReader.varint: shape.startTimestamp = Int64(bitPattern: try reader.varint())
            default:
                if tag == 3 << 3 | FieldReader.bytes { shape.histogramCount += 1 }
                shape.isPlain = false
                try FieldReader.skip(tag, &reader)
            }
        }
        guard shape.isScattered else { return try seriesV2(message, shape, in: body, into: &encoder) }
        let gathered = try Self.gatherReferences(message)
        // SAFETY: UInt8 has no padding.
        shape.references = unsafe gathered.bytes.span.bytes
        try seriesV2(message, shape, in: body, into: &encoder)
    }

    /// What is told from a series' fields before any of them is used.
    private struct SeriesShape: ~Escapable {
        var references: RawSpan
        /// The last sample, and the last metadata.
        var sample: RawSpan
        var metadata: RawSpan
        var sampleCount = 0
        var histogramCount = 0
        var startTimestamp: Int64 = 0
        /// The references are not one packed field: legal protobuf, though no sender we know writes it.
        var isScattered = false
        /// It has no field that must be looked at again, if it has no more than one sample.
        var isPlain = true

        @_lifetime(copy message)
        init(_ message: RawSpan) {
            references = message.extracting(0..<0)
            sample = references
            metadata = references
        }
    }

    /// Field 1 of a series and of an exemplar, in both forms that protobuf has for numbers.
    private static var packedReferences: UInt64 { 1 << 3 | FieldReader.bytes }
    private static var plainReference: UInt64 { 1 << 3 | FieldReader.varint }

    /// The references of a message as one packed field has them.
    private static func gatherReferences(_ message: RawSpan) throws(ByteError) -> ByteWriter {
        var references = ByteWriter()
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case packedReferences: references.raw(try reader.lengthPrefixed())
            case plainReference: references.varint(try reader.varint())
            default: try FieldReader.skip(tag, &reader)
            }
        }
        return references
    }

    private mutating func seriesV2(
        _ message: RawSpan, _ shape: SeriesShape, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        let references = shape.references
        let values = shape.sampleCount + shape.histogramCount
        guard let entry = try entryV2(references, in: body, into: &encoder) else {
            if let rejection { reject(rejection, values, of: references, in: body) }
            return
        }
        if values == 0 { return reject(.noValues, values, of: references, in: body) }
        if shape.sampleCount > 0, shape.histogramCount > 0 {
            return reject(.mixedSamplesAndHistograms, values, of: references, in: body)
        }
        var metadata = MetadataMessage()
        if shape.isPlain, shape.sampleCount == 1 {
            try sampleV2(shape.sample, references, in: body, entry, shape.startTimestamp, into: &encoder)
            try metadata.merge(shape.metadata)
        } else {
            try valuesV2(message, shape, in: body, entry, &metadata, into: &encoder)
        }
        if fault != nil { return }
        try metadataV2(metadata, of: references, in: body, into: &encoder)
    }

    private mutating func sampleV2(
        _ message: RawSpan, _ references: RawSpan, in body: RawSpan, _ entry: BatchEncoder.Entry,
        _ startTimestamp: Int64, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        let sample = try SampleMessage(message)
        if accepts(sample.timestamp) {
            add(sample, startTimestamp: startTimestamp, to: entry, into: &encoder)
        } else {
            reject(refusal(of: sample.timestamp), 1, of: references, in: body)
        }
    }

    private mutating func valuesV2(
        _ message: RawSpan, _ shape: SeriesShape, in body: RawSpan, _ entry: BatchEncoder.Entry,
        _ metadata: inout MetadataMessage, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 2 << 3 | FieldReader.bytes:
                let sample = try reader.lengthPrefixed()
                try sampleV2(sample, shape.references, in: body, entry, shape.startTimestamp, into: &encoder)
            case 3 << 3 | FieldReader.bytes:
                let histogram = try reader.lengthPrefixed()
                if let refused = try addHistogram(
                    histogram, source: .v2, startTimestamp: shape.startTimestamp, to: entry, into: &encoder)
                {
                    reject(refused, 1, of: shape.references, in: body)
                }
            case 4 << 3 | FieldReader.bytes:
                try exemplarV2(try reader.lengthPrefixed(), in: body, of: entry, into: &encoder)
            case 5 << 3 | FieldReader.bytes: try metadata.merge(try reader.lengthPrefixed())
            default: try FieldReader.skip(tag, &reader)
            }
            if fault != nil { return }
        }
    }

    /// The series that `references` name; nil when it is refused.
    private mutating func entryV2(
        _ references: RawSpan, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) -> BatchEncoder.Entry? {
        // The seed differs from v1's: a region of v1 is never a list of hashes.
        let key = try symbols.seriesKey(of: references, limit: 2 * limits.labelsPerSeries, seed: ~seed)
        if let key, let known = encoder.find(key) { return known }
        rejection = nil
        let metric = try readLabels(references, in: body, into: &encoder)
        guard let key else {
            // What has no key has no label set either; who reads it says why.
            assert(rejection != nil || fault != nil)
            return nil
        }
        return define(key, metric: metric, into: &encoder)
    }

    /// The pairs of `references` into `labels`; the value of `__name__`.
    @_lifetime(copy body)
    private mutating func readLabels(
        _ references: RawSpan, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) -> RawSpan {
        labels.start()
        var last = body.extracting(0..<0)
        var metric = last
        var reader = ByteReader(references)
        // Charged also when the set is refused later: the work is done.
        defer { _ = expand(labels.byteCount) }
        while !reader.isAtEnd, rejection == nil {
            guard let pair = try nextPair(&reader) else { break }
            let (name, value) = (symbols.bytes(pair.name, in: body), symbols.bytes(pair.value, in: body))
            rejection = labels.add(
                name: name, value: value, key: SymbolTable.labelKey(name: pair.name, value: pair.value), after: last,
                to: &encoder)
            last = name
            if LabelSet.isMetricName(name) { metric = value }
            // Not only when the set is whole: one large symbol may be each value's.
            if labels.byteCount > limits.expandedLabelBytes { break }
        }
        return metric
    }

    /// The next two references; nil, and the series is refused, when they are none.
    @_lifetime(reader: copy reader)
    private mutating func nextPair(_ reader: inout ByteReader) throws(ByteError) -> (name: Int, value: Int)? {
        let name = try reader.varint()
        guard !reader.isAtEnd else {
            rejection = name < UInt64(symbols.count) ? .oddReferences : outOfRange(name)
            return nil
        }
        let value = try reader.varint()
        guard max(name, value) < UInt64(symbols.count) else {
            rejection = outOfRange(max(name, value))
            return nil
        }
        return (Int(name), Int(value))
    }

    private func outOfRange(_ reference: UInt64) -> Rejection {
        .symbolOutOfRange(reference: reference, count: symbols.count)
    }

    /// Notes that `count` values were refused, under the series' name as far as its references give one.
    private mutating func reject(
        _ refused: Rejection, _ count: Int, of references: RawSpan, in body: RawSpan, kind: String = ""
    ) {
        let series = result.isTextFull ? "" : kind + description(ofV2: references, in: body)
        result.reject(refused, count: count, series: series)
    }

    private func description(ofV2 references: RawSpan, in body: RawSpan) -> String {
        var text = LabelText()
        do throws(ByteError) {
            var reader = ByteReader(references)
            while !reader.isAtEnd, !text.isFull {
                let name = try reader.varint()
                if reader.isAtEnd { break }
                let value = try reader.varint()
                guard max(name, value) < UInt64(symbols.count) else { break }
                text.add(name: symbols.bytes(Int(name), in: body), value: symbols.bytes(Int(value), in: body))
            }
        } catch {}  // malformed: what came before names it
        return text.description
    }

    /// `Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }`
    private mutating func exemplarV2(
        _ message: RawSpan, in body: RawSpan, of entry: BatchEncoder.Entry, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        rejection = nil
        var references = message.extracting(0..<0)
        var isScattered = false
        var value: UInt64 = 0
        var timestamp: Int64 = 0
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case Self.packedReferences:
                if references.byteCount > 0 { isScattered = true }
                references = try reader.lengthPrefixed()
            case Self.plainReference:
                isScattered = true
                try FieldReader.skip(tag, &reader)
            case 2 << 3 | FieldReader.fixed64: value = try reader.u64()
            case 3 << 3 | FieldReader.varint: timestamp = Int64(bitPattern: try reader.varint())
            default: try FieldReader.skip(tag, &reader)
            }
        }
        if isScattered {
            let gathered = try Self.gatherReferences(message)
            // SAFETY: UInt8 has no padding.
            try exemplar(unsafe gathered.bytes.span.bytes, value, timestamp, in: body, of: entry, into: &encoder)
        } else {
            try exemplar(references, value, timestamp, in: body, of: entry, into: &encoder)
        }
    }

    private mutating func exemplar(
        _ references: RawSpan, _ value: UInt64, _ timestamp: Int64, in body: RawSpan, of entry: BatchEncoder.Entry,
        into encoder: inout BatchEncoder
    ) throws(ByteError) {
        _ = try readLabels(references, in: body, into: &encoder)
        if let refused = addExemplar(value: value, timestamp: timestamp, of: entry, into: &encoder) {
            reject(refused, 0, of: references, in: body, kind: "exemplar ")
        }
    }

    /// `Metadata { type = 1; uint32 help_ref = 3; uint32 unit_ref = 4; }`; the family is the series' own name.
    private struct MetadataMessage {
        var type: UInt64 = 0
        var help: UInt64 = 0
        var unit: UInt64 = 0

        /// A message that comes in several fields is one: what a later one says counts.
        mutating func merge(_ message: RawSpan) throws(ByteError) {
            var reader = ByteReader(message)
            while !reader.isAtEnd {
                let tag = try reader.varint()
                switch tag {
                case 1 << 3 | FieldReader.varint: type = try reader.varint()
                case 3 << 3 | FieldReader.varint: help = try reader.varint()
                case 4 << 3 | FieldReader.varint: unit = try reader.varint()
                default: try FieldReader.skip(tag, &reader)
                }
            }
        }
    }

    private mutating func metadataV2(
        _ metadata: MetadataMessage, of references: RawSpan, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        let (help, unit) = (metadata.help, metadata.unit)
        guard metadata.type != 0 || help != 0 || unit != 0 else { return }
        guard max(help, unit) < UInt64(symbols.count), let family = try metricName(of: references, in: body) else {
            let refused = Rejection.symbolOutOfRange(reference: max(help, unit), count: symbols.count)
            return reject(refused, 0, of: references, in: body)
        }
        addMetadata(
            type: metadata.type, family: symbols.bytes(family, in: body), help: symbols.bytes(Int(help), in: body),
            unit: symbols.bytes(Int(unit), in: body), into: &encoder)
    }

    /// Symbol of the value of `__name__`.
    private func metricName(of references: RawSpan, in body: RawSpan) throws(ByteError) -> Int? {
        var reader = ByteReader(references)
        while !reader.isAtEnd {
            let name = try reader.varint()
            let value = try reader.varint()
            guard max(name, value) < UInt64(symbols.count) else { return nil }
            if LabelSet.isMetricName(symbols.bytes(Int(name), in: body)) { return Int(value) }
        }
        return nil
    }
}
