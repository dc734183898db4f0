package import Bytes
internal import Snappy

/// Builds the record payload of one request at a time, against the series of the active segment.
///
/// Layout: docs/formats/record.md. Storage is reused from request to request: no allocation a series or sample.
package struct BatchEncoder: ~Copyable {
    /// What a known series is to the log.
    package enum Entry: Equatable, Sendable {
        case reference(UInt32)
        /// Every stream's filter refused it.
        case filtered
    }

    private struct Pending {
        var reference: UInt32
        var timestamp: Int64
        var value: UInt64
        var startTimestamp: Int64
    }

    /// Storage kept for the next request: that of a rare large one goes back.
    private static let keptBytes = 4 << 20

    /// References are below this.
    package static let referenceLimit = Int(filtered)
    private static let filtered = KeyIndex.limit - 1

    /// The series of the active segment by the hash of their encoded labels; the labels themselves are in the log.
    /// Emptied at rotation, so a segment never needs another to be read.
    private var table = KeyIndex()
    private var nextReference: UInt32 = 0
    /// Of each series by its reference: half of its hash, and its streams.
    private var keyHalves: [UInt64] = []
    private var streams: [Streams] = []
    /// The series after the one found last. Senders keep their order, so it is mostly the next one asked for: looked at
    /// first, it spares a probe of a table that is larger than the caches.
    private var expected = 0
    /// Those of every series so far, while all have the same.
    private var commonStreams: Streams?

    // The batch in work.
    private var newKeys: [Hash128] = []
    private var labels = LabelDictionary()
    private var newSeries = ByteWriter()
    private var newSeriesCount = 0
    private var firstReference: UInt32 = 0
    private var samples: [Pending] = []
    private var hasStartTimestamps = false
    private var histograms = ByteWriter()
    private var histogramCount = 0
    private var exemplars = ByteWriter()
    private var exemplarCount = 0
    private var metadata = ByteWriter()
    private var metadataCount = 0
    /// Metadata already in the segment; bounded by the segment's own size.
    private var knownMetadata: Set<Hash128> = []
    private var newMetadata: [Hash128] = []
    private var payload = ByteWriter()
    private var compressed: [UInt8] = []

    package init() {}

    /// Series defined since the segment began.
    package var seriesCount: Int { Int(nextReference) }
    package var sampleCount: Int { samples.count }
    package var isEmpty: Bool {
        samples.isEmpty && histogramCount == 0 && exemplarCount == 0 && metadataCount == 0
    }
    /// Whether the batch holds what the `cloudzero` layout has no place for.
    package var hasOthers: Bool { histogramCount + exemplarCount + metadataCount > 0 }

    /// A new segment: no series is known.
    package mutating func startSegment() {
        table.removeAll()
        nextReference = 0
        keyHalves.removeAll(keepingCapacity: true)
        streams.removeAll(keepingCapacity: true)
        commonStreams = nil
        knownMetadata = []
        clearBatch()
    }

    /// A new batch. Whatever was added since the last `encode` is forgotten, and so are the series it defined.
    package mutating func startBatch() {
        for key in newKeys { table.remove(key) }
        for key in newMetadata { knownMetadata.remove(key) }
        if newSeriesCount > 0 {
            nextReference = firstReference
            keyHalves.removeLast(keyHalves.count - Int(firstReference))
            streams.removeLast(streams.count - Int(firstReference))
        }
        clearBatch()
    }

    private mutating func clearBatch() {
        newKeys.removeAll(keepingCapacity: true)
        newMetadata.removeAll(keepingCapacity: true)
        labels.removeAll(keeping: Self.keptBytes)
        newSeries.removeAll(keeping: Self.keptBytes)
        newSeriesCount = 0
        firstReference = nextReference
        samples.removeAll(keepingCapacity: samples.capacity * MemoryLayout<Pending>.stride <= Self.keptBytes)
        hasStartTimestamps = false
        histograms.removeAll(keeping: Self.keptBytes)
        histogramCount = 0
        exemplars.removeAll(keeping: Self.keptBytes)
        exemplarCount = 0
        metadata.removeAll(keeping: Self.keptBytes)
        metadataCount = 0
    }

    package mutating func find(_ key: Hash128) -> Entry? {
        let guess = expected
        // 64 bits are enough for one guess: a wrong one is taken once in 2^64.
        if guess < keyHalves.count, keyHalves[guess] == key.high {
            expected = guess &+ 1
            return .reference(UInt32(truncatingIfNeeded: guess))
        }
        guard let number = table.find(key) else { return nil }
        if number == Self.filtered { return .filtered }
        expected = Int(number) &+ 1
        return .reference(number)
    }

    /// The number of a label that the batch already has.
    /// - Parameter key: a keyed hash of name and value; who makes it decides what is one label.
    package func findLabel(_ key: Hash128) -> UInt32? { labels.find(key) }

    /// Adds a label that `findLabel` does not know to the batch.
    package mutating func addLabel(_ key: Hash128, name: RawSpan, value: RawSpan) -> UInt32 {
        labels.add(key, name: name, value: value)
    }

    /// Adds a series to the segment.
    /// - Parameter labels: numbers of its labels, sorted by name, names unique.
    package mutating func define(_ key: Hash128, streams: Streams, labels: [UInt32]) -> Entry {
        newKeys.append(key)
        guard !streams.isEmpty else {
            table.insert(key, Self.filtered)
            return .filtered
        }
        let reference = nextReference
        nextReference += 1
        newSeriesCount += 1
        if self.streams.isEmpty { commonStreams = streams } else if commonStreams != streams { commonStreams = nil }
        keyHalves.append(key.high)
        self.streams.append(streams)
        newSeries.u8(streams.rawValue)
        newSeries.labelSet(labels)
        table.insert(key, reference)
        return .reference(reference)
    }

    /// - Parameters:
    ///   - value: the bits of the double: stale markers and every NaN stay what they are.
    ///   - startTimestamp: milliseconds, 0 = unset.
    package mutating func addSample(_ reference: UInt32, timestamp: Int64, value: UInt64, startTimestamp: Int64) {
        samples.append(
            Pending(reference: reference, timestamp: timestamp, value: value, startTimestamp: startTimestamp))
        if startTimestamp != 0 { hasStartTimestamps = true }
    }

    /// - Parameter message: the histogram's own protobuf message, kept whole: lossless for every field it may have.
    package mutating func addHistogram(
        _ reference: UInt32, timestamp: Int64, from source: WriteProtocol, message: RawSpan
    ) {
        histogramCount += 1
        histograms.varint(UInt64(reference))
        histograms.zigzag(timestamp)
        histograms.u8(source.rawValue)
        histograms.lengthPrefixed(message)
    }

    /// - Parameter labels: numbers of its labels, sorted by name, names unique.
    package mutating func addExemplar(_ reference: UInt32, timestamp: Int64, value: UInt64, labels: [UInt32]) {
        exemplarCount += 1
        exemplars.varint(UInt64(reference))
        exemplars.zigzag(timestamp)
        exemplars.u64(value)
        exemplars.labelSet(labels)
    }

    /// Metadata of a metric family; what the segment already holds is not written again.
    package mutating func addMetadata(_ key: Hash128, type: UInt32, family: RawSpan, help: RawSpan, unit: RawSpan) {
        guard knownMetadata.insert(key).inserted else { return }
        newMetadata.append(key)
        metadataCount += 1
        metadata.varint(UInt64(type))
        metadata.lengthPrefixed(family)
        metadata.lengthPrefixed(help)
        metadata.lengthPrefixed(unit)
    }

    /// Ends the batch: its payload, compressed when that is smaller. The series it defined are now the segment's.
    package mutating func encode(_ header: BatchHeader) -> EncodedBatch {
        payload.removeAll(keeping: Self.keptBytes)
        header.write(to: &payload)
        payload.varint(UInt64(labels.count))
        payload.raw(labels.bytes.bytes)
        payload.varint(UInt64(firstReference))
        payload.varint(UInt64(newSeriesCount))
        payload.raw(newSeries.bytes)
        writeSamples()
        payload.varint(UInt64(histogramCount))
        payload.raw(histograms.bytes)
        payload.varint(UInt64(exemplarCount))
        payload.raw(exemplars.bytes)
        payload.varint(UInt64(metadataCount))
        payload.raw(metadata.bytes)
        let rows = samples.count
        let others = hasOthers
        let streamRows = streamRows
        let definitionBytes = labels.bytes.count + newSeries.count
        clearBatch()
        // A local one: the compiler cannot see that payload and compressed are apart.
        var block: [UInt8] = []
        swap(&block, &compressed)
        // SAFETY: UInt8 has no padding.
        let length = Snappy.compress(unsafe payload.bytes.span.bytes, into: &block)
        let isCompressed = length < payload.count
        let record = isCompressed ? Array(block[..<length]) : payload.bytes
        if block.count <= Self.keptBytes { swap(&block, &compressed) }
        // No overflow: the log has no record of 2^31 bytes.
        let valueByteCount = record.count * (payload.count - definitionBytes) / payload.count
        return EncodedBatch(
            payload: record, isCompressed: isCompressed, inflatedByteCount: payload.count,
            valueByteCount: valueByteCount, rows: rows, streamRows: streamRows, hasOthers: others)
    }

    /// Without a look at the samples while all series have the same streams, as without filters they have.
    private var streamRows: StreamRows {
        var rows = StreamRows()
        if let commonStreams {
            rows.add(commonStreams, count: samples.count)
        } else {
            for sample in samples { rows.add(streams[Int(sample.reference)], count: 1) }
        }
        return rows
    }

    private mutating func writeSamples() {
        payload.varint(UInt64(samples.count))
        // Per sample at most: a reference 5 bytes, two timestamps 10 each, a flag, a value 9.
        let room = samples.count * 35 + 1
        payload.bytes.append(addingCapacity: room) { out in
            var reference: Int64 = -1
            for sample in samples {
                out.zigzag(Int64(sample.reference) &- reference &- 1)
                reference = Int64(sample.reference)
            }
            var timestamp: Int64 = 0
            for sample in samples {
                out.zigzag(sample.timestamp &- timestamp)
                timestamp = sample.timestamp
            }
            out.append(hasStartTimestamps ? 1 : 0)
            if hasStartTimestamps {
                for sample in samples {
                    out.append(sample.startTimestamp == 0 ? 0 : 1)
                    if sample.startTimestamp != 0 { out.zigzag(sample.timestamp &- sample.startTimestamp) }
                }
            }
            for sample in samples { SampleValue.write(sample.value, to: &out) }
        }
    }
}

