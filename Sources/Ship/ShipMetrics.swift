package import Metrics

/// One counter for each error code, all at 0 from the start.
package struct ErrorCounters: Sendable {
    private let counters: [ShipErrorCode: Counter]

    init(_ registry: MetricsRegistry, _ name: String, _ help: String) {
        counters = Dictionary(
            uniqueKeysWithValues: ShipErrorCode.allCases.map {
                ($0, registry.counter(name, help, ["error_status_code": $0.rawValue]))
            })
    }

    package func count(_ code: ShipErrorCode) { counters[code]?.add() }
    package func value(_ code: ShipErrorCode) -> Int { counters[code]?.value ?? 0 }
}

/// The shipper's metrics: the original's names, all really set, and ours (contract.md §5).
package struct ShipMetrics: Sendable {
    package let shutdowns: Counter
    package let runFailures: ErrorCounters
    package let newFilesErrors: ErrorCounters
    package let newFilesProcessing: Gauge
    package let requestFiles: Counter
    package let requestSuccesses: Counter
    package let presignedURLErrors: ErrorCounters
    package let uploadErrors: ErrorCounters
    package let markUploadedErrors: ErrorCounters
    package let replayRequests: Counter
    package let replayCurrent: Gauge
    package let replaySaveErrors: ErrorCounters
    package let replayFiles: Counter
    package let replayErrors: ErrorCounters
    package let replayAbandoned: Counter
    package let replayAbandonErrors: ErrorCounters
    package let diskTotalBytes: Gauge
    package let diskUsedBytes: Gauge
    package let diskUsedPercentage: Gauge
    package let diskUnsentFiles: Gauge
    package let diskSentFiles: Gauge
    package let diskReplayRequests: Gauge
    package let diskCleanupFailures: ErrorCounters
    package let diskCleanupSuccesses: Counter
    package let diskCleanupPercentage: Gauge
    package let diskErrors: ErrorCounters

    package let unsentFiles: Gauge
    package let unsentBytes: Gauge
    package let unsentRows: Gauge
    /// Wall time of the oldest unsent file's discovery, in seconds since 1970; 0 without one.
    package let oldestUnsentSince: Gauge
    /// Files and their rows by the words of `czctl files list`, once a destination.
    let files: [String: Gauge]
    let rows: [String: Gauge]
    package let quarantinedFiles: Gauge
    package let abandonedFiles: Gauge
    package let movedObjects: Counter
    /// By the last answer with a `Date`: seconds our clock is ahead of the server's.
    package let clockSkew: Gauge
    package let uploadedFiles: Counter
    package let uploadedBytes: Counter
    /// By destination name.
    package let lastSuccess: [String: Gauge]

    /// - Parameter wallSeconds: seconds since 1970, asked for when the metrics are read.
    package init(
        _ registry: MetricsRegistry, destinations: [DestinationOptions], wallSeconds: @escaping @Sendable () -> Double
    ) {
        func counter(_ name: String, _ help: String) -> Counter { registry.counter("shipper_" + name, help) }
        func gauge(_ name: String, _ help: String) -> Gauge { registry.gauge("shipper_" + name, help) }
        func errors(_ name: String, _ help: String) -> ErrorCounters {
            ErrorCounters(registry, "shipper_" + name, help)
        }
        shutdowns = counter("shutdown_total", "Times the shipper was asked to stop.")
        runFailures = errors("run_fail_total", "Cycles that failed for a destination.")
        newFilesErrors = errors("new_files_error_total", "Files of the outbox that could not be taken in.")
        newFilesProcessing = gauge("new_files_processing_current", "Files the running cycle works on.")
        requestFiles = counter("handle_request_file_count", "Files given to a destination.")
        requestSuccesses = counter("handle_request_success_total", "Chunks of files that were worked off.")
        presignedURLErrors = errors("presigned_url_error_total", "Presigned URLs that were not given or not usable.")
        uploadErrors = errors("file_upload_error_total", "Attempts to deliver a file that failed.")
        markUploadedErrors = errors("mark_file_uploaded_error_total", "Deliveries that could not be recorded.")
        replayRequests = counter("replay_request_total", "Answers that asked for files again.")
        replayCurrent = gauge("replay_request_current", "Ids waiting for an abandon call.")
        replaySaveErrors = errors("replay_request_save_error_total", "Replay requests that could not be stored.")
        replayFiles = counter("replay_request_file_count", "Files asked for again.")
        replayErrors = errors("replay_request_error_total", "Replay requests that could not be followed.")
        replayAbandoned = counter("replay_request_abandon_files_total", "Ids told to the server as lost.")
        replayAbandonErrors = errors("replay_request_abandon_files_error_total", "Abandon calls that failed.")
        diskTotalBytes = gauge("disk_total_size_bytes", "Size of the volume.")
        diskUsedBytes = gauge("disk_current_usage_bytes", "Used bytes of the volume.")
        diskUsedPercentage = gauge("disk_current_usage_percentage", "Used share of the volume, 0 to 100.")
        diskUnsentFiles = gauge("disk_current_unsent_file", "Files not yet at every destination.")
        diskSentFiles = gauge("disk_current_sent_file", "Delivered files kept for replay.")
        diskReplayRequests = gauge("disk_replay_request_current", "Replay requests on disk.")
        diskCleanupFailures = errors("disk_cleanup_failure_total", "Delivered files that could not be removed.")
        diskCleanupSuccesses = counter("disk_cleanup_success_total", "Delivered files removed after their retention.")
        diskCleanupPercentage = gauge("disk_cleanup_percentage", "Share of delivered files removed last, 0 to 100.")
        diskErrors = errors("disk_handle_error_total", "Looks at the disk that failed.")
        unsentFiles = registry.gauge("cirrus_unsent_files", "Files not yet at every destination.")
        unsentBytes = registry.gauge("cirrus_unsent_bytes", "Bytes of the files not yet at every destination.")
        unsentRows = registry.gauge("cirrus_unsent_rows", "Rows of the files not yet at every destination.")
        let oldest = Gauge()
        oldestUnsentSince = oldest
        registry.gauge("cirrus_oldest_unsent_seconds", "Time since the oldest unsent file was found.") {
            oldest.value == 0 ? 0 : max(0, wallSeconds() - oldest.value)
        }
        func byState(_ name: String, _ help: String) -> [String: Gauge] {
            var gauges: [String: Gauge] = [:]
            for state in ShipmentState.allCases where gauges[state.metricLabel] == nil {
                gauges[state.metricLabel] = registry.gauge(name, help, ["state": state.metricLabel])
            }
            return gauges
        }
        files = byState("cirrus_file_state", "Files in a state, once a destination.")
        rows = byState(
            "cirrus_file_rows",
            "Rows of the files in a state, once a destination; with those of the log, every row that was accepted.")
        quarantinedFiles = registry.gauge(
            "cirrus_quarantined_files", "Files whose bytes are damaged, once a destination.")
        abandonedFiles = registry.gauge(
            "cirrus_abandoned_files", "Files given up by an operator, once a destination.")
        movedObjects = registry.counter(
            "cirrus_moved_objects_total", "Files that the upload API gave another object when asked again.")
        clockSkew = registry.gauge(
            "cirrus_clock_skew_seconds", "Seconds this clock is ahead of the server's, by its last answer.")
        uploadedFiles = registry.counter("cirrus_uploaded_files_total", "Files delivered, once a destination.")
        uploadedBytes = registry.counter("cirrus_uploaded_bytes_total", "Bytes of the files delivered.")
        lastSuccess = Self.lastSuccessGauges(registry, destinations)
    }

    /// One series a kind; destinations of one kind share it.
    private static func lastSuccessGauges(
        _ registry: MetricsRegistry, _ destinations: [DestinationOptions]
    ) -> [String: Gauge] {
        var byKind: [String: Gauge] = [:]
        var byName: [String: Gauge] = [:]
        for destination in destinations {
            let gauge =
                byKind[destination.kind]
                ?? registry.gauge(
                    "cirrus_ship_last_success_timestamp_seconds", "When a file was last delivered; 0: never.",
                    ["destination": destination.kind])
            byKind[destination.kind] = gauge
            byName[destination.name] = gauge
        }
        return byName
    }
}
