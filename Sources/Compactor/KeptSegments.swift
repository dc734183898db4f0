internal import DiskIO
internal import WAL

/// The segments that are kept aside, oldest first: those of programs that had no files for histograms, exemplars and
/// metadata become such files, and go.
///
/// Their samples are in files already. So is the rest of a segment that was kept for a row which no file can hold: one
/// in which not everything can be read stays.
struct KeptSegments {
    private static let planSegmentLimit = 64

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
        var bytes: UInt64 = 0
        while let id = left.last, endings.count < Self.planSegmentLimit {
            if kept.contains(id), let ending = try ending(of: id, in: all, kept), try isReadable(ending) {
                if !endings.isEmpty, bytes + ending.end > SealedSegments.planByteLimit { break }
                endings.append(ending)
                bytes += ending.end
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

    private func isReadable(_ ending: SegmentEnding) throws -> Bool {
        var reader = PlanReader(CompactionPlan(segments: [ending], isOfKept: true), layout: layout, in: fileSystem)
        try reader.survey()
        return try reader.isWhole && OtherSurvey(reader).lostRows == 0
    }
}
