internal import Parquet
internal import Samples

/// One stream's rows of one UTC hour: they become files of their own.
struct Part: Hashable, Comparable {
    /// What the rows are.
    enum Content: UInt8, CaseIterable { case samples, histograms, exemplars, metadata }

    let stream: Streams
    /// Hours since 1970.
    let hour: Int64
    var content = Content.samples

    static func < (left: Part, right: Part) -> Bool {
        (left.content.rawValue, left.stream.rawValue, left.hour)
            < (right.content.rawValue, right.stream.rawValue, right.hour)
    }

    static let millisecondsPerHour: Int64 = 3_600_000

    static func hour(of milliseconds: Int64) -> Int64 {
        let quotient = milliseconds / millisecondsPerHour
        return milliseconds % millisecondsPerHour < 0 ? quotient - 1 : quotient
    }

    /// Milliseconds since 1970.
    var times: ClosedRange<Int64> {
        // Of the first and last hour that a number can name, a part is missing.
        let start = hour.multipliedReportingOverflow(by: Self.millisecondsPerHour)
        let end = start.partialValue.addingReportingOverflow(Self.millisecondsPerHour - 1)
        return (start.overflow ? .min : start.partialValue)...(end.overflow && hour > 0 ? .max : end.partialValue)
    }

    var kind: ReferenceID.Kind {
        switch content {
        case .samples: stream == .cost ? .metrics : .observability
        case .histograms: .histograms
        case .exemplars: .exemplars
        case .metadata: .metadata
        }
    }
    var time: CivilTime { CivilTime(milliseconds: times.lowerBound) }

    /// The streams that become files, in the order of their files.
    static let streams: [Streams] = [.cost, .observability]
}

/// Which parts a plan has, and how many rows each series has in some of them.
struct PartSurvey {
    /// Parts whose rows the survey counts as it finds them: 4 bytes a series each.
    private static let countedPartLimit = 16
    /// Numbers of series held for the parts in work: 4 bytes each.
    private static let placeLimit = 1 << 21

    /// Parts that are worked on at once. Whoever writes a year of hours is not read once an hour.
    static func openPartLimit(seriesCount: Int) -> Int {
        max(countedPartLimit, placeLimit / max(1, seriesCount))
    }

    /// Parts that are gathered at once: each takes two numbers a series meanwhile.
    static func gatheredPartLimit(seriesCount: Int) -> Int { max(1, placeLimit / max(1, seriesCount)) }

    /// Rows whose series nobody defined: the definition's record was damaged.
    private(set) var orphanRows = 0
    /// Rows in the log, once each, whatever their streams.
    private(set) var logRows = 0
    /// Rows of each stream, before equal ones are joined.
    private(set) var streamRows: [Streams: Int] = [:]
    private var found: [Part] = []
    private var numbers: [Part: Int] = [:]
    /// Rows of each series in the first `countedPartLimit` parts that were found, as long as it has been needed.
    private var counts: [[UInt32]] = []

    /// In the order of their files.
    var parts: [Part] { found.sorted() }

    /// Takes the rows of one batch, whose definitions are in `known`.
    mutating func add(_ batch: Batch, _ known: PlanReader.References, seriesCount: Int) {
        for index in counts.indices where counts[index].count < seriesCount {
            counts[index].append(contentsOf: repeatElement(0, count: seriesCount - counts[index].count))
        }
        logRows += batch.references.count
        for stream in Part.streams {
            var times: ClosedRange<Int64>?
            var part = 0
            var rows = 0
            for row in batch.references.indices {
                let reference = Int(batch.references[row])
                guard known.belongs(reference, to: stream) else { continue }
                if times?.contains(batch.timestamps[row]) != true {
                    let next = Part(stream: stream, hour: Part.hour(of: batch.timestamps[row]))
                    (times, part) = (next.times, number(of: next, seriesCount))
                }
                rows += 1
                if part < Self.countedPartLimit { counts[part][Int(known.series[reference])] += 1 }
            }
            if rows > 0 { streamRows[stream, default: 0] += rows }
        }
        for reference in batch.references
        where Int(reference) >= known.series.count || known.series[Int(reference)] == .max { orphanRows += 1 }
    }

    private mutating func number(of part: Part, _ seriesCount: Int) -> Int {
        if let known = numbers[part] { return known }
        let number = found.count
        found.append(part)
        numbers[part] = number
        if number < Self.countedPartLimit { counts.append([UInt32](repeating: 0, count: seriesCount)) }
        return number
    }

    /// Rows of each series of the catalog in each of `parts`: known, or counted in one more pass.
    func rowCounts(_ parts: ArraySlice<Part>, _ reader: PlanReader) throws -> [Part: [UInt32]] {
        guard parts.allSatisfy({ numbers[$0, default: .max] < Self.countedPartLimit }) else {
            return try Self.count(parts, reader)
        }
        return Dictionary(
            uniqueKeysWithValues: parts.map { part in
                let known = counts[numbers[part, default: 0]]
                return (part, known + repeatElement(0, count: reader.catalog.count - known.count))
            })
    }

    /// Rows of each series in each of `parts`.
    private static func count(_ parts: ArraySlice<Part>, _ reader: PlanReader) throws -> [Part: [UInt32]] {
        var counts = parts.map { _ in [UInt32](repeating: 0, count: reader.catalog.count) }
        let numbers = Dictionary(uniqueKeysWithValues: zip(parts, counts.indices))
        try reader.forEachBatch {
            $0
        } body: { batch, known in
            var times: ClosedRange<Int64>?
            var open: [(stream: Streams, number: Int)] = []
            for row in batch.references.indices {
                let reference = Int(batch.references[row])
                if times?.contains(batch.timestamps[row]) != true {
                    let hour = Part.hour(of: batch.timestamps[row])
                    times = Part(stream: .cost, hour: hour).times
                    open = Part.streams.compactMap { stream in
                        numbers[Part(stream: stream, hour: hour)].map { (stream, $0) }
                    }
                }
                for (stream, number) in open where known.belongs(reference, to: stream) {
                    counts[number][Int(known.series[reference])] += 1
                }
            }
        }
        return Dictionary(uniqueKeysWithValues: zip(parts, counts))
    }
}
