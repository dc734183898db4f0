internal import Parquet
internal import Samples

/// Rows of some series of one part, gathered in a pass and put in order.
struct RowCollector {
    /// What one collector gathers: series of a part in row order, at least one.
    struct Group {
        let part: Part
        let series: ArraySlice<UInt32>
        let rowCount: Int
    }

    /// One sample, small: a pass holds a million of them.
    struct Row {
        /// Milliseconds since the part's hour began.
        var time: UInt32
        /// Number of the request in the log's order, as in `PlanReader.requests`.
        var request: UInt32
        var value: UInt64
    }

    /// Series in row order.
    let series: ArraySlice<UInt32>
    /// End of each series' rows once they are in order and equal ones are joined.
    private(set) var ends: [Int] = []
    private(set) var rows: [Row]
    /// When the series of each row began, in milliseconds since 1970, 0 = unknown; empty when nobody wants them.
    private var starts: [Int64] = []
    /// Rows equal to another in series, timestamp and value bits.
    private(set) var duplicates = 0
    /// Rows that share series and timestamp with another of another value: kept.
    private(set) var conflicts = 0

    /// Of the part, in milliseconds since 1970.
    private let times: ClosedRange<Int64>
    private let reader: PlanReader
    /// Where the next row of each series goes, by the series' place in `series`.
    private var cursor: [UInt32] = []

    /// Gathers all of `groups` in one pass: a record is read once, however many parts its rows belong to.
    /// - Parameters:
    ///   - counts: rows of every series of the catalog, by part.
    ///   - withStarts: start timestamps are gathered, too: 8 bytes a row.
    static func collect(
        _ groups: [Group], _ counts: [Part: [UInt32]], _ reader: PlanReader, withStarts: Bool
    ) throws -> [RowCollector] {
        var collectors = groups.map { RowCollector($0, counts[$0.part]!, reader, withStarts) }
        let placesOf = collectors.map { $0.places(seriesCount: reader.catalog.count) }
        var request = 0
        try reader.forEachBatch { known in
            groups.indices.map { index in
                let stream = groups[index].part.stream
                return known.series.indices.map {
                    known.belongs($0, to: stream) ? placesOf[index][Int(known.series[$0])] : .max
                }
            }
        } body: { (batch, places: [[UInt32]]) in
            defer { request += 1 }
            guard request < reader.requests.count else { throw CompactorError(reason: .unstable) }
            for index in collectors.indices {
                try collectors[index].take(batch, places[index], request: UInt32(request))
            }
        }
        for index in collectors.indices { try collectors[index].finish(counts[groups[index].part]!) }
        return collectors
    }

    private init(_ group: Group, _ counts: [UInt32], _ reader: PlanReader, _ withStarts: Bool) {
        (series, times, self.reader) = (group.series, group.part.times, reader)
        var total: UInt32 = 0
        cursor.reserveCapacity(series.count)
        for number in series {
            cursor.append(total)
            total += counts[Int(number)]
        }
        rows = [Row](repeating: Row(time: 0, request: 0, value: 0), count: Int(total))
        if withStarts { starts = [Int64](repeating: 0, count: Int(total)) }
    }

    /// The place in `series` of every series of the catalog; `UInt32.max` of one that is not gathered here.
    private func places(seriesCount: Int) -> [UInt32] {
        var places = [UInt32](repeating: .max, count: seriesCount)
        for (place, number) in series.enumerated() { places[Int(number)] = UInt32(place) }
        return places
    }

    var rowCount: Int { rows.count }

    /// The smallest and largest timestamp of some rows, at least one.
    func times(_ range: Range<Int>) -> ClosedRange<Int64> {
        var (low, high) = (UInt32.max, UInt32.min)
        for row in rows[range] {
            low = min(low, row.time)
            high = max(high, row.time)
        }
        return times.lowerBound + Int64(low)...times.lowerBound + Int64(high)
    }

    /// Milliseconds since 1970.
    func timestamps(_ range: Range<Int>) -> [Int64] { rows[range].map { times.lowerBound + Int64($0.time) } }

