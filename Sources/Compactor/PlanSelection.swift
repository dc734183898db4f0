internal import DiskIO
internal import WAL

/// The sealed segments, oldest first.
struct SealedSegments {
    let endings: [SegmentEnding]
    /// Milliseconds since 1970 when the oldest was begun, nil when its header cannot be read.
    let oldestCreatedAt: Int64?

    /// Everything below the newest segment is sealed; what each holds stands in its successor's header (I3).
    /// - Parameter endings: endings found by recovery, for a segment whose successor's header cannot be read.
    init(_ directory: SegmentDirectory, recovered: [SegmentID: SegmentEnding]) throws(IOError) {
        let ids = try directory.segments()
        var endings: [SegmentEnding] = []
        for (id, successor) in zip(ids, ids.dropFirst()) {
            let stated = SegmentEnding.stated(of: id, by: try directory.header(of: successor))
            if let ending = stated ?? recovered[id] { endings.append(ending) }
        }
        self.endings = endings
        oldestCreatedAt = try endings.first.flatMap { ending throws(IOError) in
            try directory.header(of: ending.segment)?.createdAt
        }
    }

    var rows: Int { endings.reduce(0) { $0 + Int($1.rows) } }

    /// The oldest segments that fill a file of `rowLimit` rows, or all there are; nil when there are none.
    func plan(rowLimit: Int) -> CompactionPlan? {
        var rows = 0
        var count = 0
        for ending in endings {
            if count > 0, rows + Int(ending.rows) > rowLimit { break }
            rows += Int(ending.rows)
            count += 1
        }
        return count > 0 ? CompactionPlan(segments: Array(endings.prefix(count))) : nil
    }
}
