internal import Bytes

/// Label names and values of a plan, each once: 100,000 series of 14 labels take 6 MB of numbers instead of 70 MB of
/// text.
struct SymbolPool {
    private(set) var bytes: [UInt8] = []
    private var offsets: [Int] = [0]
    private var slots = SlotTable()

    var count: Int { offsets.count - 1 }

    func range(_ symbol: UInt32) -> Range<Int> { offsets[Int(symbol)]..<offsets[Int(symbol) + 1] }

    /// The number of `text`, which is added when it is new.
    mutating func intern(_ text: RawSpan) -> UInt32 {
        let hash = xxh3(text, seed: slots.seed)
        if let known = slots.find(hash, matches: { isEqual(UInt32($0), text) }) { return UInt32(known) }
        if slots.isFull {
            slots = slots.widened { symbol in
                // SAFETY: UInt8 has no padding.
                xxh3(unsafe bytes.span.bytes.extracting(range(UInt32(symbol))), seed: slots.seed)
            }
        }
        slots.add(hash)
        bytes.append(text)
        offsets.append(bytes.count)
        return UInt32(count - 1)
    }

    private func isEqual(_ symbol: UInt32, _ text: RawSpan) -> Bool {
        let range = range(symbol)
        guard range.count == text.byteCount else { return false }
        // SAFETY: UInt8 has no padding; both buffers are read only within the closures.
        return unsafe text.withUnsafeBytes { other in
            unsafe bytes.withUnsafeBytes { unsafe $0[range].elementsEqual(other) }
        }
    }

    /// The place of each symbol among all, by the bytes of its JSON string with the closing quote: no such text begins
    /// another.
    ///
    /// With it, the bytes of each of these texts.
    func ranks() -> (ranks: [UInt32], byteCounts: [UInt32]) {
        var text: [UInt8] = []
        text.reserveCapacity(bytes.count + count)
        var starts = [0]
        starts.reserveCapacity(count + 1)
        for symbol in 0..<UInt32(count) {
            LabelsJSON.appendString(bytes[range(symbol)], to: &text)
            starts.append(text.count)
        }
        var order = [UInt32](0..<UInt32(count))
        // SAFETY: every range lies within `text`, which does not change while it is sorted.
        unsafe text.withUnsafeBufferPointer { text in
            order.sort { left, right in
                let a = unsafe text[starts[Int(left)]..<starts[Int(left) + 1]]
                let b = unsafe text[starts[Int(right)]..<starts[Int(right) + 1]]
                return unsafe a.lexicographicallyPrecedes(b)
            }
        }
        var ranks = [UInt32](repeating: 0, count: count)
        for (rank, symbol) in order.enumerated() { ranks[Int(symbol)] = UInt32(rank) }
        return (ranks, zip(starts, starts.dropFirst()).map { UInt32($1 - $0) })
    }
}
