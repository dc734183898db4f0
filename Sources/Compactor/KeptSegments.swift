internal import DiskIO
internal import WAL

/// The segments that are kept aside, oldest first: those of programs that had no files for histograms, exemplars and
/// metadata become such files, and go.
///
/// Their samples are in files already. So is the rest of a segment that was kept for a row which no file can hold: one
/// in which not everything can be read stays.
struct KeptSegments {
    /// Of one plan, whose output a volume that they fill must hold before it gets rid of them.
    private static let planByteLimit: UInt64 = 64 << 20
    private static let planRowLimit: UInt64 = 1 << 20

    private let layout: VolumeLayout
    private let fileSystem: any FileSystem
    private let log: SegmentDirectory
    /// The oldest last.
    private var left: [SegmentID]

    init(_ layout: VolumeLayout, in fileSystem: any FileSystem) throws(IOError) {
        self.layout = layout
        self.fileSystem = fileSystem
        log = SegmentDirectory(layout.wal, in: fileSystem)
        left = try log.ofKept.segments().reversed()
    }

    /// Takes the oldest; nil when none is left.
    mutating func nextPlan() throws -> CompactionPlan? {
        guard !left.isEmpty else { return nil }
        let (kept, segments) = (Set(try log.ofKept.segments()), try log.segments())
        let all = (kept + segments).sorted()
        var endings: [SegmentEnding] = []
        var (bytes, rows): (UInt64, UInt64) = (0, 0)
        while let id = left.last {
            if kept.contains(id), let ending = try ending(of: id, in: all, kept), try isReadable(ending) {
                (bytes, rows) = (bytes + ending.end, rows + UInt64(ending.rows))
                if !endings.isEmpty, bytes > Self.planByteLimit || rows > Self.planRowLimit { break }
                endings.append(ending)
            }
            left.removeLast()
        }
        return endings.isEmpty ? nil : CompactionPlan(segments: endings, isOfKept: true)
    }

    /// Where a segment ends, by its successor or by its seal; nil where neither is there: behind the end of one whose
    /// writing failed may be records that the next segment has again.
    private func ending(
        of id: SegmentID, in all: [SegmentID], _ kept: Set<SegmentID>
    ) throws -> SegmentEnding? {
        if let successor = all.first(where: { $0 > id }) {
            let header = try (kept.contains(successor) ? log.ofKept : log).header(of: successor)
            if let stated = header?.predecessor, stated.segment == id { return stated }
        }
        var scanner = try SegmentScanner(id, statedEnding: nil, directory: log.ofKept, in: fileSystem)
        let ending = try scanner.scan { _ in }.ending
        return ending.verdict == .sealed ? ending : nil
    }

    /// Of one that was damaged when it was compacted the readable rows are in files, though it may be whole again.
    private func isReadable(_ ending: SegmentEnding) throws -> Bool {
        guard try !fileSystem.exists("\(layout.quarantine)/\(SegmentDirectory.name(of: ending.segment)).txt") else {
            return false
        }
        var reader = PlanReader(CompactionPlan(segments: [ending], isOfKept: true), layout: layout, in: fileSystem)
        try reader.survey()
        return try reader.isWhole && OtherSurvey(reader).lostRows == 0
    }
}
