internal import Bytes
package import Samples

/// Decodes `prometheus.WriteRequest` (remote write 1.0) and `io.prometheus.write.v2.Request` (2.0-rc.4) from a borrowed
/// body straight into a `BatchEncoder`: one pass, no String a label, no array a series.
///
/// A series is found by one keyed hash of its encoded labels; only a series the segment does not know yet is looked at
/// closer, checked and written out.
package struct RequestDecoder: ~Copyable {
    /// The streams a series belongs to, from its canonical labels; empty = no filter wants it.
    package typealias Classifier = @Sendable (RawSpan) -> Streams

    let limits: DecodeLimits
    let seed: UInt64
    let keepsOthers: Bool
    let classify: Classifier
    var labels: LabelSetBuilder
    var scratch = ByteWriter()
    var symbols = SymbolTable()
    var result = DecodeResult()
    var expandedBytes = 0
    /// Why the series in work is refused.
    var rejection: Rejection?
    /// Set when a new series passes the request's limit: the request ends there.
    var tooLarge: DecodeError?

    /// - Parameters:
    ///   - seed: of the hashes that name series; a secret of the volume.
    ///   - keepsOthers: whether histograms, exemplars and metadata go to the log, or are dropped because no destination
    ///     takes them (design.md §3).
    package init(
        limits: DecodeLimits, seed: UInt64, keepsOthers: Bool, classify: @escaping Classifier
    ) {
        self.limits = limits
        self.seed = seed
        self.keepsOthers = keepsOthers
        self.classify = classify
        labels = LabelSetBuilder(limits: limits)
    }

    /// Adds what the body holds to the encoder's batch. When it throws, start a new batch: nothing of this one counts.
    package mutating func decode(
        _ body: RawSpan, source: WriteProtocol, into encoder: inout BatchEncoder
    ) throws(DecodeError) -> DecodeResult {
        result = DecodeResult()
        expandedBytes = 0
        tooLarge = nil
        switch source {
        case .v1: try decodeV1(body, into: &encoder)
        case .v2: try decodeV2(body, into: &encoder)
        }
        return result
    }

    /// Writes the new series in `labels` to the segment.
    mutating func define(
        _ key: Hash128, at offset: Int, into encoder: inout BatchEncoder
    ) throws(DecodeError) -> SeriesTable.Entry {
        let entry = labels.withCanonical { canonical -> SeriesTable.Entry? in
            expandedBytes += canonical.byteCount
            guard expandedBytes <= limits.expandedLabelBytes else { return nil }
            return encoder.define(key, streams: classify(canonical), labels: canonical)
        }
        guard let entry else {
            throw DecodeError(reason: .expandedLabels(limit: limits.expandedLabelBytes), offset: offset)
        }
        return entry
    }

    mutating func add(
        _ sample: SampleMessage, startTimestamp: Int64, to entry: SeriesTable.Entry, into encoder: inout BatchEncoder
    ) {
        guard SampleTime.bounds.contains(sample.timestamp) else {
            result.reject(.timestampOutOfRange(sample.timestamp), count: 1, series: "(known)")
            return
        }
        result.written.samples += 1
        switch entry {
        case .filtered: result.filteredSamples += 1
        case .reference(let reference):
            let start = sample.startTimestamp != 0 ? sample.startTimestamp : startTimestamp
            encoder.addSample(
                reference, timestamp: sample.timestamp, value: sample.value, startTimestamp: start)
        }
    }

    mutating func addHistogram(
        _ message: RawSpan, source: WriteProtocol, to entry: SeriesTable.Entry, into encoder: inout BatchEncoder
    ) throws(ByteError) {
        let timestamp = try Int64(histogramTimestamp: message)
        guard SampleTime.bounds.contains(timestamp) else {
            result.reject(.timestampOutOfRange(timestamp), count: 1, series: "(known)")
            return
        }
        result.written.histograms += 1
        guard keepsOthers, case .reference(let reference) = entry else { return }
        encoder.addHistogram(reference, timestamp: timestamp, from: source, message: message)
    }

    mutating func addMetadata(
        type: UInt64, family: RawSpan, help: RawSpan, unit: RawSpan, into encoder: inout BatchEncoder
    ) {
        guard LabelSetBuilder.isUTF8(family), LabelSetBuilder.isUTF8(help), LabelSetBuilder.isUTF8(unit) else {
            result.reject(.invalidUTF8, count: 0, series: "metadata")
            return
        }
        result.written.metadata += 1
        guard keepsOthers else { return }
        scratch.removeAll()
        scratch.varint(type)
        scratch.lengthPrefixed(family)
        scratch.lengthPrefixed(help)
        scratch.raw(unit)
        // SAFETY: UInt8 has no padding.
        let key = Hash128(of: unsafe scratch.bytes.span.bytes, seed: seed)
        encoder.addMetadata(
            key, type: UInt32(truncatingIfNeeded: type), family: family, help: help, unit: unit)
    }

    static func malformed(at offset: Int) -> DecodeError { DecodeError(reason: .malformed, offset: offset) }
}
