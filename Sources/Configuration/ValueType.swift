/// What a key's value may be.
package enum ValueType: Equatable, Sendable {
    case boolean
    case integer(ClosedRange<Int>)
    /// Go's durations.
    case duration(ClosedRange<Duration>)
    /// Bytes, as a Kubernetes quantity.
    case size(ClosedRange<Int>)
    /// One of these words, in any case; `synonyms` are further words the original took.
    case choice([String], synonyms: [String: String])
    case text(TextForm)
    case texts(TextForm)
    case filters
}

/// A value of the type its key has. A size is an integer of bytes.
package enum Value: Equatable, Sendable {
    case boolean(Bool)
    case integer(Int)
    case duration(Duration)
    case text(String)
    case texts([String])
    case filters([MetricFilter])
}

/// Why a text is no value of a key. `reason` continues a sentence that begins with the value.
struct ValueProblem: Error, Equatable {
    let value: String
    let reason: String
}

extension ValueType {
    /// The value that `text` spells. A list is comma-separated.
    func read(_ text: String) throws(ValueProblem) -> Value {
        switch self {
        case .boolean: return .boolean(try readBoolean(text))
        case .integer(let range): return .integer(try readInteger(text, range))
        case .duration(let range): return .duration(try readDuration(text, range))
        case .size(let range): return .integer(try readSize(text, range))
        case .choice(let words, let synonyms): return .text(try readChoice(text, words, synonyms))
        case .text(let form): return .text(try form.read(text))
        case .texts(let form):
            var texts: [String] = []
            for part in text.split(separator: ",") { texts.append(try form.read(part.trimmed)) }
            return .texts(texts)
        case .filters: throw ValueProblem(value: text, reason: "is not a list of filters: give them in the file")
        }
    }

    private func readBoolean(_ text: String) throws(ValueProblem) -> Bool {
        switch text.lowercased() {
        case "true", "t", "yes", "y", "on", "1": return true
        case "false", "f", "no", "n", "off", "0": return false
        default: throw ValueProblem(value: text, reason: "is not true or false")
        }
    }

    /// Also takes `1_000_000` and Helm's `1e+06`.
    private func readInteger(_ text: String, _ range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        let isNegative = text.hasPrefix("-")
        var rest = Substring(
            isNegative || text.hasPrefix("+") ? text.dropFirst().filter { $0 != "_" } : text.filter { $0 != "_" })
        guard var number = DecimalNumber(scanning: &rest) else {
            throw ValueProblem(value: text, reason: "is not a whole number")
        }
        number.scanExponent(&rest)
        guard rest.isEmpty, let magnitude = number.scaled(by: 1, rounding: .exact) else {
            throw ValueProblem(value: text, reason: "is not a whole number")
        }
        let integer = isNegative ? -magnitude : magnitude
        guard range.contains(integer) else {
            throw ValueProblem(value: text, reason: "is out of range (\(range.lowerBound) to \(range.upperBound))")
        }
        return integer
    }

    private func readDuration(_ text: String, _ range: ClosedRange<Duration>) throws(ValueProblem) -> Duration {
        guard let duration = GoDuration.parse(text) else {
            let hint = GoDuration.suggestion(for: text).map { "try \($0)" } ?? "write it like 90s, 10m or 1h30m"
            throw ValueProblem(value: text, reason: "is not a duration (\(hint))")
        }
        guard range.contains(duration) else {
            let bounds = "\(GoDuration.format(range.lowerBound)) to \(GoDuration.format(range.upperBound))"
            throw ValueProblem(value: text, reason: "is out of range (\(bounds))")
        }
        return duration
    }

    private func readSize(_ text: String, _ range: ClosedRange<Int>) throws(ValueProblem) -> Int {
        guard let size = Quantity.parse(text) else {
            let hint = Quantity.suggestion(for: text).map { "try \($0)" } ?? "write it like 64Mi, 500M or 20Gi"
            throw ValueProblem(value: text, reason: "is not a size (\(hint))")
        }
        guard range.contains(size) else {
            let bounds = "\(Quantity.format(range.lowerBound)) to \(Quantity.format(range.upperBound))"
            throw ValueProblem(value: text, reason: "is out of range (\(bounds))")
        }
        return size
    }

    private func readChoice(
        _ text: String, _ words: [String], _ synonyms: [String: String]
    ) throws(ValueProblem) -> String {
        let lowered = text.lowercased()
        if let word = words.first(where: { $0.lowercased() == lowered }) ?? synonyms[lowered] { return word }
        let hint = nearest(to: lowered, among: words).map { " (did you mean \($0)?)" } ?? ""
        throw ValueProblem(value: text, reason: "is not one of \(words.joined(separator: ", "))\(hint)")
    }
}

extension ValueType {
    /// A text that `read` gives back as `value`.
    func format(_ value: Value) -> String {
        switch value {
        case .boolean(let boolean): "\(boolean)"
        case .integer(let integer): if case .size = self { Quantity.format(integer) } else { "\(integer)" }
        case .duration(let duration): GoDuration.format(duration)
        case .text(let text): text
        case .texts(let texts): texts.joined(separator: ",")
        case .filters(let filters): filters.map { "\($0.match.rawValue) \($0.pattern)" }.joined(separator: ", ")
        }
    }

    /// For the reference page: the type, with its range.
    package var summary: String {
        switch self {
        case .boolean: "true or false"
        case .integer(let range): "integer, \(range.lowerBound) to \(range.upperBound)"
        case .duration(let range):
            "duration, \(GoDuration.format(range.lowerBound)) to \(GoDuration.format(range.upperBound))"
        case .size(let range): "size, \(Quantity.format(range.lowerBound)) to \(Quantity.format(range.upperBound))"
        case .choice(let words, _): words.joined(separator: ", ")
        case .text(let form): form.noun
        case .texts(let form): "list: \(form.noun)"
        case .filters: "list of {pattern, match}"
        }
    }
}

extension Substring {
    /// Without blanks at either end.
    var trimmed: String {
        var rest = self
        while let first = rest.first, first.isWhitespace { rest.removeFirst() }
        while let last = rest.last, last.isWhitespace { rest.removeLast() }
        return String(rest)
    }
}
