/// The two spellings of time that answers and URLs use, by integer arithmetic alone.
package enum UTCTime {
    /// `20260701T200000Z` in milliseconds since 1970; nil for anything else.
    package static func milliseconds(basicISO8601 text: String) -> Int64? {
        let bytes = Array(text.utf8)
        guard bytes.count == 16, bytes[8] == UInt8(ascii: "T"), bytes[15] == UInt8(ascii: "Z"),
            let date = number(bytes[0..<8]), let time = number(bytes[9..<15])
        else { return nil }
        return milliseconds(
            year: date / 10_000, month: date / 100 % 100, day: date % 100, hour: time / 10_000,
            minute: time / 100 % 100, second: time % 100)
    }

    /// `2026-07-01T20:00:00Z`, with or without a fraction of a second, in milliseconds since 1970; nil for others.
    package static func milliseconds(extendedISO8601 text: String) -> Int64? {
        guard text.hasSuffix("Z"), text.utf8.count <= 40 else { return nil }
        let whole = text.dropLast().prefix { $0 != "." }
        return milliseconds(basicISO8601: whole.filter { $0 != "-" && $0 != ":" } + "Z")
    }

    /// `Wed, 01 Jul 2026 20:00:00 GMT` (RFC 9110 IMF-fixdate) in milliseconds since 1970; nil for anything else.
    package static func milliseconds(httpDate text: String) -> Int64? {
        let parts = text.split(separator: " ")
        guard parts.count == 6, parts[5] == "GMT", let day = Int64(parts[1]),
            let month = months.firstIndex(of: parts[2]), let year = Int64(parts[3])
        else { return nil }
        let clock = parts[4].split(separator: ":").map { Int64($0) ?? -1 }
        guard clock.count == 3 else { return nil }
        return milliseconds(
            year: year, month: Int64(month) + 1, day: day, hour: clock[0], minute: clock[1], second: clock[2])
    }

    private static let months: [Substring] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]

    private static func number(_ digits: ArraySlice<UInt8>) -> Int64? {
        guard digits.allSatisfy({ (48...57).contains($0) }) else { return nil }
        return digits.reduce(0) { $0 * 10 + Int64($1 - 48) }
    }

    private static func milliseconds(
        year: Int64, month: Int64, day: Int64, hour: Int64, minute: Int64, second: Int64
    ) -> Int64? {
        guard (1970...9999).contains(year), (1...12).contains(month), (1...31).contains(day), (0...23).contains(hour),
            (0...59).contains(minute), (0...60).contains(second)
        else { return nil }
        // Days from 0000-03-01, in eras of 400 years: leap days then come last in their year.
        let shifted = month <= 2 ? year - 1 : year
        let era = shifted / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1
        let days = era * 146_097 + yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear - 719_468
        return ((days * 24 + hour) * 60 + minute) * 60_000 + second * 1_000
    }
}

extension StringProtocol {
    /// Without white space at both ends.
    var trimmed: String {
        let kept = drop { $0.isWhitespace }
        return String(kept.reversed().drop { $0.isWhitespace }.reversed())
    }
}
