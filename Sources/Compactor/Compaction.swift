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
/// more; of what is no sample 32 MiB), and one row group.
package struct Compaction {
    /// Rows gathered in one pass, unless a single series has more: 16 bytes each.
    private static let collectRowLimit = 1 << 20

    let options: CompactorOptions
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
        let order = SeriesOrder(reader.catalog)
        var output = Output(
            writer: PartWriter(
                FileContext(options: options, layout: layout, fileSystem: fileSystem, keyValues: keyValues(plan))))
        if !plan.isOfKept { try writeSamples(reader, order, &output, onProgress) }
        let others = try options.writesOthers ? writeOthers(reader, order, &output, onProgress) : nil
        try output.writer.finish()
        let (files, tally) = (output.writer.files, output.tally)
        var counts: [(reason: String, rows: Int)] = []
        if !plan.isOfKept {
            counts = [
                ("log", reader.parts.logRows), ("written", tally.written), ("deduplicated", tally.duplicates),
                ("conflicts", tally.conflicts),
                ("quarantined", reader.quarantinedRows + reader.parts.orphanRows),
            ]
        }
        if let others { counts += [("others", others.rowCount), ("others_kept", others.lostRows)] }
        let keptSegments = others?.unreadable ?? reader.segmentsWithOthers
        guard !plan.isOfKept || keptSegments.isEmpty else { throw CompactorError(reason: .unstable) }
        let manifest = Manifest(
            volume: volume,
            segments: plan.segments.map {
                Manifest.Segment(
                    id: $0.segment, rows: $0.rows,
                    fate: plan.isOfKept ? .taken : keptSegments.contains($0.segment) ? .kept : .removed)
            },
            configuration: options.configuration, files: files, counts: counts, requests: reader.requests)
        try publication.commit(manifest)
        try publication.publish(manifest)
        return CompactionReport(files: files, segments: plan.segments.count, counts: counts)
    }

    private func writeSamples(
        _ reader: PlanReader, _ order: SeriesOrder, _ output: inout Output, _ onProgress: (Int) throws -> Void
    ) throws {
        let survey = reader.parts
        let gatheredLimit = PartSurvey.gatheredPartLimit(seriesCount: reader.catalog.count)
        var remaining = survey.parts[...]
        while !remaining.isEmpty {
            let open = remaining.prefix(PartSurvey.openPartLimit(seriesCount: reader.catalog.count))
            remaining = remaining.dropFirst(open.count)
            let counts = try survey.rowCounts(open, reader)
            var pass: [RowCollector.Group] = []
            var rows = 0
            for group in open.lazy.flatMap({ groups(of: $0, counts[$0]!, order) }) {
                if pass.count == gatheredLimit || rows + group.rowCount > Self.collectRowLimit {
                    try write(pass, counts, reader, order, &output, onProgress)
                    (pass, rows) = ([], 0)
                }
                pass.append(group)
                rows += group.rowCount
            }
            try write(pass, counts, reader, order, &output, onProgress)
        }
        guard output.tally.written + output.tally.duplicates == survey.streamRows.values.reduce(0, +) else {
            throw CompactorError(reason: .unstable)
        }
    }

    struct Tally {
        var written = 0
        var duplicates = 0
        var conflicts = 0
    }

    struct Output {
        var writer: PartWriter
        var tally = Tally()
    }

    /// The rows of a part as runs of series that are gathered together: as many as `collectRowLimit` allows, at least
    /// one. A run begins a row group, so what they are decides the file's bytes.
    private func groups(of part: Part, _ counts: [UInt32], _ order: SeriesOrder) -> [RowCollector.Group] {
        let series = counts.indices.lazy.filter { counts[$0] > 0 }.map { UInt32($0) }
            .sorted(by: order.isInRowOrder)[...]
        var groups: [RowCollector.Group] = []
        var start = series.startIndex
        var rows = 0
        for index in series.indices {
            let count = Int(counts[Int(series[index])])
            if index > start, rows + count > Self.collectRowLimit {
                groups.append(RowCollector.Group(part: part, series: series[start..<index], rowCount: rows))
                (start, rows) = (index, 0)
            }
            rows += count
        }
        if start < series.endIndex {
            groups.append(RowCollector.Group(part: part, series: series[start...], rowCount: rows))
        }
        return groups
    }

    /// Gathers `pass` and writes it.
    private func write(
        _ pass: [RowCollector.Group], _ counts: [Part: [UInt32]], _ reader: PlanReader, _ order: SeriesOrder,
        _ output: inout Output, _ onProgress: (Int) throws -> Void
    ) throws {
        guard !pass.isEmpty else { return }
        // The first last: each is let go when it is written.
        let withStarts = options.layout != .cloudzero
        var collected = Array(
            try RowCollector.collect(pass, counts, reader, withStarts: withStarts).reversed())
        for group in pass {
            if output.writer.part != group.part { try output.writer.begin(group.part) }
            try write(collected.removeLast(), of: group.part, reader, order, &output, onProgress)
        }
    }

    /// Writes what was gathered of a part, behind what is written of it.
    private func write(
        _ collected: RowCollector, of part: Part, _ reader: PlanReader, _ order: SeriesOrder,
        _ output: inout Output, _ onProgress: (Int) throws -> Void
    ) throws {
        let total = max(1, reader.parts.streamRows.values.reduce(0, +))
        let builder = RowGroupColumns(
            part: part, catalog: reader.catalog, order: order, clusterName: options.clusterName,
            cloudAccountID: options.cloudAccountID, profile: options.profile, layout: options.layout,
            promotedLabels: options.promotedLabels, keepsLabel: options.labelFilters[part.stream])
        output.tally.duplicates += collected.duplicates
        output.tally.conflicts += collected.conflicts
        let before = output.tally.written + output.tally.duplicates
        output.tally.written += collected.rowCount
        var row = 0
        while row < collected.rowCount {
            let end = builder.rowGroupEnd(collected, from: row, room: output.writer.room)
            try output.writer.write(try builder.columns(collected, rows: row..<end), times: collected.times(row..<end))
            row = end
            try onProgress((before + row) * 100 / total)
        }
    }

    /// Footer entries that say where the rows come from.
    private func keyValues(_ plan: CompactionPlan) -> [(String, String)] {
        [
            ("cirrus.volume", "\(volume)"),
            ("cirrus.segments", "\(plan.first)-\(plan.last)"),
            ("cirrus.segment_hashes", plan.segments.map(\.hash.hex).joined(separator: ",")),
            ("cirrus.configuration", String(options.configuration, radix: 16)),
        ]
    }
}
