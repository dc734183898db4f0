package import Bytes

/// A hash of a table's rows, whatever their encoding: equal hashes of the values handed to the writer and of the file
/// read back prove that the file says what the log said.
///
/// A chain over row groups and columns in order; each link is XXH3-128 over the link before, column index, row count
/// and the content, as u64 or i64 LE. Content of numbers: the values. Of strings: the runs of equal neighbours, each as
/// XXH3-64 of the string and number of rows. Of a column that is not REQUIRED: XXH3-128 of its rows' counts as u32 LE,
/// and the content of its values.
package struct ContentHash: Hashable, Sendable {
    package private(set) var value = Hash128(low: 0, high: 0)

    package init() {}

    /// 32 lower-case hex digits.
    package var hex: String { value.hex }

    /// Feeds all columns of one row group; no rows: nothing.
    package mutating func add(rowGroup: [ColumnValues]) {
        for (column, values) in rowGroup.enumerated() where values.count > 0 { add(column: column, values) }
    }

    /// Feeds one column of a row group: column 0 first.
    package mutating func add(column: Int, _ values: ColumnValues) {
        let content = Self.content(values)
        value = Self.hash([value.low, value.high, UInt64(column), UInt64(values.count), content.low, content.high])
    }

    private static func content(_ values: ColumnValues) -> Hash128 {
        switch values {
        case .int64(let numbers): return hash(numbers)
        case .strings(let table): return runs(of: StringHash.all(of: table))
        case .dictionary(let entries, let indexes): return runs(of: indexes.span, StringHash.all(of: entries))
        case .nested(let counts, let elements):
            let (rows, content) = (hash(counts), content(elements))
            return hash([rows.low, rows.high, content.low, content.high])
        }
    }

    private static func runs(of hashes: [UInt64]) -> Hash128 {
        var runs = RunHash()
        for hash in hashes { runs.append(hash, count: 1) }
        return runs.finish()
    }

    private static func runs(of indexes: Span<UInt32>, _ hashes: [UInt64]) -> Hash128 {
        var runs = RunHash()
        var start = 0
        while start < indexes.count {
            let end = indexes.endOfRun(from: start)
            runs.append(hashes[Int(indexes[start])], count: end - start)
            start = end
        }
        return runs.finish()
    }

    private static func hash(_ words: [some BitwiseCopyable]) -> Hash128 {
        // SAFETY: integers have no padding; the byte order is little endian on every platform we run on.
        unsafe Hash128(of: words.span.bytes, seed: 0)
    }
}

/// XXH3-128 of runs of equal hashes, joined where a caller's runs meet, as pairs of hash and count.
private struct RunHash: ~Copyable {
    /// Words that are hashed at once.
    private static let chunk = 1024

    private var stream = Hash128Stream()
    private var words: [UInt64] = []
    private var hash: UInt64 = 0
    private var count = 0

    init() { words.reserveCapacity(Self.chunk) }

    @inline(__always)
    mutating func append(_ next: UInt64, count more: Int) {
        if next == hash && count > 0 {
            count += more
            return
        }
        flush()
        (hash, count) = (next, more)
    }

    private mutating func flush() {
        guard count > 0 else { return }
        words.append(hash)
        words.append(UInt64(count))
        if words.count >= Self.chunk { update() }
    }

    private mutating func update() {
        // Out of self, which a span of its own would borrow whole.
        var words: [UInt64] = []
        swap(&words, &self.words)
        // SAFETY: integers have no padding; the byte order is little endian on every platform we run on.
        stream.update(unsafe words.span.bytes)
        words.removeAll(keepingCapacity: true)
        swap(&words, &self.words)
    }

    consuming func finish() -> Hash128 {
        flush()
        update()
        return stream.value
    }
}
