package import Parquet
package import Samples

/// Settings of compaction, checked once at start.
package struct CompactorOptions: Sendable {
    package var clusterName: String
    package var cloudAccountID: String
    /// Rows of a file at most, and of sealed data that start a compaction: `database.max_records`.
    package var rowsPerFile: Int
    /// Sealed data this old is compacted: the shorter of the streams' `*_max_interval`.
    package var interval: Duration
    /// What was received in one UTC hour is compacted together once the hour is over, whatever rows and age.
    package var isHourly = false
    /// How long a `.done` manifest answers retransmits: `dedup.window`.
    package var dedupWindow: Duration
    /// Fingerprint of the settings that decide the files' content.
    package var configuration: UInt64
    /// `name version 1.2.3 (build abc)`.
    package var createdBy: String
    package var profile = WriterProfile.compat
    package var layout = TableLayout.cloudzero
    /// Labels that have a column of their name, beside the map of the others, where a table has typed columns.
    package var promotedLabels: [String] = []
    /// Some destination takes files of histograms, exemplars and metadata; else segments that hold them are kept.
    package var writesOthers = true
    /// Whether a label of this name stays in the rows of a stream; all stay in a stream that has none.
    package var labelFilters: [Streams: @Sendable (RawSpan) -> Bool] = [:]

    package init(
        clusterName: String, cloudAccountID: String, rowsPerFile: Int, interval: Duration, dedupWindow: Duration,
        configuration: UInt64, createdBy: String
    ) {
        self.clusterName = clusterName
        self.cloudAccountID = cloudAccountID
        self.rowsPerFile = rowsPerFile
        self.interval = interval
        self.dedupWindow = dedupWindow
        self.configuration = configuration
        self.createdBy = createdBy
    }
}
