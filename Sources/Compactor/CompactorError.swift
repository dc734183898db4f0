/// Why a compaction stopped. Nothing is lost: its segments stay and the next attempt begins anew.
package struct CompactorError: Error, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        /// The file read back is not what was written.
        case verification(name: String, detail: String)
        /// A commit manifest is damaged: the next start sets it aside.
        case manifest(name: String, detail: String)
        /// Two passes over the same segments gave different rows: the medium fails while it is read.
        case unstable
    }

    package let reason: Reason

    package var description: String {
        switch reason {
        case .verification(let name, let detail):
            "cannot verify \(name) after writing it: \(detail); "
                + "the log keeps its rows, look at the kernel log for disk errors"
        case .manifest(let name, let detail):
            "cannot read manifest \(name): \(detail); restart the collector, which sets it aside"
        case .unstable:
            "cannot compact: the log's segments read differently twice; look at the kernel log for disk errors"
        }
    }
}
