import Bytes
import RemoteWrite
import Samples
import TestKit
import Testing

/// Which series the active segment knows, and which label sets are one series.
@Suite("Series by the hash of their labels")
struct KnownSeriesTests {
    private static func key(_ number: Int) -> Hash128 {
        var mixed = UInt64(number) &* 0x9E37_79B9_7F4A_7C15
        mixed ^= mixed >> 29
        return Hash128(low: mixed &* 0xBF58_476D_1CE4_E5B9, high: mixed &* 0x94D0_49BB_1331_11EB)
    }

    private static let header = BatchHeader(
        fingerprint: Hash128(low: 1, high: 2), receivedAt: 3, source: .v1,
        answer: BatchAnswer(status: 204, written: WrittenCounts(), rejectedSamples: 0, filteredSamples: 0, text: ""))

    @Test("in any order, over batches that are kept or given up, and over segments", arguments: 0..<20)
    func model(seed: Int) {
        var random = SeededGenerator(seed: UInt64(seed))
        var encoder = BatchEncoder()
        var known: [Int: BatchEncoder.Entry] = [:]
        for _ in 0..<60 {
            encoder.startBatch()
            var found = known
            var number = Int.random(in: 0..<400, using: &random)
            for _ in 0..<Int.random(in: 0..<200, using: &random) {
                // Mostly in order, as senders have it.
                number = Int.random(in: 0..<10, using: &random) == 0 ? .random(in: 0..<400, using: &random) : number + 1
                let entry = encoder.find(Self.key(number))
                #expect(entry == found[number])
                guard entry == nil else { continue }
                let streams: Streams = number % 7 == 0 ? [] : .cost
                found[number] = encoder.define(Self.key(number), streams: streams, labels: [])
            }
            switch Int.random(in: 0..<8, using: &random) {
            case 0:
                encoder.startSegment()
                known = [:]
            case 1: break  // given up: the next batch begins without its series
            default:
                _ = encoder.encode(Self.header)
                known = found
            }
        }
    }

    @Test("the same labels by other symbols are one series; other labels, or another order, are another")
    func symbols() throws {
        let decoding = Decoding()
        let texts = ["", "__name__", "up", "a", "b", "c"]
        let sets: [[UInt64]] = [
            [1, 2], [1, 2, 3, 4], [1, 2, 3, 5], [1, 2, 4, 3], [1, 2, 3, 4, 5, 5], [1, 3, 3, 2], [1, 4, 3, 2],
        ]
        let sample = [RequestBuilder.sample(0, 1)]
        let body = RequestBuilder.symbols(texts) + sets.flatMap { RequestBuilder.seriesV2($0, sample) }
        #expect(try decoding.decode(body, .v2).written.samples == sets.count)
        #expect(try decoding.batch(.v2).series.count == sets.count)

        // The other way round, behind 300 symbols that nothing names: references of two bytes.
        let shifted = [""] + (0..<300).map { "unused-\($0)" } + texts.dropFirst().reversed()
        let moved = { (reference: UInt64) in UInt64(shifted.count) - reference }
        let again =
            RequestBuilder.symbols(shifted)
            + sets.flatMap { RequestBuilder.seriesV2($0.map(moved), sample) }
        #expect(try decoding.decode(again, .v2).written.samples == sets.count)
        let batch = try decoding.batch(.v2)
        #expect(batch.series.isEmpty)
        #expect(batch.references == (0..<sets.count).map { UInt32($0) })
    }
}
