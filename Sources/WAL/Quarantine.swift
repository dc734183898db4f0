package import DiskIO

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
        let input = try SegmentFile(source, in: fileSystem)
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
