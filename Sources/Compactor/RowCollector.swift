internal import Samples

/// Rows of some series of one part, gathered in one pass and put in order.
struct RowCollector {
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
    /// Rows equal to another in series, timestamp and value bits.
    private(set) var duplicates = 0
    /// Rows that share series and timestamp with another of another value: kept.
    private(set) var conflicts = 0

    private let firstTime: Int64
    private let reader: PlanReader

    /// - Parameter counts: rows of every series of the catalog in `part`.
    init(_ series: ArraySlice<UInt32>, of part: Part, counts: [UInt32], _ reader: PlanReader) throws {
        self.series = series
        self.reader = reader
        firstTime = part.times.lowerBound
        // Where the next row of each series goes, by the series' place in `series`.
        var cursor: [UInt32] = []
        var placeOf = [UInt32](repeating: .max, count: counts.count)
        var total: UInt32 = 0
        cursor.reserveCapacity(series.count)
        for (place, number) in series.enumerated() {
            placeOf[Int(number)] = UInt32(place)
            cursor.append(total)
            total += counts[Int(number)]
        }
        rows = [Row](repeating: Row(time: 0, request: 0, value: 0), count: Int(total))
        try gather(part, placeOf, &cursor)
        var end: UInt32 = 0
        for (place, number) in series.enumerated() {
            end += counts[Int(number)]
            guard cursor[place] == end else { throw CompactorError(reason: .unstable) }
        }
        order(counts)
    }

    var rowCount: Int { rows.count }

    /// The smallest and largest timestamp of some rows, at least one.
    func times(_ range: Range<Int>) -> ClosedRange<Int64> {
        var (low, high) = (UInt32.max, UInt32.min)
        for row in rows[range] {
            low = min(low, row.time)
            high = max(high, row.time)
        }
        return firstTime + Int64(low)...firstTime + Int64(high)
    }

    /// Milliseconds since 1970.
    func timestamps(_ range: Range<Int>) -> [Int64] { rows[range].map { firstTime + Int64($0.time) } }

    /// When the rows came, in milliseconds since 1970.
    func createdAt(_ range: Range<Int>) -> [Int64] {
        rows[range].map { reader.requests[Int($0.request)].header.receivedAt }
    }

    /// Bits of the doubles.
    func values(_ range: Range<Int>) -> [Int64] { rows[range].map { Int64(bitPattern: $0.value) } }

    private mutating func gather(_ part: Part, _ placeOf: [UInt32], _ cursor: inout [UInt32]) throws {
        let lastTime = UInt64(part.times.upperBound - firstTime)
        var request = 0
        try reader.forEachBatch { known in
            known.series.indices.map { known.belongs($0, to: part.stream) ? placeOf[Int(known.series[$0])] : .max }
        } body: { (batch, places: [UInt32]) in
            defer { request += 1 }
            guard request < reader.requests.count else { throw CompactorError(reason: .unstable) }
            for row in batch.references.indices {
                let reference = Int(batch.references[row])
                guard reference < places.count, places[reference] != .max else { continue }
                let place = Int(places[reference])
                let time = UInt64(bitPattern: batch.timestamps[row] &- firstTime)
                guard time <= lastTime else { continue }
                let slot = Int(cursor[place])
                guard slot < rows.count else { throw CompactorError(reason: .unstable) }
                rows[slot] = Row(time: UInt32(time), request: UInt32(request), value: batch.values[row])
                cursor[place] += 1
            }
        }
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
        rows.removeLast(rows.count - kept)
    }

    /// Puts the rows of one series in order at `kept`, which is not after them; returns the end.
    private mutating func orderSeries(_ range: Range<Int>, keepingFrom kept: Int) -> Int {
        var isSorted = true
        for row in range.dropFirst() where rows[row].time <= rows[row - 1].time { isSorted = false }
        if isSorted {
            guard kept != range.lowerBound else { return range.upperBound }
            for (offset, row) in range.enumerated() { rows[kept + offset] = rows[row] }
            return kept + range.count
        }
        let sorted = range.sorted { (rows[$0].time, $0) < (rows[$1].time, $1) }.map { rows[$0] }
        var end = kept
        var seen: Set<UInt64> = []  // values at the timestamp in work
        for row in sorted {
            if end == kept || rows[end - 1].time != row.time { seen.removeAll(keepingCapacity: true) }
            guard seen.insert(row.value).inserted else {
                duplicates += 1
                continue
            }
            if seen.count > 1 { conflicts += 1 }
            rows[end] = row
            end += 1
        }
        return end
    }
}
