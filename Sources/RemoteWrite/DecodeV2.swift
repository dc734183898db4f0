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
        var shape = SeriesShape()
        var references = message.extracting(0..<0)
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case Self.packedReferences:
                if references.byteCount > 0 { shape.isScattered = true }
                references = try reader.lengthPrefixed()
            case Self.plainReference:
                shape.isScattered = true
                try FieldReader.skip(tag, &reader)
            case 6 << 3 | FieldReader.varint: shape.startTimestamp = Int64(bitPattern: try reader.varint())
            default:
                if tag == 2 << 3 | FieldReader.bytes { shape.sampleCount += 1 }
                if tag == 3 << 3 | FieldReader.bytes { shape.histogramCount += 1 }
                try FieldReader.skip(tag, &reader)
            }
        }
        guard shape.isScattered else { return try seriesV2(message, references, in: body, shape, into: &encoder) }
        let gathered = try Self.gatherReferences(message)
        // SAFETY: UInt8 has no padding.
        try seriesV2(message, unsafe gathered.bytes.span.bytes, in: body, shape, into: &encoder)
    }

    /// What is told from a series' fields before any of them is used.
    private struct SeriesShape {
        var sampleCount = 0
        var histogramCount = 0
        var startTimestamp: Int64 = 0
        /// The references are not one packed field: legal protobuf, though no sender we know writes it.
        var isScattered = false
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
        _ message: RawSpan, _ references: RawSpan, in body: RawSpan, _ shape: SeriesShape,
        into encoder: inout BatchEncoder
    ) throws(ByteError) {
        let values = shape.sampleCount + shape.histogramCount
        guard let entry = try entryV2(references, in: body, into: &encoder) else {
            if let rejection { reject(rejection, values, of: references, in: body) }
            return
        }
        if values == 0 { return reject(.noValues, values, of: references, in: body) }
        if shape.sampleCount > 0, shape.histogramCount > 0 {
            return reject(.mixedSamplesAndHistograms, values, of: references, in: body)
        }
        try valuesV2(message, references, in: body, entry, startTimestamp: shape.startTimestamp, into: &encoder)
    }

    private mutating func valuesV2(
        _ message: RawSpan, _ references: RawSpan, in body: RawSpan, _ entry: SeriesTable.Entry, startTimestamp: Int64,
        into encoder: inout BatchEncoder
    ) throws(ByteError) {
        var metadata = MetadataMessage()
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 2 << 3 | FieldReader.bytes:
                let sample = try SampleMessage(try reader.lengthPrefixed())
                if accepts(sample.timestamp) {
                    add(sample, startTimestamp: startTimestamp, to: entry, into: &encoder)
                } else {
                    reject(refusal(of: sample.timestamp), 1, of: references, in: body)
                }
            case 3 << 3 | FieldReader.bytes:
                let histogram = try reader.lengthPrefixed()
                if let refused = try addHistogram(histogram, source: .v2, to: entry, into: &encoder) {
                    reject(refused, 1, of: references, in: body)
                }
            case 4 << 3 | FieldReader.bytes:
                try exemplarV2(try reader.lengthPrefixed(), in: body, of: entry, into: &encoder)
            case 5 << 3 | FieldReader.bytes: try metadata.merge(try reader.lengthPrefixed())
            default: try FieldReader.skip(tag, &reader)
            }
            if fault != nil { return }
        }
        try metadataV2(metadata, of: references, in: body, into: &encoder)
    }

    /// The series that `references` name; nil when it is refused.
    private mutating func entryV2(
        _ references: RawSpan, in body: RawSpan, into encoder: inout BatchEncoder
    ) throws(ByteError) -> SeriesTable.Entry? {
        rejection = nil
        symbols.startSeries()
        var reader = ByteReader(references)
        while !reader.isAtEnd {
            let reference = try reader.varint()
            guard symbols.refer(to: reference) else {
                labels.start()
                rejection = .symbolOutOfRange(reference: reference, count: symbols.count)
                return nil
            }
        }
        guard symbols.referenceCount % 2 == 0 else {
            labels.start()
            rejection = .oddReferences
            return nil
        }
        // The seed differs from v1's: a region of v1 is never a list of hashes.
        let key = symbols.seriesKey(seed: ~seed)
        if let known = encoder.find(key) { return known }
        labels.start()
        try labelsV2(references, in: body)
        if fault != nil { return nil }
        rejection = rejection ?? labels.finish()
        guard rejection == nil else { return nil }
        return define(key, into: &encoder)
    }

    /// The pairs of `references` into `labels`.
    private mutating func labelsV2(_ references: RawSpan, in body: RawSpan) throws(ByteError) {
        var reader = ByteReader(references)
        // Charged also when the set is refused later: the work is done.
        defer { _ = expand(labels.byteCount) }
        while !reader.isAtEnd, rejection == nil {
            let name = try reader.varint()
            guard !reader.isAtEnd else {
                rejection = .oddReferences
                return
            }
            let value = try reader.varint()
            guard max(name, value) < UInt64(symbols.count) else {
                rejection = .symbolOutOfRange(reference: max(name, value), count: symbols.count)
                return
            }
            rejection = labels.add(
                name: symbols.bytes(Int(name), in: body), value: symbols.bytes(Int(value), in: body))
            // Not only when the set is whole: one large symbol may be each value's.
            if labels.byteCount > limits.expandedLabelBytes { return }
        }
    }

    /// Notes that `count` values were refused, under the series' name as far as its references give one.
    private mutating func reject(_ refused: Rejection, _ count: Int, of references: RawSpan, in body: RawSpan) {
        if !result.isTextFull {
            let (charged, faultBefore) = (expandedBytes, fault)
            labels.start()
            rejection = nil
            do throws(ByteError) { try labelsV2(references, in: body) } catch {}  // what came before names it
            (expandedBytes, fault) = (charged, faultBefore)  // bounded by the text's length
        }
        result.reject(refused, count: count, series: labels.description)
    }

    /// `Exemplar { repeated uint32 labels_refs = 1; double value = 2; int64 timestamp = 3; }`
    private mutating func exemplarV2(
        _ message: RawSpan, in body: RawSpan, of entry: SeriesTable.Entry, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        labels.start()
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
            try labelsV2(unsafe gathered.bytes.span.bytes, in: body)
        } else {
            try labelsV2(references, in: body)
        }
        addExemplar(value: value, timestamp: timestamp, of: entry, into: &encoder)
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
            if LabelSetBuilder.isMetricName(symbols.bytes(Int(name), in: body)) { return Int(value) }
        }
        return nil
    }
}
