import Bytes
import Samples
import Testing

@Suite("Numbers by keyed hashes")
struct KeyIndexTests {
    private func key(_ number: UInt64) -> Hash128 {
        Hash128(low: number &* 0x9E37_79B9_7F4A_7C15, high: number &* 0xC2B2_AE3D_27D4_EB4F)
    }

    @Test("every key is found, whatever the index grew through; others are not")
    func growth() {
        var index = KeyIndex()
        for number in 0..<10_000 as Range<UInt64> {
            index.insert(key(number), UInt32(number))
        }
        for number in 0..<10_000 as Range<UInt64> {
            #expect(index.find(key(number)) == UInt32(number))
        }
        for number in 10_000..<20_000 as Range<UInt64> { #expect(index.find(key(number)) == nil) }
    }

    @Test("keys that share their place are told apart")
    func collisions() {
        var index = KeyIndex()
        for number in 0..<100 as Range<UInt64> {
            index.insert(Hash128(low: 7, high: number), UInt32(number))
            index.insert(Hash128(low: 7 + (number + 1) << 32, high: 1), UInt32(number + 100))
        }
        for number in 0..<100 as Range<UInt64> {
            #expect(index.find(Hash128(low: 7, high: number)) == UInt32(number))
            #expect(index.find(Hash128(low: 7 + (number + 1) << 32, high: 1)) == UInt32(number + 100))
        }
    }

    @Test("a removed key is gone, those behind it stay, and it can come back")
    func removal() {
        var index = KeyIndex()
        for number in 0..<8 as Range<UInt64> { index.insert(Hash128(low: 7, high: number), UInt32(number)) }
        index.remove(Hash128(low: 7, high: 3))
        index.remove(Hash128(low: 7, high: 99))
        for number in 0..<8 as Range<UInt64> {
            #expect(index.find(Hash128(low: 7, high: number)) == (number == 3 ? nil : UInt32(number)))
        }
        index.insert(Hash128(low: 7, high: 3), 33)
        #expect(index.find(Hash128(low: 7, high: 3)) == 33)
    }

    @Test("an index grows with the keys that it has, not with those it had")
    func churn() {
        var index = KeyIndex()
        for number in 0..<100 as Range<UInt64> { index.insert(key(number), UInt32(number)) }
        for number in 100..<100_000 as Range<UInt64> {
            index.insert(key(number), UInt32(number))
            index.remove(key(number))
        }
        for number in 0..<100 as Range<UInt64> { #expect(index.find(key(number)) == UInt32(number)) }
        #expect(index.capacity == KeyIndex().capacity)
    }

    @Test("an emptied index knows nothing and fills again")
    func emptied() {
        var index = KeyIndex()
        for count in [5000, 3, 0, 2000] as [UInt64] {
            for number in 0..<count { index.insert(key(number), UInt32(number)) }
            for number in 0..<count { #expect(index.find(key(number)) == UInt32(number)) }
            index.removeAll()
            for number in 0..<count { #expect(index.find(key(number)) == nil) }
        }
    }
}
