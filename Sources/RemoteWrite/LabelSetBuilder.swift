internal import Bytes

/// Checks one label set and writes it in canonical form: count varint, then length-prefixed names and values, sorted by
/// name. Runs once a series and segment, never on the hot path.
struct LabelSetBuilder {
    private let limits: DecodeLimits
    private var body = ByteWriter()
    private var count = 0
    private var lastName: [UInt8] = []
    private var hasName = false
    /// The canonical form after `finish`.
    private(set) var canonical = ByteWriter()

    init(limits: DecodeLimits) { self.limits = limits }

    mutating func start() {
        body.removeAll()
        count = 0
        lastName.removeAll(keepingCapacity: true)
        hasName = false
    }

    /// The next label in the sender's order.
    mutating func add(name: RawSpan, value: RawSpan) -> Rejection? {
        guard name.byteCount > 0 else { return .emptyLabelName }
        guard name.byteCount <= limits.labelNameBytes else {
            return .labelNameTooLong(bytes: name.byteCount, limit: limits.labelNameBytes)
        }
        guard Self.isUTF8(name), Self.isUTF8(value) else { return .invalidUTF8 }
        let bytes = [UInt8](name)
        guard value.byteCount <= limits.labelValueBytes else {
            return .labelValueTooLong(
                name: Self.text(bytes), bytes: value.byteCount, limit: limits.labelValueBytes)
        }
        if count > 0, !lastName.lexicographicallyPrecedes(bytes) {
            return lastName == bytes ? .duplicateLabel(name: Self.text(bytes)) : .unsortedLabels(name: Self.text(bytes))
        }
        if bytes == Self.metricName, value.byteCount > 0 { hasName = true }
        lastName = bytes
        count += 1
        body.lengthPrefixed(name)
        body.lengthPrefixed(value)
        return nil
    }

    /// The whole set: nil, and `canonical` holds it, or why it is refused.
    mutating func finish() -> Rejection? {
        guard count > 0 else { return .noLabels }
        guard count <= limits.labelsPerSeries else {
            return .tooManyLabels(count: count, limit: limits.labelsPerSeries)
        }
        guard hasName else { return .noName }
        canonical.removeAll()
        canonical.varint(UInt64(count))
        canonical.raw(body.bytes)
        return nil
    }

    /// An exemplar's labels: any names, also none.
    mutating func finishExemplar() {
        canonical.removeAll()
        canonical.varint(UInt64(count))
        canonical.raw(body.bytes)
    }

    /// The labels so far, for a message: at most 200 bytes.
    var description: String {
        // SAFETY: UInt8 has no padding.
        var reader = ByteReader(unsafe body.bytes.span.bytes)
        var text = "{"
        do throws(ByteError) {
            while !reader.isAtEnd, text.utf8.count < 200 {
                let name = Self.text([UInt8](try reader.lengthPrefixed()))
                let value = Self.text([UInt8](try reader.lengthPrefixed()))
                text += "\(text.utf8.count > 1 ? "," : "")\(name)=\"\(value.prefix(60))\""
            }
        } catch {
            return text  // unreachable: written above
        }
        return text + (reader.isAtEnd ? "}" : ",...}")
    }

    static let metricName = Array("__name__".utf8)

    static func isUTF8(_ bytes: RawSpan) -> Bool {
        // SAFETY: any byte is a UInt8; the view is used only within the closure.
        unsafe bytes.withUnsafeBytes { raw in
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
    private static func text(_ bytes: [UInt8]) -> String {
        String(decoding: bytes.prefix(200), as: UTF8.self).unicodeScalars.reduce(into: "") { text, scalar in
            text +=
                scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
}
