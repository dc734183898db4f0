internal import Samples
internal import WAL

/// How many samples each metric got, over a span of time that goes along.
struct MetricRates: Sendable {
    struct Rate: Encodable, Equatable, Sendable {
        let metric: String
        let samples: Int
    }

    private let span: Duration
    /// Metric of each series of the segment in work.
    private var names: [UInt32: String] = [:]
    /// Counts of each look, oldest first.
    private var looks: [(at: Duration, counts: [String: Int])] = []

    init(span: Duration) { self.span = span }

    mutating func startSegment() { names = [:] }

    mutating func startLook(at now: Duration) {
        looks.append((now, [:]))
        looks.removeAll { now - $0.at > span }
    }

    mutating func add(_ batch: Batch, isNew: Bool) {
        for entry in batch.series {
            let name = batch.labels(entry.labels).first { batch.text($0.name) == "__name__" }
            names[entry.reference] = name.map { batch.text($0.value) }
        }
        guard isNew, !looks.isEmpty else { return }
        for reference in batch.references + batch.histograms.map(\.reference) {
            looks[looks.count - 1].counts[names[reference] ?? "?", default: 0] += 1
        }
    }

    /// Most samples first.
    func top(_ limit: Int) -> [Rate] {
        var sums: [String: Int] = [:]
        for look in looks { sums.merge(look.counts, uniquingKeysWith: +) }
        let sorted = sums.sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        return sorted.prefix(limit).map { Rate(metric: $0.key, samples: $0.value) }
    }
}
