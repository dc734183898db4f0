internal import Bytes

/// The symbols of one v2 request: where each lies in the body, and its hash.
struct SymbolTable {
    private struct Symbol {
        var start: UInt32
        var byteCount: UInt32
        var hash: UInt64
    }

    private var symbols: [Symbol] = []

    var count: Int { symbols.count }

    mutating func removeAll() { symbols.removeAll(keepingCapacity: true) }

    /// - Parameter start: byte offset of `symbol` in the body.
    mutating func append(_ symbol: RawSpan, at start: Int, seed: UInt64) {
        symbols.append(
            Symbol(
                start: UInt32(truncatingIfNeeded: start), byteCount: UInt32(truncatingIfNeeded: symbol.byteCount),
                hash: xxh3(symbol, seed: seed)))
    }

    /// The identity of the series that a packed field names: its symbols' hashes, which are keyed, a pair at a time
    /// through the folded multiplication of wyhash and XXH3, in two lanes that take the pair the other way round.
    /// - Parameter limit: most references a label set may have.
    /// - Returns: nil when they are more, an odd number, or refer to no symbol.
    func seriesKey(of references: RawSpan, limit: Int, seed: UInt64) throws(ByteError) -> Hash128? {
        let symbols = symbols.span
        let count = UInt64(symbols.count)
        var (low, high) = (seed, ~seed)
        var pairs = 0
        var reader = ByteReader(references)
        while !reader.isAtEnd {
            let name = try reader.varint()
            guard !reader.isAtEnd, pairs < limit / 2 else { return nil }
            let value = try reader.varint()
            guard name < count, value < count else { return nil }
            pairs &+= 1
            // SAFETY: both are below the count.
            let nameHash = unsafe symbols[unchecked: Int(truncatingIfNeeded: name)].hash
            let valueHash = unsafe symbols[unchecked: Int(truncatingIfNeeded: value)].hash
            low = Self.folded(nameHash ^ Self.lowSecret, valueHash ^ low)
            high = Self.folded(valueHash ^ Self.highSecret, nameHash ^ high)
        }
        return Hash128(low: low, high: high)
    }

    // The fractions of the golden ratio and of pi: any numbers with bits all over would do.
    private static var lowSecret: UInt64 { 0x9E37_79B9_7F4A_7C15 }
    private static var highSecret: UInt64 { 0x243F_6A88_85A3_08D3 }

    private static func folded(_ first: UInt64, _ second: UInt64) -> UInt64 {
        let product = first.multipliedFullWidth(by: second)
        return product.high ^ product.low
    }

    /// The key of a label in its batch: other references, another key, for both steps can be undone.
    static func labelKey(name: Int, value: Int) -> Hash128 {
        let pair = UInt64(truncatingIfNeeded: name) << 32 | UInt64(UInt32(truncatingIfNeeded: value))
        let mixed = pair &* 0x9E37_79B9_7F4A_7C15
        return Hash128(low: mixed ^ mixed >> 32, high: 0)
    }

    @_lifetime(copy body)
    func bytes(_ index: Int, in body: RawSpan) -> RawSpan {
        let symbol = symbols[index]
        return body.extracting(Int(symbol.start)..<Int(symbol.start) + Int(symbol.byteCount))
    }

    /// Length of the first symbol; nil without symbols.
    var firstLength: UInt32? { symbols.first?.byteCount }
}
