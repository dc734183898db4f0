/// What one cycle did.
package struct PassReport: Sendable, Equatable {
    /// Rows made: one a new file and destination.
    package var discovered = 0
    /// Deliveries: one a file and destination.
    package var uploaded = 0
    package var uploadedBytes: Int64 = 0
    /// Rows that wait for a later cycle after an attempt.
    package var failed = 0
    package var quarantined = 0
    /// Delivered files removed after their retention.
    package var purged = 0
    /// Names in `outbox/` that are not files of ours: left alone.
    package var ignoredNames: [String] = []
    /// Each as one line; the first `listLimit`.
    package var failures: [String] = []
    /// After the cycle.
    package var unsent = UnsentSummary(files: 0, bytes: 0, rows: 0)

    static let listLimit = 20

    package init() {}

    mutating func note(_ failure: String) {
        if failures.count < Self.listLimit { failures.append(failure) }
    }

    mutating func add(_ other: PassReport) {
        discovered += other.discovered
        uploaded += other.uploaded
        uploadedBytes += other.uploadedBytes
        failed += other.failed
        quarantined += other.quarantined
        purged += other.purged
        for failure in other.failures { note(failure) }
    }
}
