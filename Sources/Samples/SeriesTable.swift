package import Bytes

/// The series of the active segment by the hash of their encoded labels: open addressing, linear probing.
///
/// 20 bytes a slot, at most 3/4 full. The 128-bit keyed hash is the identity: the labels themselves are in the log.
/// Reset at rotation, so a segment never needs another to be read.
package struct SeriesTable: Sendable {
    /// What a known series is to the log.
    package enum Entry: Equatable, Sendable {
        case reference(UInt32)
        /// Every stream's filter refused it.
        case filtered
    }

    private static let empty = UInt32.max
    private static let removed = UInt32.max - 1
    private static let filtered = UInt32.max - 2
    /// References are below this.
    package static let referenceLimit = Int(UInt32.max - 2)

    private var keys: [Hash128]
    private var values: [UInt32]
    private var used = 0
    private var mask: Int

    package init() {
        keys = [Hash128](repeating: Hash128(low: 0, high: 0), count: 1024)
        values = [UInt32](repeating: Self.empty, count: 1024)
        mask = 1023
    }

    package func find(_ key: Hash128) -> Entry? {
        var slot = Int(truncatingIfNeeded: key.low) & mask
        while true {
            let value = values[slot]
            if value == Self.empty { return nil }
            if keys[slot] == key {
                switch value {
                case Self.removed: return nil
                case Self.filtered: return .filtered
                default: return .reference(value)
                }
            }
            slot = (slot &+ 1) & mask
        }
    }

    /// Adds a key that `find` does not know.
    package mutating func insert(_ key: Hash128, _ entry: Entry) {
        if (used + 1) * 4 > keys.count * 3 { grow() }
        switch entry {
        case .reference(let reference): place(key, reference)
        case .filtered: place(key, Self.filtered)
        }
    }

    /// Forgets a key whose definition did not reach the log.
    package mutating func remove(_ key: Hash128) {
        var slot = Int(truncatingIfNeeded: key.low) & mask
        while values[slot] != Self.empty {
            if keys[slot] == key {
                values[slot] = Self.removed
                return
            }
            slot = (slot &+ 1) & mask
        }
    }

    private mutating func place(_ key: Hash128, _ value: UInt32) {
        var slot = Int(truncatingIfNeeded: key.low) & mask
        while values[slot] != Self.empty {
            if keys[slot] == key { break }
            slot = (slot &+ 1) & mask
        }
        if values[slot] == Self.empty { used += 1 }
        keys[slot] = key
        values[slot] = value
    }

    private mutating func grow() {
        let (oldKeys, oldValues) = (keys, values)
        mask = oldKeys.count * 2 - 1
        keys = [Hash128](repeating: Hash128(low: 0, high: 0), count: mask + 1)
        values = [UInt32](repeating: Self.empty, count: mask + 1)
        used = 0
        for slot in 0..<oldKeys.count where oldValues[slot] != Self.empty && oldValues[slot] != Self.removed {
            place(oldKeys[slot], oldValues[slot])
        }
    }
}
