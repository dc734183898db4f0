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

    /// The identity of the series that a packed field names: a hash over its symbols' hashes.
    /// - Parameter limit: most references a label set may have.
    /// - Returns: nil when they are more, an odd number, or refer to no symbol.
    mutating func seriesKey(of references: RawSpan, limit: Int, seed: UInt64) throws(ByteError) -> Hash128? {
        seriesHashes.removeAll(keepingCapacity: true)
        let hashes = hashes
        // Room is made once: a reference costs no look at the array.
        try seriesHashes.append(addingCapacity: min(references.byteCount, limit) + 1) { out throws(ByteError) in
            var reader = ByteReader(references)
            while !reader.isAtEnd, out.freeCapacity > 0 {
                let reference = try reader.varint()
                guard reference < UInt64(hashes.count) else {
                    out.removeAll()
                    return
                }
                out.append(hashes[Int(truncatingIfNeeded: reference)])
            }
        }
        guard seriesHashes.count <= limit, seriesHashes.count % 2 == 0 else { return nil }
        // SAFETY: UInt64 has no padding.
        return Hash128(of: unsafe seriesHashes.span.bytes, seed: seed)
    }

    /// The key of a label in its batch: other references, another key, for both steps can be undone.
    static func labelKey(name: Int, value: Int) -> Hash128 {
        let pair = UInt64(truncatingIfNeeded: name) << 32 | UInt64(UInt32(truncatingIfNeeded: value))
        let mixed = pair &* 0x9E37_79B9_7F4A_7C15
        return Hash128(low: mixed ^ mixed >> 32, high: 0)
    }

    @_lifetime(copy body)
    func bytes(_ index: Int, in body: RawSpan) -> RawSpan {
        let start = Int(starts[index])
        return body.extracting(start..<start + Int(lengths[index]))
    }

    /// Length of the first symbol; nil without symbols.
    var firstLength: UInt32? { lengths.first }
}
