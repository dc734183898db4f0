package import Samples

/// Which streams a series belongs to, and which of its labels stay (contract.md §2, "Filters").
///
/// A list of names decides over series; an absent one accepts all. With no lists at all everything goes to the cost
/// stream alone; the observability stream exists when it has a list. A list of labels drops no series: rows of its
/// stream are written without the labels it does not accept, as the original does.
package struct SeriesFilter: Sendable {
    /// nil = no list.
    package struct Stream: Sendable {
        fileprivate let names: FilterList?
        fileprivate let labels: FilterList?

        package init(names: FilterList?, labels: FilterList?) {
            self.names = names
            self.labels = labels
        }
    }

    private let cost: Stream
    private let observability: Stream

    package init(cost: Stream, observability: Stream) {
        self.cost = cost
        self.observability = observability
    }

    package var hasObservability: Bool { observability.names != nil || observability.labels != nil }

    package var lists: [FilterList] {
        [cost.names, cost.labels, observability.names, observability.labels].compactMap(\.self)
    }

    /// Whether a label of this name stays in the rows of a stream, by streams that have a list.
    package var labelFilters: [Streams: @Sendable (RawSpan) -> Bool] {
        var filters: [Streams: @Sendable (RawSpan) -> Bool] = [:]
        if let list = cost.labels { filters[.cost] = { list.accepts($0) } }
        if let list = observability.labels { filters[.observability] = { list.accepts($0) } }
        return filters
    }

    package func streams(metric name: RawSpan) -> Streams {
        guard cost.names != nil || hasObservability else { return .cost }
        var streams: Streams = []
        if cost.names?.accepts(name) ?? true { streams.insert(.cost) }
        if hasObservability, observability.names?.accepts(name) ?? true { streams.insert(.observability) }
        return streams
    }
}
