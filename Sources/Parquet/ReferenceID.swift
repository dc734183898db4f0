/// A file's name, which is its reference id: `<kind>_<minSampleMs>_<maxSampleMs>_<32 lower hex digits>.parquet`.
///
/// Times are milliseconds in UTC. The hash is the first half of the file's SHA-256.
package struct ReferenceID: Hashable, Sendable, CustomStringConvertible {
    package enum Kind: String, CaseIterable, Sendable {
        case metrics, observability, histograms, exemplars, metadata

        /// Samples have one table for both streams; each other kind has a table of its own.
        package var isOfSamples: Bool { self == .metrics || self == .observability }
    }

    package static let suffix = ".parquet"
    package static let hashDigitCount = 32

    package let kind: Kind
    package let minSampleMilliseconds: Int64
    package let maxSampleMilliseconds: Int64
    /// 32 lower-case hex digits.
    package let hash: String

    /// - Precondition: `hash` is 32 lower-case hex digits, and times are in order and in years 0001 to 9999.
    package init(kind: Kind, minSampleMilliseconds: Int64, maxSampleMilliseconds: Int64, hash: String) {
        precondition(Self.isHash(hash), "the hash is 32 lower-case hex digits")
        precondition(minSampleMilliseconds <= maxSampleMilliseconds, "times are in order")
        precondition(CivilTime.range.contains(minSampleMilliseconds), "a time is in years 0001 to 9999")
        precondition(CivilTime.range.contains(maxSampleMilliseconds), "a time is in years 0001 to 9999")
        self.kind = kind
        self.minSampleMilliseconds = minSampleMilliseconds
        self.maxSampleMilliseconds = maxSampleMilliseconds
        self.hash = hash
    }

    /// The id that has exactly this text; nil for any other text.
    package init?(_ text: String) {
        let bytes = [UInt8](text.utf8)
        let suffix = [UInt8](Self.suffix.utf8)
        guard bytes.count > suffix.count, bytes.suffix(suffix.count).elementsEqual(suffix) else { return nil }
        let parts = bytes.dropLast(suffix.count).split(separator: UInt8(ascii: "_"), omittingEmptySubsequences: false)
        guard parts.count == 4, let kind = Kind(rawValue: String(decoding: parts[0], as: UTF8.self)),
            let first = Self.time(parts[1]), let last = Self.time(parts[2]), first <= last
        else { return nil }
        let hash = String(decoding: parts[3], as: UTF8.self)
        guard Self.isHash(hash) else { return nil }
        self.init(kind: kind, minSampleMilliseconds: first, maxSampleMilliseconds: last, hash: hash)
    }

    package var description: String {
        "\(kind.rawValue)_\(minSampleMilliseconds)_\(maxSampleMilliseconds)_\(hash)\(Self.suffix)"
    }

    /// `dt=2026-07-01/hr=15`, of the first sample.
    package var hivePartition: String {
        let time = CivilTime(milliseconds: minSampleMilliseconds)
        return "dt=\(time.dateText)/hr=\(CivilTime.padded(time.hour, 2))"
    }

    private static func isHash(_ text: String) -> Bool {
        text.utf8.count == hashDigitCount
            && text.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) || (97...102).contains($0) }
    }

    /// Decimal without plus sign or leading zeros, in the range of years 0001 to 9999.
    private static func time(_ digits: ArraySlice<UInt8>) -> Int64? {
        let text = String(decoding: digits, as: UTF8.self)
        guard let value = Int64(text), String(value) == text, CivilTime.range.contains(value) else { return nil }
        return value
    }
}