    /// When the rows came, in milliseconds since 1970.
    func createdAt(_ range: Range<Int>) -> [Int64] {
        rows[range].map { reader.requests[Int($0.request)].receivedAt }
    }

    /// A row without start, or of one in a year that readers of timestamps refuse, has no value.
    func startTimestamps(_ range: Range<Int>) -> ColumnValues {
        let starts = starts[range]
        return .nested(counts: starts.map { $0.isStart ? 1 : 0 }, .int64(starts.filter(\.isStart)))
    }

    /// Bits of the doubles.
    func values(_ range: Range<Int>) -> [Int64] { rows[range].map { Int64(bitPattern: $0.value) } }

    /// Takes what `batch` has of this part. `places`: by reference.
    private mutating func take(_ batch: Batch, _ places: [UInt32], request: UInt32) throws {
        let lastTime = UInt64(times.upperBound - times.lowerBound)
        for row in batch.references.indices {
            let reference = Int(batch.references[row])
            guard reference < places.count, places[reference] != .max else { continue }
            let place = Int(places[reference])
            let time = UInt64(bitPattern: batch.timestamps[row] &- times.lowerBound)
            guard time <= lastTime else { continue }
            let slot = Int(cursor[place])
            guard slot < rows.count else { throw CompactorError(reason: .unstable) }
            rows[slot] = Row(time: UInt32(time), request: request, value: batch.values[row])
            if !starts.isEmpty, !batch.startTimestamps.isEmpty { starts[slot] = batch.startTimestamps[row] }
            cursor[place] += 1
        }
    }

    /// Every series has the rows that were counted before; now they are put in order.
    private mutating func finish(_ counts: [UInt32]) throws {
        var end: UInt32 = 0
        for (place, number) in series.enumerated() {
            end += counts[Int(number)]
            guard cursor[place] == end else { throw CompactorError(reason: .unstable) }
        }
        cursor = []
        order(counts)
    }

    /// Sorts each series by timestamp, keeping the log's order among equals, and joins equal rows.
    private mutating func order(_ counts: [UInt32]) {
        var kept = 0
        var start = 0
        ends.reserveCapacity(series.count)
        for number in series {
            let end = start + Int(counts[Int(number)])
            kept = orderSeries(start..<end, keepingFrom: kept)
            ends.append(kept)
            start = end
        }
        if !starts.isEmpty { starts.removeLast(rows.count - kept) }
        rows.removeLast(rows.count - kept)
    }

    /// Puts the rows of one series in order at `kept`, which is not after them; returns the end.
    private mutating func orderSeries(_ range: Range<Int>, keepingFrom kept: Int) -> Int {
        var isSorted = true
        for row in range.dropFirst() where rows[row].time <= rows[row - 1].time { isSorted = false }
        if isSorted {
            guard kept != range.lowerBound else { return range.upperBound }
            for (offset, row) in range.enumerated() { rows[kept + offset] = rows[row] }
            if !starts.isEmpty { for (offset, row) in range.enumerated() { starts[kept + offset] = starts[row] } }
            return kept + range.count
        }
        let order = range.sorted { (rows[$0].time, $0) < (rows[$1].time, $1) }
        let sorted = order.map { rows[$0] }
        let sortedStarts = starts.isEmpty ? [] : order.map { starts[$0] }
        var end = kept
        var seen: Set<UInt64> = []  // values at the timestamp in work
        for (index, row) in sorted.enumerated() {
            if end == kept || rows[end - 1].time != row.time { seen.removeAll(keepingCapacity: true) }
            guard seen.insert(row.value).inserted else {
                duplicates += 1
                continue
            }
            if seen.count > 1 { conflicts += 1 }
            rows[end] = row
            if !starts.isEmpty { starts[end] = sortedStarts[index] }
            end += 1
        }
        return end
    }
}

extension Int64 {
    /// Whether it is a start timestamp in ms: set, and of a year that readers of timestamps take.
    var isStart: Bool { self != 0 && SampleTime.bounds.contains(self) }
}
