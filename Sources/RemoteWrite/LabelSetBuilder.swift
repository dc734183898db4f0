internal import Bytes

/// Checks one label set and writes it in canonical form: count varint, then length-prefixed names and values, sorted by
/// name. Runs once a series and segment, never on the hot path.
struct LabelSetBuilder {
    /// Room for the count before the labels, a varint of at most 3 bytes: `limits.labels_per_series` has 16 bits.
    private static let head = 3

    private let limits: DecodeLimits
    /// `head` bytes, then the labels.
    private var body = ByteWriter()
    private var count = 0
    /// Where in `body` the name before lies.
    private var lastName = 0..<0
    private var hasName = false
    /// Bytes of the labels so far.
    var byteCount: Int { body.count - Self.head }
    /// Where in `body` the canonical form begins, after `finish`.
    private var begin = head

    init(limits: DecodeLimits) {
        self.limits = limits
        start()
    }

    mutating func start() {
        body.removeAll()
        body.zeros(Self.head)
        count = 0
        lastName = 0..<0
        hasName = false
    }

    /// Calls `use` with the canonical form, after `finish` or `finishExemplar`.
    func withCanonical<R>(_ use: (RawSpan) throws -> R) rethrows -> R {
        // SAFETY: UInt8 has no padding.
        try use(unsafe body.bytes.span.bytes.extracting(begin..<body.count))
    }

    /// The next label in the sender's order.
    mutating func add(name: RawSpan, value: RawSpan) -> Rejection? {
        guard name.byteCount > 0 else { return .emptyLabelName }
        guard name.byteCount <= limits.labelNameBytes else {
            return .labelNameTooLong(bytes: name.byteCount, limit: limits.labelNameBytes)
        }
        guard value.byteCount <= limits.labelValueBytes else {
            return .labelValueTooLong(
                name: Self.text(name), bytes: value.byteCount, limit: limits.labelValueBytes)
        }
        guard Self.isUTF8(name), Self.isUTF8(value) else { return .invalidUTF8 }
        guard count < limits.labelsPerSeries else { return .tooManyLabels(limit: limits.labelsPerSeries) }
        if count > 0 {
            // SAFETY: UInt8 has no padding.
            let order = unsafe name.order(against: body.bytes.span.bytes.extracting(lastName))
            if order <= 0 {
                return order == 0 ? .duplicateLabel(name: Self.text(name)) : .unsortedLabels(name: Self.text(name))
            }
        }
        if value.byteCount > 0, Self.isMetricName(name) { hasName = true }
        count += 1
        body.lengthPrefixed(name)
        lastName = body.count - name.byteCount..<body.count
        body.lengthPrefixed(value)
        return nil
    }

    /// The whole set: nil, and it is in canonical form, or why it is refused.
    mutating func finish() -> Rejection? {
        guard count > 0 else { return .noLabels }
        guard hasName else { return .noName }
        finishExemplar()
        return nil
    }

    /// An exemplar's labels: any names, also none.
    mutating func finishExemplar() {
        var length = 1
        while count >> (7 * length) != 0 { length += 1 }
        begin = Self.head - length
        for index in 0..<length {
            let more: UInt8 = index + 1 < length ? 0x80 : 0
            body.bytes[begin + index] = UInt8(truncatingIfNeeded: (count >> (7 * index)) & 0x7F) | more
        }
    }

    /// The labels so far, for a message: at most 200 bytes.
    var description: String {
        // SAFETY: UInt8 has no padding.
        var reader = ByteReader(unsafe body.bytes.span.bytes.extracting(Self.head..<body.count))
        var text = "{"
        do throws(ByteError) {
            while !reader.isAtEnd, text.utf8.count < 200 {
                let name = Self.text(try reader.lengthPrefixed())
                let value = Self.text(try reader.lengthPrefixed())
                text += "\(text.utf8.count > 1 ? "," : "")\(name)=\"\(value.prefix(60))\""
            }
        } catch {
            return text  // unreachable: written above
        }
        return text + (reader.isAtEnd ? "}" : ",...}")
    }

    private static let metricName: [UInt8] = Array("__name__".utf8)

    static func isMetricName(_ name: RawSpan) -> Bool {
        // SAFETY: UInt8 has no padding.
        unsafe name.order(against: metricName.span.bytes) == 0
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

    /// Control characters are escaped, so that a sender cannot write lines of its own into a message.
    static func text(_ bytes: RawSpan) -> String {
        let shown = [UInt8](bytes.extracting(0..<min(bytes.byteCount, 200)))
        return String(decoding: shown, as: UTF8.self).unicodeScalars.reduce(into: "") { text, scalar in
            text +=
                scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
}
