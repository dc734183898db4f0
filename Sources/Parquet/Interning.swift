internal import Bytes

/// The distinct values of a column in order of first use, and the index of each row's value among them.
package struct InternedNumbers {
    package private(set) var entries: [Int64] = []
    package private(set) var indexes: [UInt32] = []

    package init(_ values: [Int64]) {
        self.init(values, entryLimit: .max)!  // there are no more
    }

    /// nil when there are more than `entryLimit` distinct values, which is at least 1.
    init?(_ values: [Int64], entryLimit: Int) {
        guard let first = values.first else { return }
        var slots = SlotTable()
        let seed = slots.seed
        func hash(_ value: Int64) -> UInt64 {
            let product = (UInt64(bitPattern: value) ^ seed).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
            return product.high ^ product.low
        }
        slots.add(hash(first))
        var entries = [first]
        // What came after each entry the last time: every series has the same times, in the same order.
        var followers = [0]
        indexes.append(addingCapacity: values.count) { indexes in
            var (last, lastValue) = (0, first)
            for value in values {
                if value != lastValue {
                    lastValue = value
                    let follower = followers[last]
                    if entries[follower] == value {
                        last = follower
                    } else {
                        let number = slots.find(hash(value)) { entries[$0] == value } ?? entries.count
                        if number == entries.count {
                            guard entries.count < entryLimit else { return }
                            if slots.isFull { slots = slots.widened { hash(entries[$0]) } }
                            slots.add(hash(value))
                            entries.append(value)
                            followers.append(0)
                        }
                        followers[last] = number
                        last = number
                    }
                }
                indexes.append(UInt32(truncatingIfNeeded: last))
            }
        }
        guard indexes.count == values.count else { return nil }
        self.entries = entries
    }
}

/// As `InternedNumbers`, for strings.
struct InternedStrings {
    private(set) var entries = ByteTable()
    private(set) var indexes: [UInt32] = []

    init(_ values: ByteTable) throws(ParquetError) {
        indexes.reserveCapacity(values.count)
        var slots = SlotTable()
        let hashes = StringHash.all(of: values, seed: slots.seed)
        // The row where each entry was met first.
        var first: [UInt32] = []
        for row in 0..<values.count {
            let hash = hashes[row]
            let known = slots.find(hash) { candidate in
                let other = Int(first[candidate])
                return hashes[other] == hash && ByteOrder.areEqual(values[other], values[row])
            }
            indexes.append(UInt32(known ?? first.count))
            guard known == nil else { continue }
            if slots.isFull { slots = slots.widened { hashes[Int(first[$0])] } }
            slots.add(hash)
            first.append(UInt32(row))
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
