internal import Bytes

/// Why a native histogram is refused. The raw value is what a 400 says of it.
package enum HistogramFault: String, CaseIterable, Sendable {
    case schema = "its schema is neither -4 to 8 nor -53"
    case mixedCounts = "it mixes integer and float counts"
    case negativeCount = "its count is negative"
    case negativeBucket = "the count of a bucket is negative"
    case countOverflow = "the counts of its buckets overflow 64 bits"
    case spanOffset = "the offset of a span is negative"
    case spanRange = "its spans reach beyond the bucket indices of 32 bits"
    case spanMismatch = "its spans name another number of buckets than it has"
    case countMismatch = "its count is not the sum of its buckets"
    case countTooSmall = "its count is below the sum of its buckets"
    case resetHint = "its reset hint is not 0 to 3"
    case zeroThreshold = "its zero threshold is negative or NaN"
    case customValues = "its custom values are not ascending finite numbers"
    case customValuesMissing = "its custom values are fewer than its buckets need"
    case customValuesUnused = "it has custom values without schema -53"
    case customZero = "it has a zero bucket beside custom values"
    case customNegative = "it has negative buckets beside custom values"
    case tooLarge = "it has more than 65,536 spans, buckets and custom values"
}

/// What one pass over a `Histogram` message of either version tells of its validity: the rules of Prometheus for what
/// it appends (package model/histogram, `Validate`). No allocation, nothing that can trap: every sum is checked.
struct NativeHistogram {
    private(set) var timestamp: Int64 = 0
    private(set) var startTimestamp: Int64 = 0
    private var schema: Int32 = 0
    private var count: UInt64 = 0
    private var floatCount: Double?
    private var zeroCount: UInt64 = 0
    private var floatZeroCount = 0.0
    private var sum = 0.0
    private var zeroThreshold = 0.0
    private var resetHint: UInt64 = 0
    private var negative = Side()
    private var positive = Side()
    private var customCount: UInt64 = 0
    private var lastCustomValue = -Double.infinity
    private var areCustomValuesGood = true

    private static let customSchema: Int32 = -53
    /// A bucket of one byte takes eight wherever it is decoded: a message may not be a hundred megabytes then.
    private static let elementLimit: UInt64 = 65_536

    /// Spans, buckets and custom values.
    var elementCount: UInt64 { negative.elementCount &+ positive.elementCount &+ customCount }
    var isTooLarge: Bool { elementCount > Self.elementLimit }

    /// Reads every field; `fault` judges them together, whatever their order was.
    init(_ message: RawSpan) throws(ByteError) {
        var reader = ByteReader(message)
        while !reader.isAtEnd {
            let tag = try reader.varint()
            switch tag {
            case 1 << 3 | FieldReader.varint:
                count = try reader.varint()
                floatCount = nil  // of a oneof the last counts
            case 2 << 3 | FieldReader.fixed64: floatCount = Double(bitPattern: try reader.u64())
            case 3 << 3 | FieldReader.fixed64: sum = Double(bitPattern: try reader.u64())
            case 4 << 3 | FieldReader.varint: schema = Self.sint32(try reader.varint())
            case 5 << 3 | FieldReader.fixed64: zeroThreshold = Double(bitPattern: try reader.u64())
            case 6 << 3 | FieldReader.varint: zeroCount = try reader.varint()
            case 7 << 3 | FieldReader.fixed64: floatZeroCount = Double(bitPattern: try reader.u64())
            case 8 << 3 | FieldReader.bytes: try negative.addSpan(try reader.lengthPrefixed())
            case 9 << 3 | FieldReader.bytes: try negative.addDeltas(try reader.lengthPrefixed())
            case 9 << 3 | FieldReader.varint: negative.add(delta: try reader.zigzag())
            case 10 << 3 | FieldReader.bytes: try negative.addCounts(try reader.lengthPrefixed())
            case 10 << 3 | FieldReader.fixed64: negative.add(count: Double(bitPattern: try reader.u64()))
            case 11 << 3 | FieldReader.bytes: try positive.addSpan(try reader.lengthPrefixed())
            case 12 << 3 | FieldReader.bytes: try positive.addDeltas(try reader.lengthPrefixed())
            case 12 << 3 | FieldReader.varint: positive.add(delta: try reader.zigzag())
            case 13 << 3 | FieldReader.bytes: try positive.addCounts(try reader.lengthPrefixed())
            case 13 << 3 | FieldReader.fixed64: positive.add(count: Double(bitPattern: try reader.u64()))
            case 14 << 3 | FieldReader.varint: resetHint = try reader.varint()
            case 15 << 3 | FieldReader.varint: timestamp = Int64(bitPattern: try reader.varint())
            case 16 << 3 | FieldReader.bytes: try addCustomValues(try reader.lengthPrefixed())
            case 16 << 3 | FieldReader.fixed64: add(customValue: Double(bitPattern: try reader.u64()))
            case 17 << 3 | FieldReader.varint: startTimestamp = Int64(bitPattern: try reader.varint())
            default: try FieldReader.skip(tag, &reader)
            }
        }
    }

    /// The first rule that is broken; nil for a valid histogram, the stale marker among them.
    var fault: HistogramFault? {
        if isTooLarge { return .tooLarge }
        if schema != Self.customSchema, !(-4...8).contains(schema) { return .schema }
        if resetHint > 3 { return .resetHint }
        guard zeroThreshold >= 0 else { return .zeroThreshold }
        if let fault = negative.fault ?? positive.fault ?? customFault { return fault }
        return floatCount.map(floatFault) ?? integerFault
    }

