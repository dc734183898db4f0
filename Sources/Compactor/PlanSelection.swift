package import DiskIO
package import WAL

/// The sealed segments, oldest first.
package struct SealedSegments {
    let endings: [SegmentEnding]
    /// Records of each, or more: positions in the log that it takes.
    private let recordCounts: [UInt64]
    /// UTC hour in which each was begun; one whose header cannot be read has that of the one before.
    private let hours: [Int64]
    /// That of the newest segment, which is not sealed.
    private let newestHour: Int64
    /// Segments that wait for the next start, which reads them whole: the header that states their end cannot be read.
    /// The newest sealed one is not among them: its successor's header may be on its way to the disk.
    let unsettled: [SegmentID]
    /// Milliseconds since 1970 when the oldest was begun, nil when its header cannot be read.
    let oldestCreatedAt: Int64?

    /// Everything below the newest segment is sealed; what each holds stands in its successor's header (I3).
    /// - Parameter endings: endings found by recovery, for a segment whose successor's header cannot be read.
    package init(_ directory: SegmentDirectory, recovered: [SegmentID: SegmentEnding]) throws(IOError) {
        let ids = try directory.segments()
        var endings: [SegmentEnding] = []
        var recordCounts: [UInt64] = []
        var hours: [Int64] = []
        var hour = Int64.min
        var unsettled: [SegmentID] = []
        // Of the oldest when something is sealed; then of each in turn.
        var header = ids.count > 1 ? try directory.header(of: ids[0]) : nil
        var oldestCreatedAt: Int64?
        for (id, successor) in zip(ids, ids.dropFirst()) {
            let next = try directory.header(of: successor)
            if let header { hour = Part.hour(of: header.createdAt) }
            if let ending = SegmentEnding.stated(of: id, by: next) ?? recovered[id] {
                if endings.isEmpty { oldestCreatedAt = header?.createdAt }
                endings.append(ending)
                hours.append(hour)
                // Without its header the segment has no record that can be read.
                recordCounts.append(header.map { ending.lastLSN + 1 - min($0.firstLSN, ending.lastLSN + 1) } ?? 0)
            } else if successor != ids.last {
                unsettled.append(id)
            }
            header = next
        }
        self.endings = endings
        self.recordCounts = recordCounts
        self.hours = hours
        newestHour = header.map { Part.hour(of: $0.createdAt) } ?? hour
        self.unsettled = unsettled
        self.oldestCreatedAt = oldestCreatedAt
    }

    var rows: Int { endings.reduce(0) { $0 + Int($1.rows) } }

    /// Of the log of one plan.
    package static let planByteLimit: UInt64 = 1 << 30
    /// Of one plan: each request is held in memory, 104 bytes, and has a line of its manifest, about 71.
    package static let planRecordLimit: UInt64 = 1 << 18

    /// Of one plan of an hour: the log is read once for each million.
    package static let planRowLimit = 1 << 24

    /// How long after an hour a segment that was begun in it may be sealed.
    private static let hourGrace: Int64 = 300_000

    /// Whether no more segments of the oldest one's hour are to come.
    /// - Parameter now: milliseconds since 1970.
    package func isHourOver(at now: Int64) -> Bool {
        guard let oldest = hours.first else { return false }
        return newestHour != oldest || hours.contains { $0 != oldest } || Part.hour(of: now - Self.hourGrace) > oldest
    }

    /// Whether a plan cannot take all there is: to wait gains nothing.
    package var isFull: Bool {
        endings.reduce(0) { $0 + $1.end } > Self.planByteLimit || recordCounts.reduce(0, +) > Self.planRecordLimit
            || rows > Self.planRowLimit
    }

    /// The oldest segments that fill a file of `rowLimit` rows, or all there are; with nil those that were begun in one
    /// UTC hour. Within the limits of a plan; nil when there are none.
    package func plan(rowLimit: Int?) -> CompactionPlan? {
        var rows = 0
        var (bytes, records): (UInt64, UInt64) = (0, 0)
        var count = 0
        for (index, (ending, recordCount)) in zip(endings, recordCounts).enumerated() {
            let isComplete =
                rows + Int(ending.rows) > rowLimit ?? Self.planRowLimit || rowLimit == nil && hours[index] != hours[0]
            let isFull =
                isComplete || bytes + ending.end > Self.planByteLimit || records + recordCount > Self.planRecordLimit
            if count > 0, isFull { break }
            rows += Int(ending.rows)
            bytes += ending.end
            records += recordCount
            count += 1
        }
        return count > 0 ? CompactionPlan(segments: Array(endings.prefix(count))) : nil
    }
}
