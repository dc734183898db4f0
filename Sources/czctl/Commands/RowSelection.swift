internal import ArgumentParser
internal import Parquet
internal import Samples
internal import Ship

/// Which rows of a metric, or of all.
struct RowOptions: ParsableArguments {
    @Option(name: .customLong("where"), help: "label=value or label!=value; repeatable. An absent label is empty.")
    var conditions: [String] = []

    @Option(help: "First time wanted: 2026-07-01T15:00:00Z, or milliseconds since 1970.")
    var since: String?

    @Option(help: "Last time wanted.")
    var until: String?

    /// - Throws: `ValidationError`.
    func selection(of metric: String?) throws -> RowSelection {
        try RowSelection(metric: metric, conditions: conditions, since: since, until: until)
    }
}

/// Rows that a user means: a metric, conditions on labels, a span of time.
struct RowSelection: Sendable {
    private(set) var query = RowQuery()
    let metric: String?
    /// Whether labels beside the metric's name decide.
    var hasConditions: Bool { query.filters.count > (metric == nil ? 0 : 1) }

    /// - Throws: `ValidationError`.
    init(metric: String?, conditions: [String], since: String?, until: String?) throws {
        self.metric = metric
        if let metric { query.filters.append(RowQuery.LabelFilter(name: "__name__", value: metric, isEqual: true)) }
        for condition in conditions {
            guard let at = condition.firstIndex(of: "="), at != condition.startIndex else {
                throw ValidationError("--where \(condition): not label=value or label!=value")
            }
            let value = String(condition[condition.index(after: at)...])
            let isEqual = condition[condition.index(before: at)] != "!"
            let name = String(condition[..<at].dropLast(isEqual ? 0 : 1))
            query.filters.append(RowQuery.LabelFilter(name: name, value: value, isEqual: isEqual))
        }
        let (first, last) = (try since.map(Self.time) ?? .min, try until.map(Self.time) ?? .max)
        guard first <= last else { throw ValidationError("the first time is after the last") }
        query.times = first...last
    }

    private static func time(_ text: String) throws -> Int64 {
        if let milliseconds = Int64(text) { return milliseconds }
        if let milliseconds = UTCTime.milliseconds(extendedISO8601: text) { return milliseconds }
        throw ValidationError("\(text) is no time: 2026-07-01T15:00:00Z, or milliseconds since 1970")
    }

    /// Whether the labels of a series of the log are meant.
    func matches(_ series: Batch.Series, _ batch: Batch) -> Bool {
        guard !query.filters.isEmpty else { return true }
        var values: [String: String] = [:]
        for label in batch.labels(series.labels) { values[batch.text(label.name)] = batch.text(label.value) }
        return query.filters.allSatisfy { ((values[$0.name] ?? "") == $0.value) == $0.isEqual }
    }
}
