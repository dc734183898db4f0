internal import DiskIO
internal import Samples
internal import WAL

/// The batches that a log gains, in order, beside whoever writes it: no lock, nothing written.
///
/// Each look reads the newest segments again from their start, for a batch refers to series that an earlier one of its
/// segment defines; a segment has 16 MiB.
struct LogFollower: Sendable {
    private let directory: SegmentDirectory
    private let fileSystem: any FileSystem
    /// Everything up to this record was given.
    private var lastLSN: UInt64?
    /// The segment it is in: older ones have nothing new.
    private var segment: SegmentID?

    /// Follows from what is there now.
    init(_ layout: VolumeLayout, in fileSystem: any FileSystem) throws {
        directory = SegmentDirectory(layout.wal, in: fileSystem)
        self.fileSystem = fileSystem
        try look(onSegment: { _ in }, onBatch: { _, _, _ in })
        lastLSN = lastLSN ?? 0
    }

    /// Gives what is new since the last look.
    /// - Parameters:
    ///   - onSegment: batches of this segment follow; references are its own.
    ///   - onBatch: a batch, its record, and whether it is new; one that is not only defines series.
    mutating func look(
        onSegment: (SegmentID) -> Void, onBatch: (Batch, Record, _ isNew: Bool) throws -> Void
    ) throws {
        guard try fileSystem.exists(directory.path) else { return }
        let seen = lastLSN
        for id in try directory.segments() where segment.map({ id >= $0 }) ?? true {
            onSegment(id)
            do {
                var scanner = try SegmentScanner(
                    id, statedEnding: try directory.statedEnding(of: id), directory: directory, in: fileSystem)
                var newest = lastLSN ?? 0
                _ = try scanner.scan { record in
                    newest = max(newest, record.lsn)
                    // The first look takes note of what is there.
                    guard let seen else { return }
                    // What a newer program wrote, or the medium lost, is for cat and verify to report.
                    guard let batch = try? Batch(payload: record.payload, isCompressed: record.isCompressed) else {
                        return
                    }
                    try onBatch(batch, record, record.lsn > seen)
                }
                lastLSN = newest
                segment = id
            } catch let error as IOError where error.isNotFound {
                continue  // compacted meanwhile
            }
        }
    }
}
