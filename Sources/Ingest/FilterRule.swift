package import Metrics
package import RegularExpressions

/// One rule of a filter list: how a text must look, byte by byte.
package struct FilterRule: Sendable {
    package enum Match: String, Sendable {
        case exact, prefix, suffix, contains
        /// RE2's syntax, anywhere in the text.
        case regex
    }

    private let pattern: [UInt8]
    private let match: Match
    private let expression: RegularExpression?
    /// The rule in words that a metric's label holds: `prefix kube_`.
    let description: String

    /// - Throws: for a regex that RE2 refuses.
    package init(pattern: String, match: Match) throws(RegularExpressionError) {
        self.pattern = Array(pattern.utf8)
        self.match = match
        expression = match == .regex ? try RegularExpression(pattern) : nil
        description = "\(match.rawValue) \(pattern.prefix(Self.shownCharacters))"
    }

    private static let shownCharacters = 64

    package func accepts(_ text: RawSpan) -> Bool {
        let (count, length) = (pattern.count, text.byteCount)
        guard match == .regex || count <= length else { return false }
        return switch match {
        case .exact: count == length && stands(at: 0, in: text)
        case .prefix: stands(at: 0, in: text)
        case .suffix: stands(at: length - count, in: text)
        case .contains: stands(within: text)
        case .regex: expression?.matches(text) ?? false
        }
    }

    private func stands(within text: RawSpan) -> Bool {
        for start in 0...text.byteCount - pattern.count where stands(at: start, in: text) { return true }
        return false
    }

    /// - Parameter start: with room for the pattern behind it.
    private func stands(at start: Int, in text: RawSpan) -> Bool {
        for index in 0..<pattern.count where text.byte(at: start + index) != pattern[index] { return false }
        return true
    }
}

extension RawSpan {
    fileprivate func byte(at index: Int) -> UInt8 {
        // SAFETY: UInt8 has no padding and any bits are one; the bound is checked.
        unsafe unsafeLoad(fromByteOffset: index, as: UInt8.self)
    }
}

/// The rules of one list, any of which lets a text through, and how often each was the first that did.
package struct FilterList: Sendable {
    /// As in the configuration, without `metrics.`: `cost`, `observability_labels`.
    package let name: String
    private let rules: [(rule: FilterRule, matches: Counter)]

    package init(_ name: String, _ rules: [FilterRule], _ registry: MetricsRegistry) {
        self.name = name
        self.rules = rules.enumerated().map { index, rule in
            let matches = registry.counter(
                "cirrus_filter_matches_total",
                "Times a rule was the first of its list to accept: series of a segment, label names of a row group.",
                ["list": name, "rule": "\(index) \(rule.description)"])
            return (rule, matches)
        }
    }

    func accepts(_ text: RawSpan) -> Bool {
        for (rule, matches) in rules where rule.accepts(text) {
            matches.add()
            return true
        }
        return false
    }

    /// Each rule and how often it was the first to accept.
    package var counts: [(rule: String, matches: Int)] { rules.map { ($0.rule.description, $0.matches.value) } }
}
