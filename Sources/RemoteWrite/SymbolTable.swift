internal import Bytes

/// The symbols of one v2 request: where each lies in the body, and its hash.
struct SymbolTable {
    private var starts: [UInt32] = []
    private var lengths: [UInt32] = []
    private var hashes: [UInt64] = []
    /// Of the symbols of the series in work.
    private var seriesHashes: [UInt64] = []

    var count: Int { starts.count }

    mutating func removeAll() {
        starts.removeAll(keepingCapacity: true)
        lengths.removeAll(keepingCapacity: true)
        hashes.removeAll(keepingCapacity: true)
    }

    /// - Parameter start: byte offset of `symbol` in the body.
    mutating func append(_ symbol: RawSpan, at start: Int, seed: UInt64) {
        starts.append(UInt32(truncatingIfNeeded: start))
        lengths.append(UInt32(truncatingIfNeeded: symbol.byteCount))
        hashes.append(xxh3(symbol, seed: seed))
    }

    mutating func startSeries() { seriesHashes.removeAll(keepingCapacity: true) }

    /// Adds a symbol to the series in work.
    /// - Returns: false when there is no such symbol.
    mutating func refer(to reference: UInt64) -> Bool {
        guard reference < UInt64(hashes.count) else { return false }
        seriesHashes.append(hashes[Int(reference)])
        return true
    }

    /// Symbols added since `startSeries`.
    var referenceCount: Int { seriesHashes.count }

    /// The identity of the series in work: a hash over its symbols' hashes.
    func seriesKey(seed: UInt64) -> Hash128 {
        // SAFETY: UInt64 has no padding.
        Hash128(of: unsafe seriesHashes.span.bytes, seed: seed)
    }

    @_lifetime(copy body)
    func bytes(_ index: Int, in body: RawSpan) -> RawSpan {
        let start = Int(starts[index])
        return body.extracting(start..<start + Int(lengths[index]))
    }

    /// Length of the first symbol; nil without symbols.
    var firstLength: UInt32? { lengths.first }
}
