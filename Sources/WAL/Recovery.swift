package import DiskIO

/// A segment that is gone although no compaction took it.
package struct MissingSegment: Equatable, Sendable {
    /// What its successor states of it: with the rows that are lost.
    package let ending: SegmentEnding
}

/// The log as it was found at start.
package struct RecoveredLog: Sendable {
    package let volume: Volume
    /// What the next segment's header will state.
    package let newest: SegmentEnding
    package let nextSegment: SegmentID
    /// Every segment found, ascending.
    package let segments: [SegmentSummary]
    package let missing: [MissingSegment]
    /// Damaged segments of which no copy could be made yet, with the reason: compaction makes it before it goes on.
    package let uncopied: [(segment: SegmentID, error: IOError)]
}

/// Reads the log at start. Nothing is truncated and nothing is deleted; damage is copied to `quarantine/` and reported,
/// and the rest is used. Whatever is in the directory, the service starts (I4). Running it twice gives the same.
package struct Recovery {
    private let layout: VolumeLayout
    private let directory: SegmentDirectory
    private let fileSystem: any FileSystem

    package init(_ layout: VolumeLayout, in fileSystem: any FileSystem) {
        self.layout = layout
        self.directory = SegmentDirectory(layout.wal, in: fileSystem)
        self.fileSystem = fileSystem
    }

    /// - Parameters:
    ///   - retired: ids that manifests name: used, and gone for a reason.
    ///   - newVolume: identity for a volume that has none.
    ///   - visit: every batch record that counts, in order.
    package func run(
        retired: [ClosedRange<SegmentID>], newVolume: VolumeID, visit: (SegmentID, Record) throws -> Void
    ) throws -> RecoveredLog {
        try directory.sweepPrepared()
        let ids = try directory.segments()
        let headers = try ids.map { id throws(IOError) in try directory.header(of: id) }
        var summaries: [SegmentSummary] = []
        var uncopied: [(segment: SegmentID, error: IOError)] = []
        for (index, id) in ids.enumerated() {
            let successor = index + 1 < headers.count ? headers[index + 1] : nil
            let stated = SegmentEnding.stated(of: id, by: successor)
            let summary = try scan(id, stated: stated, lastLSN: summaries.last?.ending.lastLSN ?? 0, visit)
            if !summary.damage.isEmpty {
                do throws(IOError) {
                    try Quarantine.keep(summary, layout: layout, in: fileSystem)
                } catch {
                    uncopied.append((id, error))
                }
            }
            summaries.append(summary)
        }
        let found = try Volume.read(layout, in: fileSystem)
        let id = found?.id ?? headers.lazy.compactMap { $0?.volume }.last ?? newVolume
        let highest = max(summaries.last?.segment.number ?? 0, retired.map(\.upperBound.number).max() ?? 0)
        let next = ids.isEmpty ? max(found?.segmentsBelow ?? 1, highest + 1) : highest + 1
        return RecoveredLog(
            volume: Volume(id: id, segmentsBelow: max(found?.segmentsBelow ?? 0, next + 1)),
            newest: summaries.last?.ending ?? .none, nextSegment: SegmentID(next), segments: summaries,
            missing: missing(ids, headers, retired), uncopied: uncopied)
    }

    /// Predecessors that are neither there nor compacted. Compaction goes from old to new: what is older than all that
    /// is known was compacted, and its manifest has expired.
    private func missing(
        _ ids: [SegmentID], _ headers: [SegmentHeader?], _ retired: [ClosedRange<SegmentID>]
    ) -> [MissingSegment] {
        guard let oldest = (ids + retired.map(\.lowerBound)).min() else { return [] }
        let present = Set(ids)
        return headers.compactMap { header in
            guard let ending = header?.predecessor, ending.segment > oldest, !present.contains(ending.segment),
                !retired.contains(where: { $0.contains(ending.segment) })
            else { return nil }
            return MissingSegment(ending: ending)
        }
    }

    private func scan(
        _ id: SegmentID, stated: SegmentEnding?, lastLSN: UInt64, _ visit: (SegmentID, Record) throws -> Void
    ) throws -> SegmentSummary {
        // Where a successor states the end, all that is read before it counts: one pass.
        if let stated { return try pass(id, stated: stated) { try visit(id, $0) } }
        try settle(id)
        var summary = try pass(id, stated: nil) { _ in }
        if summary.header == nil {
            // Its positions are unknown: leap, so that no LSN is ever used twice.
            let ending = SegmentEnding(
                segment: id, end: summary.ending.end, lastLSN: lastLSN + 1 << 32, verdict: .missing,
                hash: summary.ending.hash, rows: 0)
            summary = SegmentSummary(
                segment: id, header: nil, fileBytes: summary.fileBytes, ending: ending, damage: summary.damage,
                recordCount: 0, rowsRead: 0)
        }
        _ = try pass(id, stated: summary.ending) { try visit(id, $0) }
        return summary
    }

    /// Makes what will be read of a segment without a successor what the medium has. A process that was killed may have
    /// left a group that was written and not synced, or whose sync failed: without this it would be taken for durable,
    /// stated by the successor, answered to a retransmit, and gone with the next power cut (I1, I10).
    private func settle(_ id: SegmentID) throws(IOError) {
        let file = try File(directory.path(of: id), .read, in: fileSystem)
        // A sync that fails drops its pages. What is read afterwards is on the medium, and that alone counts.
        do throws(IOError) { try file.sync() } catch {}
        try file.dropCache()
    }

    private func pass(
        _ id: SegmentID, stated: SegmentEnding?, _ visit: (Record) throws -> Void
    ) throws -> SegmentSummary {
        var scanner = try SegmentScanner(id, statedEnding: stated, directory: directory, in: fileSystem)
        return try scanner.scan(visit)
    }
}
