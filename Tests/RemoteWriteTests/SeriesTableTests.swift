import Bytes
import Samples
import Testing

@Suite("Series of a segment")
struct SeriesTableTests {
    private func key(_ number: UInt64) -> Hash128 {
        Hash128(low: number &* 0x9E37_79B9_7F4A_7C15, high: number &* 0xC2B2_AE3D_27D4_EB4F)
    }

    @Test("every series is found, whatever the table grew through; others are not")
    func growth() {
        var table = SeriesTable()
        for number in 0..<10_000 as Range<UInt64> {
            table.insert(key(number), number % 3 == 0 ? .filtered : .reference(UInt32(number)))
        }
        for number in 0..<10_000 as Range<UInt64> {
            #expect(table.find(key(number)) == (number % 3 == 0 ? .filtered : .reference(UInt32(number))))
        }
        for number in 10_000..<20_000 as Range<UInt64> { #expect(table.find(key(number)) == nil) }
    }

    @Test("keys that share their place are told apart")
    func collisions() {
        var table = SeriesTable()
        for number in 0..<100 as Range<UInt64> {
            table.insert(Hash128(low: 7, high: number), .reference(UInt32(number)))
            table.insert(Hash128(low: 7 + (number + 1) << 32, high: 1), .reference(UInt32(number + 100)))
        }
        for number in 0..<100 as Range<UInt64> {
            #expect(table.find(Hash128(low: 7, high: number)) == .reference(UInt32(number)))
            #expect(table.find(Hash128(low: 7 + (number + 1) << 32, high: 1)) == .reference(UInt32(number + 100)))
        }
    }

    @Test("a removed series is gone, those behind it stay, and it can come back")
    func removal() {
        var table = SeriesTable()
        for number in 0..<8 as Range<UInt64> { table.insert(Hash128(low: 7, high: number), .reference(UInt32(number))) }
        table.remove(Hash128(low: 7, high: 3))
        table.remove(Hash128(low: 7, high: 99))
        for number in 0..<8 as Range<UInt64> {
            #expect(table.find(Hash128(low: 7, high: number)) == (number == 3 ? nil : .reference(UInt32(number))))
        }
        table.insert(Hash128(low: 7, high: 3), .reference(33))
        #expect(table.find(Hash128(low: 7, high: 3)) == .reference(33))
    }

    @Test("an emptied table knows nothing and fills again")
    func emptied() {
        var table = SeriesTable()
        for count in [5000, 3, 0, 2000] as [UInt64] {
            for number in 0..<count { table.insert(key(number), .reference(UInt32(number))) }
            for number in 0..<count { #expect(table.find(key(number)) == .reference(UInt32(number))) }
            table.removeAll()
            for number in 0..<count { #expect(table.find(key(number)) == nil) }
        }
    }
}
