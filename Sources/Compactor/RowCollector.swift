internal import Samples

/// Rows of some series of one part, gathered in one pass and put in order.
struct RowCollector {
    /// Series in row order.
    let series: ArraySlice<UInt32>
    /// End of each series' rows once they are in order and equal ones are joined.
    private(set) var ends: [Int] = []
    private(set) var timestamps: [Int64]
    private(set) var createdAt: [Int64]
    private(set) var values: [UInt64]
    /// Rows equal to another in series, timestamp and value bits.
    private(set) var duplicates = 0
    /// Rows that share series and timestamp with another of another value: kept.
    private(set) var conflicts = 0

    /// - Parameter counts: rows of every series of the catalog in `part`.
    init(_ series: ArraySlice<UInt32>, of part: Part, counts: [UInt32], _ reader: PlanReader) throws {
        self.series = series
        var cursor = [Int](repeating: -1, count: counts.count)
        var total = 0
        for number in series {
            cursor[Int(number)] = total
            total += Int(counts[Int(number)])
        }
        let times = part.times
        var timestamps = [Int64](repeating: 0, count: total)
        var createdAt = timestamps
        var values = [UInt64](repeating: 0, count: total)
        try reader.forEachBatch { batch, known in
            for row in batch.references.indices {
                let reference = Int(batch.references[row])
                guard reference < known.series.count, known.series[reference] != .max,
                    known.streams[reference].contains(part.stream), times.contains(batch.timestamps[row])
                else { continue }
                let number = Int(known.series[reference])
                let slot = cursor[number]
                guard slot >= 0 else { continue }
                guard slot < timestamps.count else { throw CompactorError(reason: .unstable) }
                timestamps[slot] = batch.timestamps[row]
                createdAt[slot] = batch.header.receivedAt
                values[slot] = batch.values[row]
                cursor[number] = slot + 1
            }
        }
        var end = 0
        for number in series {
            end += Int(counts[Int(number)])
            guard cursor[Int(number)] == end else { throw CompactorError(reason: .unstable) }
        }
        self.timestamps = timestamps
        self.createdAt = createdAt
        self.values = values
        order(counts)
    }

    var rowCount: Int { timestamps.count }

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
        timestamps.removeLast(timestamps.count - kept)
        createdAt.removeLast(createdAt.count - kept)
        values.removeLast(values.count - kept)
    }

    /// Puts the rows of one series in order at `kept`, which is not after them; returns the end.
    private mutating func orderSeries(_ rows: Range<Int>, keepingFrom kept: Int) -> Int {
        var isSorted = true
        for row in rows.dropFirst() where timestamps[row] <= timestamps[row - 1] { isSorted = false }
        if isSorted {
            guard kept != rows.lowerBound else { return rows.upperBound }
            for (offset, row) in rows.enumerated() { move(row, to: kept + offset) }
            return kept + rows.count
        }
        let sorted = rows.sorted { (timestamps[$0], $0) < (timestamps[$1], $1) }
            .map { (timestamps[$0], createdAt[$0], values[$0]) }
        var end = kept
        var seen: Set<UInt64> = []  // values at the timestamp in work
        for (timestamp, created, value) in sorted {
            if end == kept || timestamps[end - 1] != timestamp { seen.removeAll(keepingCapacity: true) }
            guard seen.insert(value).inserted else {
                duplicates += 1
                continue
            }
            if seen.count > 1 { conflicts += 1 }
            timestamps[end] = timestamp
            createdAt[end] = created
            values[end] = value
            end += 1
        }
        return end
    }

    private mutating func move(_ from: Int, to: Int) {
        timestamps[to] = timestamps[from]
        createdAt[to] = createdAt[from]
        values[to] = values[from]
    }
}
