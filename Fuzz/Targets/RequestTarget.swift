import Bytes
import RemoteWrite
import Samples

/// Limits that small inputs reach.
private let limits = DecodeLimits(
    labelsPerSeries: 6, labelNameBytes: 24, labelValueBytes: 48, expandedLabelBytes: 512, valuesPerRequest: 100)

/// A body through decoder, encoder and reader: what was counted is what the log would hold, the same on every turn.
func fuzzRequest(_ input: UnsafeRawBufferPointer, _ source: WriteProtocol) {
    let body = [UInt8](input)
    // One series in four is of no stream, so that filtered and stored samples mix.
    var decoder = RequestDecoder(limits: limits, seed: 42, keepsOthers: true) { $0.byteCount % 4 == 0 ? [] : .cost }
    var encoder = BatchEncoder()
    let first = decode(body, source, &decoder, &encoder)
    require(encoder.startBatchAgain() == 0, "a batch that was given up left series behind")
    let second = decode(body, source, &decoder, &encoder)
    require(first == second, "a body was read differently after a batch that was given up")
    guard case .success(let result) = second else {
        require(encoder.startBatchAgain() == 0, "a request that was refused left series behind")
        return
    }
    let stored = check(result, &encoder, source)
    // All series are the segment's now: found by their hash, not looked at again.
    guard case .success(let known) = decode(body, source, &decoder, &encoder) else {
        fatalError("a body was refused the second time")
    }
    let storedAgain = check(known, &encoder, source)
    require(known.written == result.written, "a known series is counted otherwise")
    require(known.rejected == result.rejected && known.filteredSamples == result.filteredSamples, "refused otherwise")
    require(storedAgain.series.isEmpty && storedAgain.metadata.isEmpty, "something was defined twice")
    require(
        storedAgain.references == stored.references && storedAgain.timestamps == stored.timestamps
            && storedAgain.values == stored.values && storedAgain.startTimestamps == stored.startTimestamps,
        "known series are stored otherwise")
}

extension BatchEncoder {
    /// Gives the batch up; series that are left.
    fileprivate mutating func startBatchAgain() -> Int {
        startBatch()
        return seriesCount
    }
}

private func decode(
    _ body: [UInt8], _ source: WriteProtocol, _ decoder: inout RequestDecoder, _ encoder: inout BatchEncoder
) -> Result<DecodeResult, DecodeError> {
    encoder.startBatch()
    do throws(DecodeError) {
        return .success(try decoder.decode(body.span.bytes, source: source, into: &encoder))
    } catch {
        require(error.offset >= 0 && error.offset <= body.count, "an error names a place that is none")
        return .failure(error)
    }
}

/// Encodes and reads back the batch of `result`.
private func check(_ result: DecodeResult, _ encoder: inout BatchEncoder, _ source: WriteProtocol) -> Batch {
    require(result.text.utf8.count <= DecodeResult.textByteLimit, "a long answer")
    require(result.text.isEmpty == (result.rejectedCount == 0), "an answer without reasons, or reasons for nothing")
    let header = BatchHeader(
        fingerprint: Hash128(low: 1, high: 2), receivedAt: 3, source: source,
        answer: BatchAnswer(
            status: result.text.isEmpty ? 204 : 400, written: result.written, rejectedSamples: result.rejectedCount,
            filteredSamples: result.filteredSamples, text: result.text))
    let isEmpty = encoder.isEmpty
    let encoded = encoder.encode(header)
    let batch: Batch
    do throws(BatchError) {
        batch = try Batch(payload: encoded.payload, isCompressed: encoded.isCompressed)
    } catch {
        fatalError("our own batch cannot be read: \(error)")
    }
    require(batch.header == header, "the header changed")
    require(batch.timestamps.count == encoded.rows, "rows")
    require(result.written.samples == batch.timestamps.count + result.filteredSamples, "written is not what is stored")
    require(batch.histograms.count <= result.written.histograms, "more histograms than counted")
    require(batch.exemplars.count <= result.written.exemplars, "more exemplars than counted")
    require(batch.metadata.count <= result.written.metadata, "more metadata than counted")
    require(encoded.hasOthers || batch.histograms.count + batch.exemplars.count + batch.metadata.count == 0, "others")
    require(!isEmpty || (batch.timestamps.isEmpty && !encoded.hasOthers), "an empty batch that holds something")
    require(batch.timestamps.allSatisfy(SampleTime.bounds.contains), "a time out of bounds")
    let limit = UInt32(encoder.seriesCount)
    require(batch.references.allSatisfy { $0 < limit }, "a reference to no series")
    require(batch.histograms.allSatisfy { $0.reference < limit && $0.source == source }, "a histogram of no series")
    require(batch.exemplars.allSatisfy { $0.reference < limit }, "an exemplar of no series")
    for series in batch.series { checkLabels(series, batch) }
    return batch
}

/// Sorted, distinct, named, UTF-8, within the limits.
private func checkLabels(_ series: Batch.Series, _ batch: Batch) {
    let labels = batch.labels(series.labels)
    require(labels.count <= limits.labelsPerSeries, "many labels")
    var last: [UInt8] = []
    var isNamed = false
    for label in labels {
        let name = Array(batch.bytes[label.name.range])
        let value = Array(batch.bytes[label.value.range])
        require(last.lexicographicallyPrecedes(name), "labels out of order")
        require(name.count <= limits.labelNameBytes && value.count <= limits.labelValueBytes, "a long label")
        require(String(validating: name, as: UTF8.self) != nil, "a name that is no UTF-8")
        require(String(validating: value, as: UTF8.self) != nil, "a value that is no UTF-8")
        if name == Array("__name__".utf8) { isNamed = !value.isEmpty }
        last = name
    }
    require(isNamed, "a series without a name")
}
