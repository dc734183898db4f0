/// Durations as Go writes them: `1h30m`, `250ms`, `1.5h`, `0`. Units ns, us, µs, ms, s, m, h.
package enum GoDuration {
    private static let nanoseconds: [String: Int] = [
        "ns": 1, "us": 1000, "µs": 1000, "μs": 1000, "ms": 1_000_000, "s": 1_000_000_000, "m": 60_000_000_000,
        "h": 3_600_000_000_000,
    ]

    /// nil for any other text and beyond Go's own range of about 292 years.
    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        let isNegative = rest.hasPrefix("-")
        if isNegative || rest.hasPrefix("+") { rest.removeFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var total = 0
        while !rest.isEmpty {
            guard let number = DecimalNumber(scanning: &rest) else { return nil }
            let unit = rest.prefix { !$0.isDecimalDigit && $0 != "." }
            guard let scale = nanoseconds[String(unit)], let part = number.scaled(by: scale, rounding: .down) else {
                return nil
            }
            rest.removeFirst(unit.count)
            let (sum, overflowed) = total.addingReportingOverflow(part)
            guard !overflowed else { return nil }
            total = sum
        }
        return .nanoseconds(isNegative ? -total : total)
    }

    /// The shortest exact text that `parse` reads back.
    package static func format(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        guard seconds >= 0, attoseconds >= 0 else { return "-" + format(.zero - duration) }
        guard attoseconds == 0 else { return formatFraction(seconds, attoseconds / 1_000_000_000) }
        if seconds == 0 { return "0s" }
        var text = ""
        if seconds >= 3600 { text += "\(seconds / 3600)h" }
        if seconds / 60 % 60 > 0 { text += "\(seconds / 60 % 60)m" }
        if seconds % 60 > 0 { text += "\(seconds % 60)s" }
        return text
    }

    private static func formatFraction(_ seconds: Int64, _ nanoseconds: Int64) -> String {
        let whole = seconds > 0 ? format(.seconds(seconds)) : ""
        if nanoseconds % 1_000_000 == 0 { return whole + "\(nanoseconds / 1_000_000)ms" }
        if nanoseconds % 1000 == 0 { return whole + "\(nanoseconds / 1000)us" }
        return whole + "\(nanoseconds)ns"
    }

    /// What the writer of `text` probably meant: `10 minutes` is 10m, `7d` is 168h, `30` is 30s.
    static func suggestion(for text: String) -> String? {
        guard text.utf8.count <= 64 else { return nil }
        var rest = Substring(text.lowercased().filter { $0 != " " && $0 != "," })
        var suggested = ""
        while !rest.isEmpty {
            guard let number = DecimalNumber(scanning: &rest) else { return nil }
            let word = rest.prefix { !$0.isDecimalDigit && $0 != "." }
            rest.removeFirst(word.count)
            guard let (unit, multiple) = words[String(word)] else { return nil }
            if multiple == 1 {
                suggested += number.text + unit
            } else {
                guard let count = number.scaled(by: multiple, rounding: .exact) else { return nil }
                suggested += "\(count)\(unit)"
            }
        }
        return parse(suggested) == nil ? nil : suggested
    }

    private static let words: [String: (unit: String, multiple: Int)] = {
        let spellings: [(String, Int, [String])] = [
            ("ms", 1, ["ms", "msec", "msecs", "millisecond", "milliseconds"]),
            ("s", 1, ["", "s", "sec", "secs", "second", "seconds"]),
            ("m", 1, ["m", "min", "mins", "minute", "minutes"]),
            ("h", 1, ["h", "hr", "hrs", "hour", "hours"]),
            ("h", 24, ["d", "day", "days"]),
            ("h", 168, ["w", "week", "weeks"]),
        ]
        var words: [String: (unit: String, multiple: Int)] = [:]
        for (unit, multiple, names) in spellings {
            for name in names { words[name] = (unit, multiple) }
        }
        return words
    }()
}
