internal import Bytes
internal import Samples

/// Checks one label set and finds each label's number in the batch. Runs once a series and segment, and for exemplars.
struct LabelSet {
    private let limits: DecodeLimits
    /// The labels so far, by their numbers in the batch.
    private(set) var numbers: [UInt32] = []
    /// Bytes of the labels so far, each with its two lengths of at least a byte.
    private(set) var byteCount = 0

    init(limits: DecodeLimits) { self.limits = limits }

    mutating func start() {
        numbers.removeAll(keepingCapacity: true)
        byteCount = 0
    }

    /// Adds the next label in the sender's order.
    /// - Parameters:
    ///   - key: a keyed hash of name and value, or what else is theirs alone in the batch.
    ///   - last: the name before, if there was one.
    mutating func add(
        name: RawSpan, value: RawSpan, key: Hash128, after last: RawSpan, to encoder: inout BatchEncoder
    ) -> Rejection? {
        let known = encoder.findLabel(key)
        // What the batch has was looked at when it came.
        if known == nil, let refused = refusal(of: name, value) { return refused }
        guard numbers.count < limits.labelsPerSeries else { return .tooManyLabels(limit: limits.labelsPerSeries) }
        if !numbers.isEmpty {
            let order = name.order(against: last)
            if order <= 0 {
                return order == 0
                    ? .duplicateLabel(name: LabelText.of(name)) : .unsortedLabels(name: LabelText.of(name))
            }
        }
        numbers.append(known ?? encoder.addLabel(key, name: name, value: value))
        byteCount += name.byteCount + value.byteCount + 2
        return nil
    }

    private func refusal(of name: RawSpan, _ value: RawSpan) -> Rejection? {
        guard name.byteCount > 0 else { return .emptyLabelName }
        guard name.byteCount <= limits.labelNameBytes else {
            return .labelNameTooLong(bytes: name.byteCount, limit: limits.labelNameBytes)
        }
        guard value.byteCount <= limits.labelValueBytes else {
            return .labelValueTooLong(
                name: LabelText.of(name), bytes: value.byteCount, limit: limits.labelValueBytes)
        }
        return Self.isUTF8(name) && Self.isUTF8(value) ? nil : .invalidUTF8
    }

    private static let metricName: [UInt8] = Array("__name__".utf8)

    static func isMetricName(_ name: RawSpan) -> Bool {
        guard name.byteCount == metricName.count else { return false }
        // SAFETY: UInt8 has no padding.
        return unsafe name.order(against: metricName.span.bytes) == 0
    }

    static func isUTF8(_ bytes: RawSpan) -> Bool {
        if bytes.isASCII { return true }
        // SAFETY: any byte is a UInt8; the view is used only within the closure.
        return unsafe bytes.withUnsafeBytes { raw in
            let view = unsafe Span(_unsafeElements: raw.assumingMemoryBound(to: UInt8.self))
            do {
                _ = try UTF8Span(validating: view)
                return true
            } catch {
                return false
            }
        }
    }
}
