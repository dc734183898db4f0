internal import DiskIO
internal import Samples
package import WAL

/// Consecutive sealed segments that become files together; or kept ones, of which only what is no sample does: their
/// samples are in files.
package struct CompactionPlan: Equatable, Sendable {
    /// Ascending, each with what its successor states of it.
    package let segments: [SegmentEnding]
    package let isOfKept: Bool

    package init(segments: [SegmentEnding], isOfKept: Bool = false) {
        self.segments = segments
        self.isOfKept = isOfKept
    }

    package var first: SegmentID { segments[0].segment }
    package var last: SegmentID { segments[segments.count - 1].segment }
    package var rows: Int { segments.reduce(0) { $0 + Int($1.rows) } }
}

/// Reads the samples of a plan, as often as its files need: nothing but the catalog stays in memory between passes.
struct PlanReader {
    /// Series number and streams by reference: what the segment's own definitions say.
    struct References {
        /// `UInt32.max` = never defined: the definition was damaged.
        var series: [UInt32] = []
        var streams: [Streams] = []

        /// Whether the rows of a reference belong to `stream`; false for one that was never defined.
        @inline(__always)
        func belongs(_ reference: Int, to stream: Streams) -> Bool {
            reference < series.count && series[reference] != .max
                && streams[reference].rawValue & stream.rawValue != 0
        }
    }

    let plan: CompactionPlan
    private let layout: VolumeLayout
    private let directory: SegmentDirectory
    private let fileSystem: any FileSystem

    private(set) var catalog = SeriesCatalog()
    private var references: [SegmentID: References] = [:]
    private(set) var requests: [Manifest.Request] = []
    /// Segments that hold histograms, exemplars or metadata.
    private(set) var segmentsWithOthers: Set<SegmentID> = []
    /// Rows that cannot become rows of a file: their record is damaged.
    private(set) var quarantinedRows = 0
    /// Nothing of the segments is damaged or of another program's version.
    private(set) var isWhole = true
    private(set) var parts = PartSurvey()

    init(_ plan: CompactionPlan, layout: VolumeLayout, in fileSystem: any FileSystem) {
        self.plan = plan
        self.layout = layout
        self.fileSystem = fileSystem
        let log = SegmentDirectory(layout.wal, in: fileSystem)
        directory = plan.isOfKept ? log.ofKept : log
    }

    /// The first pass: series, requests, parts and damage; of kept segments series and damage alone. Damaged segments
    /// of the log are in `quarantine/`, durable, when it returns (I4).
    mutating func survey() throws {
        for ending in plan.segments {
            var found = References()
            var (undecodable, isDecodable) = (0, true)
            let summary = try scan(ending) { record in
                // Its checksum holds, so another program wrote what fails here: the copy in quarantine/ keeps it.
                guard let batch = try? Batch(payload: record.payload, isCompressed: record.isCompressed) else {
                    undecodable += record.rows
                    isDecodable = false
                    return
                }
                note(batch, in: ending.segment, &found)
                if !plan.isOfKept { parts.add(batch, found, seriesCount: catalog.count) }
            }
            references[ending.segment] = found
            quarantinedRows += Int(summary.rowsLost) + undecodable
            guard !summary.damage.isEmpty || !isDecodable else { continue }
            isWhole = false
            if !plan.isOfKept { try Quarantine.keep(summary, layout: layout, in: fileSystem) }
        }
        // A row may come before its definition where a program of another kind wrote them: later passes find it.
        if parts.orphanRows > 0 {
            var counted = PartSurvey()
            try forEachBatch {
                $0
            } body: { batch, known in
                counted.add(batch, known, seriesCount: catalog.count)
            }
            parts = counted
        }
    }

    private mutating func note(_ batch: Batch, in segment: SegmentID, _ found: inout References) {
        // Of a kept segment the first plan's manifest has them.
        if !plan.isOfKept { requests.append(Manifest.Request(batch.header)) }
        if !batch.histograms.isEmpty || !batch.exemplars.isEmpty || !batch.metadata.isEmpty {
            segmentsWithOthers.insert(segment)
        }
        for (series, number) in zip(batch.series, catalog.add(batch)) {
            let reference = Int(series.reference)
            if found.series.count <= reference {
                found.series.append(contentsOf: repeatElement(.max, count: reference + 1 - found.series.count))
                found.streams.append(contentsOf: repeatElement([], count: reference + 1 - found.streams.count))
            }
            found.series[reference] = number
            found.streams[reference] = series.streams
        }
    }

    /// One pass over all samples in log order: `body` takes a batch and what `prepare` made of its segment's
    /// references.
    func forEachBatch<Known>(
        prepare: (References) -> Known, body: (Batch, Known) throws -> Void
    ) throws {
        for ending in plan.segments {
            guard let known = references[ending.segment].map(prepare) else { continue }
            _ = try scan(ending) { record in
                // Undecodable batches were counted by the survey.
                guard let batch = try? Batch(payload: record.payload, isCompressed: record.isCompressed) else { return }
                try body(batch, known)
            }
        }
    }

    /// One pass over the batches of the segments that hold more than samples.
    func forEachBatchWithOthers(_ body: (Batch, References, SegmentID) throws -> Void) throws {
        for ending in plan.segments where segmentsWithOthers.contains(ending.segment) {
            guard let known = references[ending.segment] else { continue }
            _ = try scan(ending) { record in
                // Undecodable batches were counted by the survey.
                guard let batch = try? Batch(payload: record.payload, isCompressed: record.isCompressed) else { return }
                try body(batch, known, ending.segment)
            }
        }
    }

    private func scan(_ ending: SegmentEnding, _ visit: (Record) throws -> Void) throws -> SegmentSummary {
        var scanner = try SegmentScanner(
            ending.segment, statedEnding: ending, directory: directory, in: fileSystem)
        return try scanner.scan(visit)
    }
}
