import Bytes
import CAllocations
import RemoteWrite
import Samples
import Testing

/// The hot path allocates nothing a label, a series or a sample.
@Suite("Allocations of a request")
struct AllocationTests {
    private static let seriesCount = 2000

    /// Labels of series `index`; `batch` makes others.
    private static func labels(_ batch: String, _ index: Int) -> [String] {
        var labels = ["__name__", "container_memory_working_set_bytes"]
        for label in 0..<11 { labels += ["label_\(10 + label)", "value-\(batch)-\(index / (label + 1))"] }
        return labels
    }

    private static func bodyV1(_ batch: String) -> [UInt8] {
        (0..<seriesCount).flatMap {
            RequestBuilder.seriesV1(labels(batch, $0), [RequestBuilder.sample(UInt64($0), 1_700_000_000_000)])
        }
    }

    private static func bodyV2(_ batch: String) -> [UInt8] {
        var numbers: [String: UInt64] = ["": 0]
        var texts = [""]
        var series: [UInt8] = []
        for index in 0..<seriesCount {
            let references = labels(batch, index).map { text in
                if let number = numbers[text] { return number }
                numbers[text] = UInt64(texts.count)
                texts.append(text)
                return UInt64(texts.count - 1)
            }
            series += RequestBuilder.seriesV2(references, [RequestBuilder.sample(UInt64(index), 1_700_000_000_000)])
        }
        return RequestBuilder.symbols(texts) + series
    }

    /// Allocations of decoding `body` and of encoding its record.
    private func cost(_ body: [UInt8], _ source: WriteProtocol, _ decoding: Decoding) throws -> (Int, Int) {
        let header = BatchHeader(
            fingerprint: Hash128(low: 1, high: 2), receivedAt: 3, source: source,
            answer: BatchAnswer(
                status: 204, written: WrittenCounts(), rejectedSamples: 0, filteredSamples: 0, text: ""))
        let start = callocations_count()
        let result = try decoding.decode(body, source)
        let decoded = callocations_count()
        _ = decoding.encoder.encode(header)
        let encoded = callocations_count()
        #expect(result.written.samples == Self.seriesCount)
        return (Int(decoded - start), Int(encoded - decoded))
    }

    @Test("none while decoding known series, a few for the record", arguments: [WriteProtocol.v1, .v2])
    func knownSeries(_ source: WriteProtocol) throws {
        let body = source == .v1 ? Self.bodyV1("a") : Self.bodyV2("a")
        let decoding = Decoding()
        _ = try cost(body, source, decoding)
        let (decoded, encoded) = try cost(body, source, decoding)
        #expect(decoded == 0)
        #expect(encoded <= 8)
    }

    @Test("new series cost the growth of the segment's tables, nothing each", arguments: [WriteProtocol.v1, .v2])
    func newSeries(_ source: WriteProtocol) throws {
        let decoding = Decoding()
        _ = try cost(source == .v1 ? Self.bodyV1("a") : Self.bodyV2("a"), source, decoding)
        let other = source == .v1 ? Self.bodyV1("b") : Self.bodyV2("b")
        let (decoded, encoded) = try cost(other, source, decoding)
        // Each array of the tables doubles at most once.
        #expect(decoded <= 16)
        #expect(encoded <= 8)
    }
}
