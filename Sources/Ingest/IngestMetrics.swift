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
    let oldReceivedObservability: Counter
    /// Samples of a request that was answered for good.
    let requestSamples: Histogram
    /// Bodies decoded, and refused as a whole.
    let decoding: FunctionMetrics
    /// Write and sync of a group.
    let appending: FunctionMetrics
    /// Bytes of the segments in `wal/`, as far as they are reserved.
    package let walBytes: Gauge
    package let diskFreeBytes: Gauge
    package let diskLimitBytes: Gauge
    package let corruptions: Counter

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
                "cirrus_requests_refused_total", "Requests refused as a whole.", ["reason": reason])
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
        oldReceivedObservability = registry.counter(
            "metrics_received_observability_total", "Samples of the observability stream (original name).")
        requestSamples = registry.histogram(
            "cirrus_request_samples", "Samples of a request, refused ones among them.",
            bounds: [1, 10, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000, 100_000])
        decoding = FunctionMetrics(registry, "decode")
        appending = FunctionMetrics(registry, "append")
        walBytes = registry.gauge("cirrus_wal_bytes", "Bytes of the log's segments on disk.")
        diskFreeBytes = registry.gauge("cirrus_disk_free_bytes", "Bytes free on the volume, our reserve among them.")
        diskLimitBytes = registry.gauge(
            "cirrus_disk_limit_bytes", "Writes are refused while fewer bytes than these are free.")
        corruptions = registry.counter(
            "cirrus_wal_corruptions_total", "Damaged places of the log found at start, and segments that are gone.")
    }
}

/// The original's `function_execution_seconds` of one function, by whether it failed.
struct FunctionMetrics: Sendable {
    let done: Histogram
    let failed: Histogram

    init(_ registry: MetricsRegistry, _ name: String) {
        func histogram(_ error: String) -> Histogram {
            registry.histogram(
                "function_execution_seconds", "Time of a function (original name).",
                ["function_name": name, "error": error], bounds: Histogram.goBounds)
        }
        done = histogram("")
        failed = histogram("true")
    }
}
