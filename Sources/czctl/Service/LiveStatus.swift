internal import Metrics

/// What only a running process knows: the answer of its control socket.
struct LiveStatus: Codable, Sendable {
    /// A list of `metrics.*`, and what it did since the start.
    struct Filter: Codable, Sendable {
        struct Rule: Codable, Sendable {
            /// `prefix kube_`
            let rule: String
            /// Times it was the first of its list to accept: series of a segment, label names of a row group.
            let matches: Int
        }

        let list: String
        /// Samples that it kept out of its stream; nil for a list of labels, which drops none.
        let droppedSamples: Int?
        let rules: [Rule]
    }

    /// A histogram since the start: whoever looks twice has that of the time between.
    struct Latency: Codable, Sendable {
        /// In seconds; `counts` has one more, above all of them.
        let bounds: [Double]
        let counts: [Int]

        init(_ histogram: Histogram) { (bounds, counts) = (histogram.bounds, histogram.snapshot.counts) }

        /// Of what came after `before`; nil when nothing came, or the process was another one.
        func quantile(_ share: Double, since before: Latency) -> Double? {
            guard before.bounds == bounds else { return nil }
            // Of another process, which may say anything: what overflows is a wrong quantile, and no trap.
            let counts = zip(counts, before.counts).map { $0 &- $1 }
            return counts.contains { $0 < 0 } ? nil : Histogram.quantile(share, of: counts, bounds)
        }
    }

    var version: String
    var pid: Int32
    /// `run`, `collector` or `shipper`.
    var role: String
    var uptimeSeconds: Double
    /// Where it listens; nil when it does not.
    var port: Int?
    /// `ready`, or why not.
    var readiness: String
    var samplesReceived = 0
    var samplesStored = 0
    var samplesRejected = 0
    var samplesFiltered = 0
    var samplesDeduplicated = 0
    var filters: [Filter]?
    var requestP50Seconds: Double?
    var requestP99Seconds: Double?
    var fsyncP99Seconds: Double?
    /// Of the last `recentSeconds`.
    var recentSeconds: Double?
    var recentSamplesPerSecond: Double?
    var recentRequestP99Seconds: Double?
    var recentFsyncP99Seconds: Double?
    var requestLatency: Latency?
    var lastReceivedSecondsAgo: Double?
    var activeSegment: UInt64?
    var activeBytes: UInt64?
    var activeRows: UInt64?
    var walError: String?
    var compacting: String?
    var compactingPercent: Int?
    var compactionError: String?
    var shipLastError: String?
    /// Of files, that each destination of the shipper takes, by its name.
    var takenKinds: [String: [String]]?
    /// That the shipper has; nil where there is none.
    var destinations: [String]? { takenKinds.map { Array($0.keys) } }
    /// Until the next cycle of the shipper; nil while one runs.
    var nextShipSeconds: Double?
}
