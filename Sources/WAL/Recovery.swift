package import DiskIO

/// The log as it was found at start.
package struct RecoveredLog: Sendable {
    package let volume: Volume
    /// What the next segment's header will state.
    package let newest: SegmentEnding
    package let nextSegment: SegmentID
    /// Every segment found, ascending.
    package let segments: [SegmentSummary]
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
    ///   - usedBelow: ids that manifests name were used too.
    ///   - newVolume: identity for a volume that has none.
    ///   - visit: every batch record that counts, in order.
    package func run(
        usedBelow: SegmentID, newVolume: VolumeID, visit: (SegmentID, Record) throws -> Void
    ) throws -> RecoveredLog {
        try directory.sweepPrepared()
        let ids = try directory.segments()
        let headers = try ids.map { id throws(IOError) in try directory.header(of: id) }
        var summaries: [SegmentSummary] = []
        for (index, id) in ids.enumerated() {
            let successor = index + 1 < headers.count ? headers[index + 1] : nil
            let stated = successor.flatMap { $0.predecessor.segment == id ? $0.predecessor : nil }
            summaries.append(try scan(id, stated: stated, lastLSN: summaries.last?.ending.lastLSN ?? 0, visit))
        }
        let found = try Volume.read(layout, in: fileSystem)
        let id = found?.id ?? headers.lazy.compactMap { $0?.volume }.last ?? newVolume
        let highest = max(summaries.last?.segment.number ?? 0, usedBelow.number)
        let next = ids.isEmpty ? max(found?.segmentsBelow ?? 1, highest + 1) : highest + 1
        let volume = Volume(id: id, segmentsBelow: max(found?.segmentsBelow ?? 0, next + 1))
        return RecoveredLog(
            volume: volume, newest: summaries.last?.ending ?? .none, nextSegment: SegmentID(next), segments: summaries)
    }

    private func scan(
        _ id: SegmentID, stated: SegmentEnding?, lastLSN: UInt64, _ visit: (SegmentID, Record) throws -> Void
    ) throws -> SegmentSummary {
        var summary = try pass(id, stated: stated) { _ in }
        if summary.header == nil, stated == nil {
            // Its positions are unknown: leap, so that no LSN is ever used twice.
            let ending = SegmentEnding(
                segment: id, end: summary.ending.end, lastLSN: lastLSN + 1 << 32, verdict: .missing,
                hash: summary.ending.hash, rows: 0)
            summary = SegmentSummary(
                segment: id, header: nil, fileBytes: summary.fileBytes, ending: ending, damage: summary.damage,
                recordCount: 0)
        }
        if !summary.damage.isEmpty { try Quarantine.keep(summary, layout: layout, in: fileSystem) }
        _ = try pass(id, stated: summary.ending) { try visit(id, $0) }
        return summary
    }

    private func pass(
        _ id: SegmentID, stated: SegmentEnding?, _ visit: (Record) throws -> Void
    ) throws -> SegmentSummary {
        var scanner = try SegmentScanner(id, statedEnding: stated, directory: directory, in: fileSystem)
        return try scanner.scan(visit)
    }
}

/// Copies of damaged segments, never deleted by the program.
package enum Quarantine {
    private static let chunkBytes = 1 << 20

    /// Copies the segment to `quarantine/` with a report beside it, both durable before anyone compacts past it (I4).
    /// A copy that is already there is left alone.
    package static func keep(
        _ summary: SegmentSummary, layout: VolumeLayout, in fileSystem: any FileSystem
    ) throws(IOError) {
        let name = SegmentDirectory.name(of: summary.segment)
        let copy = "\(layout.quarantine)/\(name)"
        if try fileSystem.exists(copy + ".txt") { return }
        try fileSystem.makeDirectory(layout.quarantine)
        try copyFile("\(layout.wal)/\(name)", to: copy, in: fileSystem)
        try fileSystem.publish(Array(report(summary).utf8), at: copy + ".txt")
    }

    private static func copyFile(
        _ source: String, to target: String, in fileSystem: any FileSystem
    ) throws(IOError) {
        let temporary = target + ".tmp"
        for stale in [temporary, target] where try fileSystem.exists(stale) { try fileSystem.remove(stale) }
        let input = try File(source, .read, in: fileSystem)
        let output = try File(temporary, .create, in: fileSystem)
        var offset: UInt64 = 0
        while true {
            let bytes = try input.read(at: offset, count: chunkBytes)
            if bytes.isEmpty { break }
            try output.write(bytes, at: offset)
            offset += UInt64(bytes.count)
        }
        try output.seal()
        try fileSystem.rename(temporary, to: target)
    }

    /// One line a damaged range: where, which records, how many rows.
    package static func report(_ summary: SegmentSummary) -> String {
        summary.damage.map { range in
            let rows = range.rows.map { "\($0) rows" } ?? "rows unknown"
            return "\(SegmentDirectory.name(of: summary.segment)): bytes \(range.start)..<\(range.end) damaged,"
                + " first record lost \(range.firstLSN), \(rows)\n"
        }.joined()
    }
}
