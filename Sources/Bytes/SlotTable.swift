/// Finds numbers by the hash of what they stand for: open addressing over 32-bit numbers, at most half full. The caller
/// keeps the things, numbered from 0 in the order in which they came.
public struct SlotTable: Sendable {
    @usableFromInline static var empty: UInt32 { .max }

    /// For the caller's hashes: random, so that no sender can choose things that collide. Numbers do not depend on it.
    public let seed: UInt64
    @usableFromInline var slots: [UInt32]
    @usableFromInline var count = 0

    public init() { self.init(slotCount: 1024, seed: .random(in: .min ... .max)) }

    @usableFromInline
    init(slotCount: Int, seed: UInt64) {
        self.seed = seed
        slots = [UInt32](repeating: Self.empty, count: slotCount)
    }

    /// The number of the thing with this hash for which `matches` holds.
    @inlinable @inline(__always)
    public func find(_ hash: UInt64, matches: (Int) -> Bool) -> Int? {
        let slots = slots.span
        var slot = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        while true {
            // SAFETY: the count is a power of two, so slot is below it.
            let number = unsafe slots[unchecked: slot]
            if number == Self.empty { return nil }
            if matches(Int(number)) { return Int(number) }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
    }

    /// Whether it must be widened before it takes another number.
    @inlinable public var isFull: Bool { count * 2 >= slots.count }

    /// Gives the next number to a thing that `find` does not know.
    @inlinable
    public mutating func add(_ hash: UInt64) {
        precondition(!isFull, "the caller widens a full table")
        var slot = Int(truncatingIfNeeded: hash) & (slots.count &- 1)
        while slots[slot] != Self.empty { slot = (slot &+ 1) & (slots.count &- 1) }
        slots[slot] = UInt32(count)
        count += 1
    }

    /// The same numbers in twice the slots.
    @inlinable
    public func widened(_ hash: (Int) -> UInt64) -> SlotTable {
        var wider = SlotTable(slotCount: slots.count * 2, seed: seed)
        for number in 0..<count { wider.add(hash(number)) }
        return wider
    }
}
