internal import Parquet

extension Compaction {
    /// Writes what the plan holds beside samples, behind the files of these.
    func writeOthers(
        _ reader: PlanReader, _ order: SeriesOrder, _ output: inout Output, _ onProgress: (Int) throws -> Void
    ) throws -> OtherSurvey {
        let survey = try OtherSurvey(reader)
        var rowCount = 0
        for pass in survey.passes(order) {
            let collected = try OtherSurvey.collect(pass, reader)
            rowCount += collected.duplicates
            for (group, rows) in zip(pass, collected.rows) {
                rowCount += rows.count
                if output.writer.part != group.part { try output.writer.begin(group.part) }
                try write(rows, of: group.part, reader, order, &output, onProgress)
            }
        }
        guard rowCount == survey.rowCount else { throw CompactorError(reason: .unstable) }
        return survey
    }

    private func write(
        _ rows: [OtherRow], of part: Part, _ reader: PlanReader, _ order: SeriesOrder, _ output: inout Output,
        _ onProgress: (Int) throws -> Void
    ) throws {
        let builder = OtherColumns(
            content: part.content,
            series: NativeSeries(
                catalog: reader.catalog, promotedLabels: options.promotedLabels,
                keepsLabel: options.labelFilters[part.stream]),
            order: order, profile: options.profile)
        var start = 0
        while start < rows.count {
            let end = builder.rowGroupEnd(rows, from: start, room: output.writer.room)
            let times = rows[start..<end].map(\.timestamp)
            guard let first = times.min(), let last = times.max() else { break }  // there is a row
            try output.writer.write(try builder.columns(rows[start..<end]), times: first...last)
            start = end
            try onProgress(100)
        }
    }
}
