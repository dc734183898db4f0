internal import Bytes

/// The distinct values of a column in order of first use, and the index of each row's value among them.
///
/// Open addressing over positions in `entries`, at most half full.
package struct InternedNumbers {
    package private(set) var entries: [Int64] = []
    package private(set) var indexes: [UInt32] = []

    package init(_ values: [Int64]) {
        indexes.reserveCapacity(values.count)
        var slots = SlotTable()
        var (lastValue, lastIndex) = (Int64(0), UInt32.max)
        for value in values {
            if value != lastValue || lastIndex == .max {
                if slots.isHalfFull(entries.count) { slots.grow { Self.hash(entries[$0]) } }
                lastIndex = slots.find(Self.hash(value)) {
                    entries[$0] == value
                } insert: {
                    entries.append(value)
                    return entries.count - 1
                }
                lastValue = value
            }
            indexes.append(lastIndex)
        }
    }

    private static func hash(_ value: Int64) -> UInt64 {
        let product = (UInt64(bitPattern: value) ^ SlotTable.seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
        return product.high ^ product.low
    }
}

/// As `InternedNumbers`, for strings.
struct InternedStrings {
    private(set) var entries = ByteTable()
    private(set) var indexes: [UInt32] = []

    init(_ values: ByteTable) throws(ParquetError) {
        indexes.reserveCapacity(values.count)
        var slots = SlotTable()
        let hashes = StringHash.all(of: values, seed: SlotTable.seed)
        // The row where each entry was met first.
        var first: [UInt32] = []
        for row in 0..<values.count {
            let hash = hashes[row]
            if slots.isHalfFull(first.count) { slots.grow { hashes[Int(first[$0])] } }
            let index = slots.find(hash) { candidate in
                let other = Int(first[candidate])
                return hashes[other] == hash && ByteOrder.areEqual(values[other], values[row])
            } insert: {
                first.append(UInt32(row))
                return first.count - 1
            }
            indexes.append(index)
        }
        for row in first { try entries.append(values[Int(row)]) }
    }
}

/// XXH3-64 of each string of a table.
enum StringHash {
    static func all(of table: ByteTable, seed: UInt64 = 0) -> [UInt64] {
        (0..<table.count).map { xxh3(table[$0], seed: seed) }
    }
}

/// Positions of entries by their hash.
private struct SlotTable {
    /// A secret of the process, so that no sender can choose values that collide. What is interned does not depend on
    /// it: entries stand in order of first use.
    static let seed = UInt64.random(in: .min ... .max)
    private static let empty = UInt32.max
    private var slots = [UInt32](repeating: empty, count: 1024)

    func isHalfFull(_ count: Int) -> Bool { count * 2 >= slots.count }

    mutating func grow(hash: (Int) -> UInt64) {
        let old = slots
        slots = [UInt32](repeating: Self.empty, count: old.count * 4)
        for entry in old where entry != Self.empty {
            var slot = Int(truncatingIfNeeded: hash(Int(entry))) & (slots.count - 1)
            while slots[slot] != Self.empty { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = entry
        }
    }

    @inline(__always)
    mutating func find(_ hash: UInt64, matches: (Int) -> Bool, insert: () -> Int) -> UInt32 {
        var slot = Int(truncatingIfNeeded: hash) & (slots.count - 1)
        while slots[slot] != Self.empty {
            if matches(Int(slots[slot])) { return slots[slot] }
            slot = (slot + 1) & (slots.count - 1)
        }
        slots[slot] = UInt32(insert())
        return slots[slot]
    }
}

/// The order of strings in the format: unsigned bytes, a prefix before what it begins.
enum ByteOrder {
    @inline(__always)
    static func areEqual(_ first: RawSpan, _ second: RawSpan) -> Bool {
        first.byteCount == second.byteCount && mismatch(first, second) == nil
    }

    @inline(__always)
    static func precedes(_ first: RawSpan, _ second: RawSpan) -> Bool {
        mismatch(first, second) ?? (first.byteCount < second.byteCount)
    }

    /// Whether `first` is smaller at the first byte that differs; nil when one begins the other.
    @inline(__always)
    private static func mismatch(_ first: RawSpan, _ second: RawSpan) -> Bool? {
        let count = min(first.byteCount, second.byteCount)
        var offset = 0
        while offset + 8 <= count {
            // SAFETY: offset + 8 <= both counts.
            let left = unsafe first.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            let right = unsafe second.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            if left != right { return left.bigEndian < right.bigEndian }
            offset += 8
        }
        while offset < count {
            // SAFETY: offset < both counts.
            let left = unsafe first.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            let right = unsafe second.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            if left != right { return left < right }
            offset += 1
        }
        return nil
    }
}
