internal import Bytes
package import Samples

/// Decodes `prometheus.WriteRequest` (remote write 1.0) and `io.prometheus.write.v2.Request` (2.0-rc.4) from a borrowed
/// body straight into a `BatchEncoder`: one pass, no String a label, no array a series.
///
/// A series is found by one keyed hash of its encoded labels; only a series the segment does not know yet is looked at
/// closer, checked and written out.
package struct RequestDecoder: ~Copyable {
    /// The streams a series belongs to, from its metric's name; empty = no filter wants it.
    package typealias Classifier = @Sendable (RawSpan) -> Streams

    let limits: DecodeLimits
    let seed: UInt64
    let keepsOthers: Bool
    let classify: Classifier
    var labels: LabelSet
    var scratch = ByteWriter()
    var symbols = SymbolTable()
    var result = DecodeResult()
    var expandedBytes = 0
    /// Why the series in work is refused.
    var rejection: Rejection?
    /// Set where the whole request must be refused: it ends there.
    var fault: DecodeError?
    /// Byte offset of the series in work.
    var place = 0
    /// Values later than this are refused: set for each request where `limits.future_time` is.
    package var latestTimestamp = SampleTime.bounds.upperBound
    /// What `latestTimestamp` is counted from now; for the message.
    package var futureTolerance = Duration.zero

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
        labels = LabelSet(limits: limits)
    }

    /// Adds what the body holds to the encoder's batch. When it throws, start a new batch: nothing of this one counts.
    package mutating func decode(
        _ body: RawSpan, source: WriteProtocol, into encoder: inout BatchEncoder
    ) throws(DecodeError) -> DecodeResult {
        result = DecodeResult()
        expandedBytes = 0
        fault = nil
        switch source {
        case .v1: try decodeV1(body, into: &encoder)
        case .v2: try decodeV2(body, into: &encoder)
        }
        return result
    }

    /// Writes the new series whose labels are in `labels` to the segment, if it is one.
    /// - Parameter metric: the value of `__name__`; empty without.
    mutating func define(
        _ key: Hash128, metric: RawSpan, into encoder: inout BatchEncoder
    ) -> BatchEncoder.Entry? {
        if rejection == nil, labels.numbers.isEmpty { rejection = .noLabels }
        if rejection == nil, metric.byteCount == 0 { rejection = .noName }
        guard rejection == nil, fault == nil else { return nil }
        return encoder.define(key, streams: classify(metric), labels: labels.numbers)
    }

    /// Counts bytes that the request is expanded by: a symbol of v2 can be referred to any number of times.
    /// - Returns: false, and the request ends, when they are over the limit.
    mutating func expand(_ bytes: Int) -> Bool {
        // No overflow: both are at most the limits' sum, far below 63 bits.
        expandedBytes += bytes
        guard expandedBytes > limits.expandedLabelBytes else { return true }
        fault = fault ?? DecodeError(reason: .expandedLabels(limit: limits.expandedLabelBytes), offset: place)
        return false
    }

    /// Whether one more value may be taken; else the request ends.
    mutating func hasRoom() -> Bool {
        let values = result.written.samples + result.written.histograms + result.written.exemplars
        guard values >= limits.valuesPerRequest else { return true }
        fault = fault ?? DecodeError(reason: .tooManyValues(limit: limits.valuesPerRequest), offset: place)
        return false
    }

    func accepts(_ timestamp: Int64) -> Bool {
        timestamp >= SampleTime.bounds.lowerBound && timestamp <= latestTimestamp
    }

    /// Why a timestamp that `accepts` refused is refused.
    func refusal(of timestamp: Int64) -> Rejection {
        SampleTime.bounds.contains(timestamp)
            ? .inFuture(timestamp, limit: futureTolerance) : .timestampOutOfRange(timestamp)
    }

    /// Stores a sample whose timestamp is accepted.
    mutating func add(
        _ sample: SampleMessage, startTimestamp: Int64, to entry: BatchEncoder.Entry, into encoder: inout BatchEncoder
    ) {
        guard hasRoom() else { return }
        result.written.samples += 1
        switch entry {
        case .filtered: result.filteredSamples += 1
        case .reference(let reference):
            let start = sample.startTimestamp != 0 ? sample.startTimestamp : startTimestamp
            encoder.addSample(
                reference, timestamp: sample.timestamp, value: sample.value, startTimestamp: start)
        }
    }

    /// Stores a histogram; or says why not.
    /// - Parameter startTimestamp: of its series, where the histogram itself has none.
    mutating func addHistogram(
        _ message: RawSpan, source: WriteProtocol, startTimestamp: Int64 = 0, to entry: BatchEncoder.Entry,
        into encoder: inout BatchEncoder
    ) throws(ByteError) -> Rejection? {
        let histogram = try NativeHistogram(message)
        if let fault = histogram.fault { return .histogram(fault) }
        guard accepts(histogram.timestamp) else { return refusal(of: histogram.timestamp) }
        guard hasRoom() else { return nil }
        result.written.histograms += 1
        guard keepsOthers, case .reference(let reference) = entry else { return nil }
        guard startTimestamp != 0, histogram.startTimestamp == 0 else {
            encoder.addHistogram(reference, timestamp: histogram.timestamp, from: source, message: message)
            return nil
        }
        scratch.removeAll()
        scratch.raw(message)
        scratch.varint(17 << 3 | FieldReader.varint)
        scratch.varint(UInt64(bitPattern: startTimestamp))
        // SAFETY: UInt8 has no padding.
        let whole = unsafe scratch.bytes.span.bytes
        encoder.addHistogram(reference, timestamp: histogram.timestamp, from: source, message: whole)
        return nil
    }

    mutating func addMetadata(
        type: UInt64, family: RawSpan, help: RawSpan, unit: RawSpan, into encoder: inout BatchEncoder
    ) {
        guard expand(family.byteCount + help.byteCount + unit.byteCount) else { return }
        guard LabelSet.isUTF8(family), LabelSet.isUTF8(help), LabelSet.isUTF8(unit) else {
            result.reject(.invalidUTF8, count: 0, series: "metadata of " + LabelText.of(family))
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
