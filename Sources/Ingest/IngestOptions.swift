package import RemoteWrite

/// Settings of the intake, checked once at start.
package struct IngestOptions: Sendable {
    /// Compressed body, bytes.
    package var bodyByteLimit: Int
    /// Inflated body, bytes: checked against what the body declares before anything is allocated.
    package var decodedByteLimit: Int
    /// Bodies being read or waiting for the disk, what they became, and what the one in work inflates to, bytes; beyond
    /// it 503.
    package var inFlightByteLimit: Int
    /// Requests read or waiting for the disk; beyond it 503.
    package var inFlightRequestLimit: Int
    /// Space held back on the volume for sealing, compaction and upload.
    package var diskReserveBytes: UInt64
    package var decode: DecodeLimits
    /// Samples later than now and this are refused; zero accepts any.
    package var futureTolerance = Duration.zero
    /// A segment with this many series is ended.
    package var seriesPerSegment: Int
    /// A segment with this many payload bytes is ended; those of labels count apart, up to eight times as many in all
    /// or 128 MiB.
    package var segmentByteLimit: Int
    package var segmentAge: Duration
    /// A segment with this many rows is ended.
    package var rowsPerSegment: Int
    package var dedupWindow: Duration
    /// Fingerprints kept at most: 5 hours at 50 requests a second.
    package var dedupEntryLimit: Int
    /// Whether histograms, exemplars and metadata go to the log.
    package var keepsOthers: Bool
    package var classify: RequestDecoder.Classifier
    /// Whether there is an `observability` stream; without one its list drops nothing.
    package var hasObservability = false

    package init(
        bodyByteLimit: Int, decodedByteLimit: Int, inFlightByteLimit: Int, inFlightRequestLimit: Int,
        diskReserveBytes: UInt64, decode: DecodeLimits, seriesPerSegment: Int, segmentByteLimit: Int,
        segmentAge: Duration, rowsPerSegment: Int, dedupWindow: Duration, dedupEntryLimit: Int,
        keepsOthers: Bool, classify: @escaping RequestDecoder.Classifier
    ) {
        self.bodyByteLimit = bodyByteLimit
        self.decodedByteLimit = decodedByteLimit
        self.inFlightByteLimit = inFlightByteLimit
        self.inFlightRequestLimit = inFlightRequestLimit
        self.diskReserveBytes = diskReserveBytes
        self.decode = decode
        self.seriesPerSegment = seriesPerSegment
        self.segmentByteLimit = segmentByteLimit
        self.segmentAge = segmentAge
        self.rowsPerSegment = rowsPerSegment
        self.dedupWindow = dedupWindow
        self.dedupEntryLimit = dedupEntryLimit
        self.keepsOthers = keepsOthers
        self.classify = classify
    }
}
