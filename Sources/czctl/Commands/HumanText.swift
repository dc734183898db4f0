internal import Parquet
internal import Ship

/// Numbers as people read them, by integer arithmetic.
enum HumanText {
    /// `728,114`
    static func grouped(_ number: some BinaryInteger) -> String {
        let digits = Array(String(number.magnitude))
        var text = number < 0 ? "-" : ""
        for (index, digit) in digits.enumerated() {
            if index > 0, (digits.count - index) % 3 == 0 { text += "," }
            text.append(digit)
        }
        return text
    }

    /// `6.3 MiB`
    static func bytes(_ count: some BinaryInteger) -> String {
        let units = ["KiB", "MiB", "GiB", "TiB", "PiB"]
        let value = Double(count)
        if value < 1024 { return "\(count) B" }
        var scaled = value / 1024
        var unit = 0
        while scaled >= 1023.95, unit < units.count - 1 {
            scaled /= 1024
            unit += 1
        }
        return "\(decimal(scaled)) \(units[unit])"
    }

    /// Without its fraction; the nearest there is where it comes from outside and is beyond every integer.
    static func whole(_ value: Double) -> Int64 {
        let whole = value.rounded(.towardZero)
        return Int64(exactly: whole) ?? (value.isNaN ? 0 : whole < 0 ? .min : .max)
    }

    /// One digit after the point.
    static func decimal(_ value: Double) -> String {
        guard value.isFinite, value.magnitude < 1e15 else { return "\(value)" }
        let tenths = Int64((value * 10).rounded())
        return "\(tenths < 0 ? "-" : "")\(tenths.magnitude / 10).\(tenths.magnitude % 10)"
    }

    /// `0.4s`, `52s`, `4m12s`, `3h05m`, `3d4h`
    static func duration(milliseconds: Int64) -> String {
        let milliseconds = max(0, milliseconds)
        let seconds = milliseconds / 1000
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return switch seconds {
        case ..<10: "\(decimal(Double(milliseconds) / 1000))s"
        case ..<60: "\(seconds)s"
        case ..<3600: "\(seconds / 60)m\(two(seconds % 60))s"
        case ..<86_400: "\(seconds / 3600)h\(two(seconds / 60 % 60))m"
        default: "\(seconds / 86_400)d\(seconds / 3600 % 24)h"
        }
    }

    /// `3.8 ms`, `1.9 s`
    static func latency(seconds: Double) -> String {
        seconds < 1 ? "\(decimal(seconds * 1000)) ms" : "\(decimal(seconds)) s"
    }

    /// `2026-07-01T20:00:00.123Z` (RFC 3339) of milliseconds since 1970; a time beyond the years 0001 to 9999 is shown
    /// as its number.
    static func time(_ milliseconds: Int64) -> String {
        guard CivilTime.range.contains(milliseconds) else { return "\(milliseconds)" }
        let time = CivilTime(milliseconds: milliseconds)
        let inHour = ((milliseconds % 3_600_000) + 3_600_000) % 3_600_000
        func padded(_ value: Int64, _ width: Int) -> String { CivilTime.padded(Int(value), width) }
        return "\(time.dateText)T\(CivilTime.padded(time.hour, 2)):\(padded(inHour / 60_000, 2))"
            + ":\(padded(inHour / 1000 % 60, 2)).\(padded(inHour % 1000, 3))Z"
    }

    /// The milliseconds since 1970 that `time` wrote; nil for another form.
    static func milliseconds(_ time: String) -> Int64? {
        guard time.utf8.count == 24, let fraction = Int64(time.suffix(4).dropLast()), time.hasSuffix("Z") else {
            return nil
        }
        return UTCTime.milliseconds(extendedISO8601: time).map { $0 + fraction }
    }

    /// `text` on one line, at most `limit` characters of it: control characters from outside stay out of terminals.
    static func line(_ text: String, limit: Int = 400) -> String {
        var shown = ""
        for scalar in text.unicodeScalars.prefix(limit) {
            let isPlain = scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value)
            shown += isPlain ? String(scalar) : scalar == "\n" ? " " : scalar.escaped(asASCII: true)
        }
        return text.unicodeScalars.count > limit ? shown + "…" : shown
    }
}
