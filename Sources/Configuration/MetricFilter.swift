package enum FilterMatch: String, CaseIterable, Sendable { case exact, prefix, suffix, contains, regex }

/// One rule about a metric's or a label's name. A regex is kept as text, and was compiled once to
/// know that it can be.
package struct MetricFilter: Equatable, Sendable {
    package var pattern: String
    package var match: FilterMatch

    package init(pattern: String, match: FilterMatch) {
        self.pattern = pattern
        self.match = match
    }
}

/// Which series belong to which stream. nil (absent, null or empty in the file) lets everything through; with all
/// four nil everything goes to the `metrics` stream alone, and the `observability` stream exists while its list does.
package struct FilterSettings: Equatable, Sendable {
    package var cost: [MetricFilter]?
    package var costLabels: [MetricFilter]?
    package var observability: [MetricFilter]?
    package var observabilityLabels: [MetricFilter]?
}
