internal import Bytes
package import DiskIO
internal import Parquet
internal import Samples
package import WAL

/// What one plan came to.
package struct CompactionReport: Sendable {
    package let files: [CompactedFile]
    package let segments: Int
    /// Rows the log held, and what became of them by reason.
    package let counts: [(reason: String, rows: Int)]

    package func rows(_ reason: String) -> Int { counts.first { $0.reason == reason }?.rows ?? 0 }
}

/// Turns one plan into published files. Deterministic: the same segments and settings give the same names and bytes
/// (I6). In memory: the plan's series and requests, the rows of one pass (a million, or those of one series if it has
/// more), and one row group.
package struct Compaction {
    /// Rows gathered in one pass, unless a single series has more: 16 bytes each.
    private static let collectRowLimit = 1 << 20

    private let options: CompactorOptions
    private let layout: VolumeLayout
    private let fileSystem: any FileSystem
    private let volume: VolumeID

    package init(
        _ options: CompactorOptions, volume: VolumeID, layout: VolumeLayout, in fileSystem: any FileSystem
    ) {
        self.options = options
        self.volume = volume
        self.layout = layout
        self.fileSystem = fileSystem
    }

    /// - Parameter onProgress: takes how much of the plan is written, 0 to 100, after each row group; what it throws
    ///   ends the run, of which nothing is committed then.
    package func run(
        _ plan: CompactionPlan, onProgress: (Int) throws -> Void = { _ in }
    ) throws -> CompactionReport {
        let publication = Publication(layout, in: fileSystem)
        var reader = PlanReader(plan, layout: layout, in: fileSystem)
        try reader.survey()
        let survey = reader.parts
        var tally = Tally()
        var files: [CompactedFile] = []
        let order = SeriesOrder(reader.catalog)
        var remaining = survey.parts[...]
        while !remaining.isEmpty {
            let open = remaining.prefix(PartSurvey.openPartLimit)
            let counts = try survey.rowCounts(open, reader)
            for part in open {
                files += try write(part, counts[part]!, reader, order, number: files.count, &tally, onProgress)
            }
            remaining = remaining.dropFirst(open.count)
        }
        guard tally.written + tally.duplicates == survey.streamRows.values.reduce(0, +) else {
            throw CompactorError(reason: .unstable)
        }
        let counts = [
            ("log", survey.logRows), ("written", tally.written), ("deduplicated", tally.duplicates),
            ("conflicts", tally.conflicts), ("quarantined", reader.quarantinedRows + survey.orphanRows),
        ]
        let manifest = Manifest(
            volume: volume,
            segments: plan.segments.map {
                Manifest.Segment(
                    id: $0.segment, rows: $0.rows, isKept: reader.segmentsWithOthers.contains($0.segment))
            },
            configuration: options.configuration, files: files, counts: counts,
            requests: reader.requests.map {
                Manifest.Request(
                    fingerprint: $0.header.fingerprint, receivedAt: $0.header.receivedAt, answer: $0.header.answer)
            })
        try publication.commit(manifest)
        try publication.publish(manifest)
        return CompactionReport(files: files, segments: plan.segments.count, counts: counts)
    }

    private struct Tally {
        var written = 0
        var duplicates = 0
        var conflicts = 0
    }

    /// Writes the files of one part.
    private func write(
        _ part: Part, _ counts: [UInt32], _ reader: PlanReader, _ order: SeriesOrder, number: Int,
        _ tally: inout Tally, _ onProgress: (Int) throws -> Void
    ) throws -> [CompactedFile] {
        let total = max(1, reader.parts.streamRows.values.reduce(0, +))
        let context = FileContext(
            options: options, layout: layout, fileSystem: fileSystem, keyValues: keyValues(reader.plan))
        var writer = PartWriter(part, number: number, context: context)
        let builder = RowGroupColumns(
            part: part, catalog: reader.catalog, order: order, clusterName: options.clusterName,
            cloudAccountID: options.cloudAccountID, profile: options.profile,
            keepsLabel: options.labelFilters[part.stream])
        let series = counts.indices.lazy.filter { counts[$0] > 0 }.map { UInt32($0) }
            .sorted(by: order.isInRowOrder)[...]
        var rest = series
        while !rest.isEmpty {
            let group = nextGroup(rest, counts)
            rest = rest.dropFirst(group.count)
            let collected = try RowCollector(group, of: part, counts: counts, reader)
            tally.duplicates += collected.duplicates
            tally.conflicts += collected.conflicts
            tally.written += collected.rowCount
            var row = 0
            while row < collected.rowCount {
                let end = builder.rowGroupEnd(collected, from: row, room: writer.room)
                try writer.write(
                    try builder.columns(collected, rows: row..<end), times: collected.times(row..<end))
                row = end
                try onProgress((tally.written + tally.duplicates - collected.rowCount + row) * 100 / total)
            }
        }
        try writer.finish()
        return writer.files
    }

    /// The longest run of series that one pass gathers; at least one series.
    private func nextGroup(_ series: ArraySlice<UInt32>, _ counts: [UInt32]) -> ArraySlice<UInt32> {
        var rows = 0
        var length = 0
        for number in series {
            rows += Int(counts[Int(number)])
            if length > 0, rows > Self.collectRowLimit { break }
            length += 1
        }
        return series.prefix(length)
    }

    /// Footer entries that say where the rows come from.
    private func keyValues(_ plan: CompactionPlan) -> [(String, String)] {
        [
            ("writer.schema", "cloudzero-v1"), ("cirrus.volume", "\(volume)"),
            ("cirrus.segments", "\(plan.first)-\(plan.last)"),
            ("cirrus.segment_hashes", plan.segments.map(\.hash.hex).joined(separator: ",")),
            ("cirrus.configuration", String(options.configuration, radix: 16)),
        ]
    }
}
