package import Metrics

/// Counters of compaction.
package struct CompactorMetrics: Sendable {
    package let rowsWritten: Counter
    package let rowsDeduplicated: Counter
    package let rowsConflicting: Counter
    package let rowsQuarantined: Counter
    package let files: Counter
    package let fileBytes: Counter
    package let failures: Counter
    package let seconds: Histogram
    package let sealedSegments: Gauge
    package let sealedRows: Gauge

    package init(_ registry: MetricsRegistry) {
        rowsWritten = registry.counter("cirrus_compacted_rows_total", "Rows written to Parquet files.")
        rowsDeduplicated = registry.counter(
            "cirrus_compaction_deduplicated_rows_total", "Rows equal to another of the same plan, stored once.")
        rowsConflicting = registry.counter(
            "cirrus_compaction_conflicts_total", "Rows that share series and time with another value; both are kept.")
        rowsQuarantined = registry.counter(
            "cirrus_quarantined_rows_total", "Rows lost to damaged bytes; copies are in quarantine/.")
        files = registry.counter("cirrus_compacted_files_total", "Parquet files published to the outbox.")
        fileBytes = registry.counter("cirrus_compacted_bytes_total", "Bytes of the Parquet files published.")
        failures = registry.counter("cirrus_compaction_failures_total", "Compactions that stopped and are tried again.")
        seconds = registry.histogram(
            "cirrus_compaction_seconds", "Duration of a compaction.", bounds: [0.01, 0.1, 0.5, 1, 2, 5, 10, 30, 60])
        sealedSegments = registry.gauge("cirrus_wal_sealed_segments", "Sealed segments not yet compacted.")
        sealedRows = registry.gauge("cirrus_wal_sealed_rows", "Rows in sealed segments not yet compacted.")
    }
}
