internal import Parquet
internal import Samples

/// One stream's rows of one UTC hour: they become files of their own.
struct Part: Hashable, Comparable {
    let stream: Streams
    /// Hours since 1970.
    let hour: Int64

    static func < (left: Part, right: Part) -> Bool {
        (left.stream.rawValue, left.hour) < (right.stream.rawValue, right.hour)
    }

    static func hour(of milliseconds: Int64) -> Int64 {
        let quotient = milliseconds / 3_600_000
        return milliseconds % 3_600_000 < 0 ? quotient - 1 : quotient
    }

    var kind: ReferenceID.Kind { stream == .cost ? .metrics : .observability }
    var time: CivilTime { CivilTime(milliseconds: hour * 3_600_000) }

    /// The streams that become files, in the order of their files.
    static let streams: [Streams] = [.cost, .observability]
}

/// Which parts a plan has, and how many rows each series has in some of them.
struct PartSurvey {
    /// Parts whose row counts are held at once: 4 bytes a series each.
    static let openPartLimit = 16

    private(set) var parts: [Part] = []
    /// Rows whose series nobody defined: the definition's record was damaged.
    private(set) var orphanRows = 0
    /// Rows in the log, once each, whatever their streams.
    private(set) var logRows = 0
    /// Rows of each stream, before equal ones are joined.
    private(set) var streamRows: [Streams: Int] = [:]

    init(_ reader: PlanReader) throws {
        var found: Set<Part> = []
        var orphans = 0
        var rows = 0
        var streamRows: [Streams: Int] = [:]
        try reader.forEachBatch { batch, known in
            for row in batch.references.indices {
                rows += 1
                let reference = Int(batch.references[row])
                guard reference < known.series.count, known.series[reference] != .max else {
                    orphans += 1
                    continue
                }
                let hour = Part.hour(of: batch.timestamps[row])
                for stream in Part.streams where known.streams[reference].contains(stream) {
                    found.insert(Part(stream: stream, hour: hour))
                    streamRows[stream, default: 0] += 1
                }
            }
        }
        parts = found.sorted()
        orphanRows = orphans
        logRows = rows
        self.streamRows = streamRows
    }

    /// Rows of each series in each of `parts`.
    static func rowCounts(_ parts: ArraySlice<Part>, _ reader: PlanReader) throws -> [Part: [UInt32]] {
        var counts = parts.map { _ in [UInt32](repeating: 0, count: reader.catalog.count) }
        let parts = Array(parts)
        try reader.forEachBatch { batch, known in
            for row in batch.references.indices {
                let reference = Int(batch.references[row])
                guard reference < known.series.count, known.series[reference] != .max else { continue }
                let hour = Part.hour(of: batch.timestamps[row])
                for index in parts.indices
                where parts[index].hour == hour && known.streams[reference].contains(parts[index].stream) {
                    counts[index][Int(known.series[reference])] += 1
                }
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(parts, counts))
    }
}
