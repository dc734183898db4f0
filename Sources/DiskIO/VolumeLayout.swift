/// Where everything is below `storage_path` (design.md §2).
package struct VolumeLayout: Sendable {
    package let root: String

    package init(root: String) {
        self.root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    }

    package var volume: String { root + "/VOLUME" }
    package var wal: String { root + "/wal" }
    package var staging: String { root + "/staging" }
    package var outbox: String { root + "/outbox" }
    /// Compressed copies while they are sent.
    package var compressed: String { root + "/compressed" }
    package var uploaded: String { root + "/uploaded" }
    package var abandoned: String { root + "/abandoned" }
    package var quarantine: String { root + "/quarantine" }
    /// What was taken over from another collector's files.
    package var imports: String { root + "/imports" }
    package var reserve: String { root + "/reserve" }
    package var ledger: String { root + "/ledger.sqlite" }
    package var shipperID: String { root + "/.shipperid" }
    package var collectorLock: String { root + "/collector.lock" }
    package var shipperLock: String { root + "/shipper.lock" }
    package var collectorSocket: String { root + "/collector.sock" }
    package var shipperSocket: String { root + "/shipper.sock" }
    package var collectorShutdownComplete: String { root + "/collector-shutdown-complete" }
    /// Default of `destination.path`.
    package var shipped: String { root + "/shipped" }

    /// Makes the directories that the collector writes.
    package func makeCollectorDirectories(in fileSystem: any FileSystem) throws(IOError) {
        for path in [wal, staging, outbox, quarantine] { try fileSystem.makeDirectory(path) }
        try fileSystem.syncDirectory(root)
    }

    /// Makes the directories that the shipper writes.
    package func makeShipperDirectories(in fileSystem: any FileSystem) throws(IOError) {
        for path in [outbox, uploaded, abandoned, quarantine] { try fileSystem.makeDirectory(path) }
        try fileSystem.syncDirectory(root)
    }
}
