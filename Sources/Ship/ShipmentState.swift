/// Where one file stands on its way to one destination (docs/formats/ledger.md draws the moves).
package enum ShipmentState: String, CaseIterable, Sendable {
    /// In `outbox/`, complete; nothing was asked for it yet.
    case discovered
    /// A presigned URL and its expiry are stored.
    case allocated
    /// A PUT or a copy was begun; its outcome is unknown until the row says otherwise.
    case uploading
    /// The destination confirmed it; the receipt is stored and the URL wiped.
    case uploaded
    /// The local copy is being unlinked.
    case purging
    /// Only this row is left.
    case purged
    /// Waiting out its back-off; still to be sent.
    case failed
    /// Given up by an operator, with a reason.
    case abandoned
    /// The bytes are not what their name says: kept in `quarantine/` until an operator decides.
    case quarantined

    /// The states this one may move to. A move to itself renews what the row holds (a fresh URL).
    package var successors: Set<ShipmentState> {
        switch self {
        case .discovered: [.allocated, .uploading, .failed, .quarantined, .abandoned]
        case .allocated: [.allocated, .uploading, .failed, .quarantined, .abandoned]
        // `allocated` and `uploading` again: after a crash, or with a fresh URL, the same bytes go to the same key.
        // `discovered`, as `allocated` and `failed`: an attempt that was begun in a group, and not made.
        case .uploading: [.discovered, .allocated, .uploading, .uploaded, .failed, .quarantined]
        // The server asked for the file again (replay): with a URL, or to be asked for one.
        case .uploaded: [.allocated, .discovered, .purging]
        case .purging: [.purged]
        case .purged: []
        case .failed: [.discovered, .allocated, .uploading, .failed, .quarantined, .abandoned]
        case .abandoned: [.discovered]
        case .quarantined: [.discovered, .abandoned]
        }
    }

    package func mayBecome(_ next: ShipmentState) -> Bool { successors.contains(next) }

    /// The word that people read: steps of the program's own are not told apart.
    var metricLabel: String {
        switch self {
        case .discovered, .allocated: "ready"
        case .uploaded, .purging: "uploaded"
        case .uploading, .purged, .failed, .abandoned, .quarantined: rawValue
        }
    }

    /// Not at its destination yet, and the shipper will try.
    package var isUnsent: Bool { [.discovered, .allocated, .uploading, .failed].contains(self) }

    /// At its destination, whatever became of the local copy.
    package var isDelivered: Bool { [.uploaded, .purging, .purged].contains(self) }

    /// What an operator may put back in the queue.
    package var isRetryable: Bool { [.failed, .abandoned, .quarantined].contains(self) }
}