    private var customFault: HistogramFault? {
        guard schema == Self.customSchema else { return customCount > 0 ? .customValuesUnused : nil }
        guard areCustomValuesGood else { return .customValues }
        if zeroCount != 0 || floatZeroCount != 0 || zeroThreshold != 0 { return .customZero }
        if !negative.isEmpty { return .customNegative }
        if positive.firstOffset < 0 { return .spanOffset }
        // The last bucket, up to +Inf, has no custom value.
        return positive.end > Int64(customCount) + 1 ? .customValuesMissing : nil
    }

    private func floatFault(_ count: Double) -> HistogramFault? {
        if zeroCount != 0 || negative.deltaCount > 0 || positive.deltaCount > 0 { return .mixedCounts }
        if count < 0 { return .negativeCount }
        if floatZeroCount < 0 { return .negativeBucket }
        return isCovered(negative, negative.countCount) && isCovered(positive, positive.countCount)
            ? nil : .spanMismatch
    }

    private var integerFault: HistogramFault? {
        if floatZeroCount != 0 || negative.countCount > 0 || positive.countCount > 0 { return .mixedCounts }
        guard isCovered(negative, negative.deltaCount), isCovered(positive, positive.deltaCount) else {
            return .spanMismatch
        }
        let sides = negative.total.addingReportingOverflow(positive.total)
        let all = sides.partialValue.addingReportingOverflow(zeroCount)
        if sides.overflow || all.overflow { return .countOverflow }
        // Observations of NaN are counted, and are in no bucket.
        if sum.isNaN { return all.partialValue > count ? .countTooSmall : nil }
        return all.partialValue == count ? nil : .countMismatch
    }

    private func isCovered(_ side: Side, _ buckets: UInt64) -> Bool { side.bucketsNamed == buckets }

    private mutating func addCustomValues(_ packed: RawSpan) throws(ByteError) {
        var reader = ByteReader(packed)
        while !reader.isAtEnd { add(customValue: Double(bitPattern: try reader.u64())) }
    }

    private mutating func add(customValue value: Double) {
        customCount &+= 1
        // False for NaN, and for +Inf, which the last bucket stands for.
        if !(value > lastCustomValue && value < .infinity) { areCustomValuesGood = false }
        lastCustomValue = value
    }

    /// A sint32 as protobuf reads it: of the low 32 bits.
    static func sint32(_ word: UInt64) -> Int32 {
        let low = UInt32(truncatingIfNeeded: word)
        return Int32(bitPattern: low >> 1) ^ -Int32(bitPattern: low & 1)
    }
}

extension NativeHistogram {
    /// The spans and buckets of one side. After its first fault nothing more is summed.
    private struct Side {
        private var spanCount: UInt64 = 0
        private(set) var firstOffset: Int32 = 0
        /// Index behind the last bucket.
        private(set) var end: Int64 = 0
        private(set) var bucketsNamed: UInt64 = 0
        private(set) var deltaCount: UInt64 = 0
        private(set) var countCount: UInt64 = 0
        private var current: Int64 = 0
        /// Of the integer buckets.
        private(set) var total: UInt64 = 0
        private(set) var fault: HistogramFault?

        var isEmpty: Bool { elementCount == 0 }
        var elementCount: UInt64 { spanCount &+ deltaCount &+ countCount }

        /// `BucketSpan { sint32 offset = 1; uint32 length = 2; }`
        mutating func addSpan(_ message: RawSpan) throws(ByteError) {
            var offset: Int32 = 0
            var length: UInt64 = 0
            var reader = ByteReader(message)
            while !reader.isAtEnd {
                let tag = try reader.varint()
                switch tag {
                case 1 << 3 | FieldReader.varint: offset = NativeHistogram.sint32(try reader.varint())
                case 2 << 3 | FieldReader.varint: length = try reader.varint()
                default: try FieldReader.skip(tag, &reader)
                }
            }
            guard fault == nil else { return }
            if spanCount == 0 { firstOffset = offset } else if offset < 0 { return stop(.spanOffset) }
            spanCount &+= 1
            // Both sums stay far below 64 bits: the length is checked first, and the end after each span.
            guard length <= UInt64(Int32.max) else { return stop(.spanRange) }
            bucketsNamed &+= length
            end &+= Int64(offset) &+ Int64(length)
            if Int32(exactly: end) == nil { fault = .spanRange }
        }

        mutating func addDeltas(_ packed: RawSpan) throws(ByteError) {
            var reader = ByteReader(packed)
            while !reader.isAtEnd { add(delta: try reader.zigzag()) }
        }

        mutating func add(delta: Int64) {
            deltaCount &+= 1
            guard fault == nil else { return }
            let next = current.addingReportingOverflow(delta)
            let sum = total.addingReportingOverflow(UInt64(bitPattern: next.partialValue))
            if next.overflow { return stop(.countOverflow) }
            if next.partialValue < 0 { return stop(.negativeBucket) }
            if sum.overflow { return stop(.countOverflow) }
            current = next.partialValue
            total = sum.partialValue
        }

        private mutating func stop(_ first: HistogramFault) { fault = first }

        mutating func addCounts(_ packed: RawSpan) throws(ByteError) {
            var reader = ByteReader(packed)
            while !reader.isAtEnd { add(count: Double(bitPattern: try reader.u64())) }
        }

        mutating func add(count: Double) {
            countCount &+= 1
            if count < 0, fault == nil { fault = .negativeBucket }
        }
    }
}
