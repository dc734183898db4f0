/// The UTC calendar hour of an instant (proleptic Gregorian), by integer arithmetic alone.
package struct CivilTime: Hashable, Sendable {
    /// Milliseconds of 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z: what readers take as a timestamp.
    package static let range: ClosedRange<Int64> = -62_135_596_800_000...253_402_300_799_999

    package let year: Int
    package let month: Int
    package let day: Int
    package let hour: Int

    /// Of milliseconds since 1970-01-01T00:00:00Z; any value.
    package init(milliseconds: Int64) {
        let hours = Self.floorDivide(milliseconds, 3_600_000)
        let days = Self.floorDivide(hours, 24)
        hour = Int(hours - days * 24)
        // Days from 0000-03-01, in eras of 400 years: leap days then come last in their year.
        let shifted = days + 719_468
        let era = Self.floorDivide(shifted, 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = Int(dayOfYear - (153 * monthFromMarch + 2) / 5 + 1)
        month = Int(monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9)
        year = Int(yearOfEra + era * 400 + (month <= 2 ? 1 : 0))
    }

    private static func floorDivide(_ value: Int64, _ divisor: Int64) -> Int64 {
        let quotient = value / divisor
        return value % divisor < 0 ? quotient - 1 : quotient
    }

    /// `2026-07-01`.
    package var dateText: String { "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))" }

    /// `value` in decimal with zeros before it up to `width` digits; `value` is not negative.
    package static func padded(_ value: Int, _ width: Int) -> String {
        let digits = String(value)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
