internal import Ingest
internal import Metrics
internal import Synchronization

/// What the intake did in the last minutes: rates since the start would hide for days that it has collapsed.
final class RecentIntake: Sendable {
    private struct Mark {
        let at: Duration
        let received: Int
        let requests: [Int]
        let syncs: [Int]
    }

    struct Rates: Sendable {
        /// How far it looks back.
        let seconds: Double
        let samplesPerSecond: Double
        let requestP99Seconds: Double?
        let fsyncP99Seconds: Double?
    }

    /// Between two marks.
    static let interval = Duration.seconds(10)
    private static let span = Duration.seconds(120)

    private let metrics: IngestMetrics
    private let marks: Mutex<[Mark]>

    init(_ metrics: IngestMetrics, at now: Duration) {
        self.metrics = metrics
        marks = Mutex([Self.mark(metrics, now)])
    }

    private static func mark(_ metrics: IngestMetrics, _ now: Duration) -> Mark {
        Mark(
            at: now, received: metrics.received.value, requests: metrics.requestSeconds.snapshot.counts,
            syncs: metrics.syncSeconds.snapshot.counts)
    }

    func note(at now: Duration) {
        let mark = Self.mark(metrics, now)
        marks.withLock { marks in
            marks.append(mark)
            // One is kept from before the span: what follows is it whole.
            while marks.count > 1, now - marks[1].at >= Self.span { marks.removeFirst() }
        }
    }

    /// nil in the first second.
    func rates(at now: Duration) -> Rates? {
        guard let first = marks.withLock({ $0.first }) else { return nil }
        let seconds = (now - first.at).inSeconds
        guard seconds >= 1 else { return nil }
        let last = Self.mark(metrics, now)
        func p99(_ counts: [Int], since before: [Int], _ histogram: Histogram) -> Double? {
            Histogram.quantile(0.99, of: zip(counts, before).map { $0 - $1 }, histogram.bounds)
        }
        return Rates(
            seconds: seconds, samplesPerSecond: Double(last.received - first.received) / seconds,
            requestP99Seconds: p99(last.requests, since: first.requests, metrics.requestSeconds),
            fsyncP99Seconds: p99(last.syncs, since: first.syncs, metrics.syncSeconds))
    }
}
