package import Bytes

/// Numbers by keyed hashes: open addressing, linear probing.
///
/// 16 bytes a slot, four to a cache line, at most 3/4 full. The keyed hash is the identity, of which 96 bits are kept:
/// two of 16 million keys are taken for one in 1 of 5 x 10^14 indices.
package struct KeyIndex: Sendable {
    private struct Slot {
        var low: UInt64
        /// Half of the key's high word.
        var high: UInt32
        var value: UInt32

        init(_ key: Hash128, _ value: UInt32) {
            low = key.low
            high = UInt32(truncatingIfNeeded: key.high)
            self.value = value
        }

        func holds(_ key: Hash128) -> Bool { low == key.low && high == UInt32(truncatingIfNeeded: key.high) }
    }

    private static let empty = UInt32.max
    private static let removed = UInt32.max - 1
    /// Numbers are below this.
    package static let limit = UInt32.max - 1
    private static let capacityMinimum = 1024

    private var slots = Self.emptySlots(Self.capacityMinimum)
    private var used = 0

    package init() {}

    private static func emptySlots(_ count: Int) -> [Slot] {
        [Slot](repeating: Slot(Hash128(low: 0, high: 0), empty), count: count)
    }

    /// Places for keys, 16 bytes each.
    package var capacity: Int { slots.count }

    private var mask: Int { slots.count &- 1 }

    private func start(_ low: UInt64) -> Int { Int(truncatingIfNeeded: low) & mask }

    /// Forgets every key. The storage stays as large as the keys that were known need: the next are mostly as many.
    package mutating func removeAll() {
        var capacity = Self.capacityMinimum
        while used * 4 > capacity * 3 { capacity *= 2 }
        used = 0
        if capacity < slots.count {
            slots = Self.emptySlots(capacity)
        } else {
            for slot in slots.indices { slots[slot].value = Self.empty }
        }
    }

    package func find(_ key: Hash128) -> UInt32? {
        var slot = start(key.low)
        while true {
            let found = slots[slot]
            if found.value == Self.empty { return nil }
            if found.holds(key) { return found.value == Self.removed ? nil : found.value }
            slot = (slot &+ 1) & mask
        }
    }

    /// Adds a key that `find` does not know.
    package mutating func insert(_ key: Hash128, _ number: UInt32) {
        if (used + 1) * 4 > slots.count * 3 { grow() }
        var slot = start(key.low)
        while slots[slot].value != Self.empty, !slots[slot].holds(key) { slot = (slot &+ 1) & mask }
        if slots[slot].value == Self.empty { used += 1 }
        slots[slot] = Slot(key, number)
    }

    /// Forgets a key.
    package mutating func remove(_ key: Hash128) {
        var slot = start(key.low)
        while slots[slot].value != Self.empty {
            if slots[slot].holds(key) {
                slots[slot].value = Self.removed
                return
            }
            slot = (slot &+ 1) & mask
        }
    }

    private mutating func grow() {
        let old = slots
        // Where most keys were removed there is room enough once they are forgotten.
        let live = old.reduce(0) { $0 + ($1.value < Self.removed ? 1 : 0) }
        slots = Self.emptySlots(live * 2 > old.count ? old.count * 2 : old.count)
        used = 0
        for entry in old where entry.value != Self.empty && entry.value != Self.removed {
            var slot = start(entry.low)
            while slots[slot].value != Self.empty { slot = (slot &+ 1) & mask }
            slots[slot] = entry
            used += 1
        }
    }
}
