package import Metrics
internal import RemoteWrite

/// Counters of the intake. The old names stay (contract.md §5); the new ones add up:
/// received = stored + rejected + filtered + deduplicated.
package struct IngestMetrics: Sendable {
    package let received: Counter
    package let stored: Counter
    package let filtered: Counter
    /// By the list that kept them out of its stream: `cost`, `observability`.
    package let filteredByList: [String: Counter]
    package let retransmitted: Counter
    package let rejected: [String: Counter]
    package let othersDropped: Counter
    package let duplicateRequests: Counter
    package let requestsRefused: [String: Counter]
    package let requestSeconds: Histogram
    package let syncSeconds: Histogram
    package let groupRecords: Histogram
    package let logBytes: Counter
    package let isDiskFull: Gauge
    let oldReceived: Counter
    let oldReceivedCost: Counter

    /// Why a whole request was refused.
    package static let refusals = [
        "content_type", "content_encoding", "body_limit", "decoded_limit", "snappy", "protobuf", "in_flight",
        "not_ready", "disk_full", "disk", "method", "path", "auth",
    ]

    package init(_ registry: MetricsRegistry) {
        received = registry.counter("cirrus_samples_received_total", "Samples in requests that were answered for good.")
        stored = registry.counter("cirrus_samples_stored_total", "Samples made durable in the log.")
        filtered = registry.counter("cirrus_samples_filtered_total", "Samples that no stream wanted.")
        var filteredByList: [String: Counter] = [:]
        for list in ["cost", "observability"] {
            filteredByList[list] = registry.counter(
                "cirrus_filter_dropped_samples_total", "Samples that a list kept out of its stream.", ["list": list])
        }
        self.filteredByList = filteredByList
        retransmitted = registry.counter(
            "cirrus_samples_deduplicated_total", "Samples received again and stored once.", ["reason": "retransmit"])
        var rejected: [String: Counter] = [:]
        for reason in Rejection.metricReasons {
            rejected[reason] = registry.counter(
                "cirrus_samples_rejected_total", "Samples refused with a 400.", ["reason": reason])
        }
        self.rejected = rejected
        othersDropped = registry.counter(
            "cirrus_values_dropped_total", "Histograms, exemplars and metadata no destination takes.",
            ["reason": "destination"])
        duplicateRequests = registry.counter("cirrus_requests_deduplicated_total", "Requests seen before.")
        var refused: [String: Counter] = [:]
        for reason in Self.refusals {
            refused[reason] = registry.counter(
                "cirrus_requests_refused_total", "Write requests refused as a whole.", ["reason": reason])
        }
        requestsRefused = refused
        requestSeconds = registry.histogram(
            "cirrus_request_seconds", "From a whole request to its answer.", bounds: Histogram.latencyBounds)
        syncSeconds = registry.histogram(
            "cirrus_wal_fsync_seconds", "Write and sync of one group.", bounds: Histogram.latencyBounds)
        groupRecords = registry.histogram(
            "cirrus_wal_group_records", "Requests made durable by one sync.", bounds: [1, 2, 4, 8, 16, 32, 64, 128])
        logBytes = registry.counter("cirrus_wal_payload_bytes_total", "Payload bytes written to the log.")
        isDiskFull = registry.gauge("cirrus_disk_full", "1 while writes are refused because the volume is full.")
        oldReceived = registry.counter("metrics_received_total", "Samples received (original name).")
        oldReceivedCost = registry.counter("metrics_received_cost_total", "Samples of the cost stream (original name).")
    }
}
