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
    var lastReceivedSecondsAgo: Double?
    var activeSegment: UInt64?
    var activeBytes: UInt64?
    var activeRows: UInt64?
    var walError: String?
    var compacting: String?
    var compactingPercent: Int?
    var compactionError: String?
    var shipLastError: String?
}
