internal import DiskIO
internal import WAL

/// The sealed segments, oldest first.
struct SealedSegments {
    let endings: [SegmentEnding]
    /// Segments that wait for the next start, which reads them whole: the header that states their end cannot be read.
    /// The newest sealed one is not among them: its successor's header may be on its way to the disk.
    let unsettled: [SegmentID]
    /// Milliseconds since 1970 when the oldest was begun, nil when its header cannot be read.
    let oldestCreatedAt: Int64?

    /// Everything below the newest segment is sealed; what each holds stands in its successor's header (I3).
    /// - Parameter endings: endings found by recovery, for a segment whose successor's header cannot be read.
    init(_ directory: SegmentDirectory, recovered: [SegmentID: SegmentEnding]) throws(IOError) {
        let ids = try directory.segments()
        var endings: [SegmentEnding] = []
        var unsettled: [SegmentID] = []
        for (id, successor) in zip(ids, ids.dropFirst()) {
            let stated = SegmentEnding.stated(of: id, by: try directory.header(of: successor))
            if let ending = stated ?? recovered[id] {
                endings.append(ending)
            } else if successor != ids.last {
                unsettled.append(id)
            }
        }
        self.endings = endings
        self.unsettled = unsettled
        oldestCreatedAt = try endings.first.flatMap { ending throws(IOError) in
            try directory.header(of: ending.segment)?.createdAt
        }
    }

    var rows: Int { endings.reduce(0) { $0 + Int($1.rows) } }

    /// Of the log of one plan: requests without rows are no reason to end it, and each has a line in its manifest.
    private static let planByteLimit: UInt64 = 1 << 30

    /// The oldest segments that fill a file of `rowLimit` rows, or all there are; nil when there are none.
    func plan(rowLimit: Int) -> CompactionPlan? {
        var rows = 0
        var bytes: UInt64 = 0
        var count = 0
        for ending in endings {
            if count > 0, rows + Int(ending.rows) > rowLimit || bytes + ending.end > Self.planByteLimit { break }
            rows += Int(ending.rows)
            bytes += ending.end
            count += 1
        }
        return count > 0 ? CompactionPlan(segments: Array(endings.prefix(count))) : nil
    }
}