extension ByteWriter {
    /// A varint count and the numbers of as many labels.
    fileprivate mutating func labelSet(_ numbers: [UInt32]) {
        bytes.append(addingCapacity: 5 + 5 * numbers.count) { out in
            out.varint(UInt64(numbers.count))
            for number in numbers { out.varint(UInt64(number)) }
        }
    }
}

/// One encoded batch.
package struct EncodedBatch: Sendable {
    package let payload: [UInt8]
    package let isCompressed: Bool
    package let inflatedByteCount: Int
    /// Of the payload's bytes, about what is no label and no series.
    package let valueByteCount: Int
    /// Samples in it.
    package let rows: Int
    package let streamRows: StreamRows
    package let hasOthers: Bool
}

/// Samples of a batch by stream; one that belongs to both counts in both.
package struct StreamRows: Equatable, Sendable {
    package private(set) var cost = 0
    package private(set) var observability = 0

    mutating func add(_ streams: Streams, count: Int) {
        if streams.contains(.cost) { cost += count }
        if streams.contains(.observability) { observability += count }
    }
}

/// What a batch says of its request.
package struct BatchHeader: Equatable, Sendable {
    package static let version: UInt8 = 2

    /// Hash of the decompressed body and the protocol: the identity of a retransmit.
    package var fingerprint: Hash128
    /// When the request came, milliseconds since 1970.
    package var receivedAt: Int64
    package var source: WriteProtocol
    package var answer: BatchAnswer

    package init(fingerprint: Hash128, receivedAt: Int64, source: WriteProtocol, answer: BatchAnswer) {
        self.fingerprint = fingerprint
        self.receivedAt = receivedAt
        self.source = source
        self.answer = answer
    }

    func write(to out: inout ByteWriter) {
        out.u8(Self.version)
        out.u64(fingerprint.low)
        out.u64(fingerprint.high)
        out.zigzag(receivedAt)
        out.u8(source.rawValue)
        out.u16(answer.status)
        for count in [
            answer.written.samples, answer.written.histograms, answer.written.exemplars, answer.written.metadata,
            answer.rejectedSamples, answer.filteredSamples,
        ] { out.varint(UInt64(count)) }
        out.lengthPrefixed(answer.text)
    }
}

/// A sample's value in a payload: a whole number below 2^53 as a varint, anything else as its 8 bytes.
enum SampleValue {
    static let rawTag: UInt64 = 1

    @_lifetime(out: copy out)
    static func write(_ bits: UInt64, to out: inout OutputSpan<UInt8>) {
        let value = Double(bitPattern: bits)
        // -0 is whole but must keep its sign; NaN and infinities fail the comparison.
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero), bits != 1 << 63 {
            let whole = Int64(value)
            out.varint(UInt64(bitPattern: (whole &<< 1) ^ (whole &>> 63)) &<< 2)
        } else {
            out.varint(rawTag)
            out.u64(bits)
        }
    }

    @_lifetime(reader: copy reader)
    static func read(from reader: inout ByteReader) throws(ByteError) -> UInt64? {
        let word = try reader.varint()
        switch word & 3 {
        case 0:
            let zigzag = word >> 2
            let whole = Int64(bitPattern: zigzag >> 1) ^ -Int64(bitPattern: zigzag & 1)
            return Double(whole).bitPattern
        case rawTag where word == rawTag:
            return try reader.u64()
        default:
            return nil
        }
    }
}
