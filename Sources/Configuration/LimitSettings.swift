/// What one request, one connection and the whole receiver may take (reliability: every queue, body, label and wait
/// has a limit, I9).
package struct LimitSettings: Equatable, Sendable {
    /// Of a request's body as sent.
    package var bodyByteLimit = 16 << 20
    /// Of a body once inflated; checked against its declared length before anything is allocated.
    package var decodedByteLimit = 32 << 20
    package var labelsPerSeries = 256
    package var labelNameByteLimit = 1024
    package var labelValueByteLimit = 256 << 10
    /// Of all labels of a request, each counted as often as it is referred to.
    package var expandedLabelByteLimit = 32 << 20
    package var seriesPerSegment = 2_000_000
    package var requestsInFlight = 512
    /// What requests that are not answered yet hold: bodies, records that wait for the disk, the body being inflated.
    package var bytesInFlight = 64 << 20
    package var connections = 1024
    package var connectionsPerAddress = 256
    package var headerByteLimit = 64 << 10
    package var headerTimeout = Duration.seconds(10)
    package var idleTimeout = Duration.seconds(60)
    /// A body slower than this, on average, is cut off.
    package var bodyBytesPerSecond = 4096
    /// Samples later than now plus this are refused; 0 accepts any time.
    package var futureTolerance = Duration.zero
    /// Space preallocated so that sealing, compaction and upload can finish on a full disk.
    package var reserveBytes = 64 << 20
}
