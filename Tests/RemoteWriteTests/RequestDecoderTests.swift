import Bytes
import RemoteWrite
import Samples
import Testing

@Suite("Write requests to record payloads and back")
struct RequestDecoderTests {
    typealias Build = RequestBuilder
    static let stale: UInt64 = 0x7FF0_0000_0000_0002

    @Test(
        "every value comes back bit-exact",
        arguments: [
            stale, 0x7FF8_0000_0000_0001, 0xFFF8_0000_0000_0000, 0x8000_0000_0000_0000, 0, 1, 0x000F_FFFF_FFFF_FFFF,
            0x7FF0_0000_0000_0000, 0xFFF0_0000_0000_0000, (3.0).bitPattern, (-3.0).bitPattern, (0.1).bitPattern,
            (9_007_199_254_740_991.0).bitPattern, (9_007_199_254_740_992.0).bitPattern, (1e300).bitPattern,
        ] as [UInt64], [WriteProtocol.v1, .v2])
    func values(bits: UInt64, source: WriteProtocol) throws {
        let decoding = Decoding()
        let samples = [Build.sample(bits, -5), Build.sample(bits, 1_782_918_000_123)]
        let body =
            source == .v1
            ? Build.seriesV1(["__name__", "up"], samples)
            : Build.symbols(["", "__name__", "up"]) + Build.seriesV2([1, 2], samples)
        let result = try decoding.decode(body, source)
        #expect(result.written == WrittenCounts(samples: 2))
        let batch = try decoding.batch(source)
        #expect(batch.values == [bits, bits])
        #expect(batch.timestamps == [-5, 1_782_918_000_123])
        #expect(batch.series.count == 1)
        #expect(batch.labels.map { batch.text($0.name) + "=" + batch.text($0.value) } == ["__name__=up"])
    }

    @Test("a series is defined once a segment, and again after a rotation")
    func interning() throws {
        let decoding = Decoding()
        let body = Build.seriesV1(["__name__", "up", "a", "b"], [Build.sample(0, 1)])
        _ = try decoding.decode(body + body, .v1)
        let first = try decoding.batch(.v1)
        #expect(first.series.count == 1)
        #expect(first.references == [0, 0])
        _ = try decoding.decode(body, .v1)
        let second = try decoding.batch(.v1)
        #expect(second.series.isEmpty)
        #expect(second.references == [0])
        decoding.encoder.startSegment()
        _ = try decoding.decode(body, .v1)
        #expect(try decoding.batch(.v1).series.count == 1)
    }

    @Test("a request that fails half-way leaves no series behind")
    func rollback() throws {
        let decoding = Decoding()
        let good = Build.seriesV1(["__name__", "up"], [Build.sample(0, 1)])
        #expect(throws: DecodeError(reason: .malformed, offset: good.count)) {
            _ = try decoding.decode(good + [0x0A, 0x7F, 0x01], .v1)
        }
        _ = try decoding.decode(Build.seriesV1(["__name__", "other"], [Build.sample(0, 1)]) + good, .v1)
        let batch = try decoding.batch(.v1)
        #expect(batch.series.map(\.reference) == [0, 1])
        #expect(batch.text(batch.labels[0].value) == "other")
    }

    @Test(
        "bad label sets of v1 are refused one by one, the others are stored",
        arguments: [
            (["a", "b"], Rejection.noName), ([], .noLabels), (["__name__", "x", "", "b"], .emptyLabelName),
            (["b", "1", "__name__", "x"], .unsortedLabels(name: "__name__")),
            (["__name__", "x", "a", "1", "a", "2"], .duplicateLabel(name: "a")),
            (["__name__", ""], .noName),
            (
                ["__name__", "x", "a", String(repeating: "v", count: 33)],
                .labelValueTooLong(name: "a", bytes: 33, limit: 32)
            ),
            (["__name__", "x", String(repeating: "n", count: 17), "v"], .labelNameTooLong(bytes: 17, limit: 16)),
            (["__name__", "x", "a", "1", "b", "2", "c", "3"], .tooManyLabels(limit: 3)),
        ] as [([String], Rejection)])
    func badLabels(labels: [String], rejection: Rejection) throws {
        let limits = DecodeLimits(
            labelsPerSeries: 3, labelNameBytes: 16, labelValueBytes: 32, expandedLabelBytes: 1000, valuesPerRequest: 100
        )
        let decoding = Decoding(limits: limits)
        let body =
            Build.seriesV1(labels, [Build.sample(0, 1), Build.sample(0, 2)])
            + Build.seriesV1(["__name__", "good"], [Build.sample(0, 1)])
        let result = try decoding.decode(body, .v1)
        #expect(result.written.samples == 1)
        #expect(result.rejected == [rejection.metricReason: 2])
        #expect(result.text.contains(rejection.text))
        #expect(try decoding.batch(.v1).references.count == 1)
    }

    @Test("bytes that are not UTF-8 are refused")
    func invalidUTF8() throws {
        let decoding = Decoding()
        let label = Build.field(1, Build.field(1, Array("__name__".utf8)) + Build.field(2, [0xC3, 0x28]))
        let result = try decoding.decode(Build.field(1, label + Build.field(2, Build.sample(0, 1))), .v1)
        #expect(result.rejected == ["invalid_utf8": 1])
    }

    @Test(
        "bad series of v2 are refused one by one",
        arguments: [
            (Build.seriesV2([1, 2, 1], [Build.sample(0, 1)]), "bad_symbols"),
            (Build.seriesV2([1, 9], [Build.sample(0, 1)]), "bad_symbols"),
            (Build.seriesV2([1, UInt64.max], [Build.sample(0, 1)]), "bad_symbols"),
            (Build.seriesV2([1, 2], []), "bad_series"),
            (Build.seriesV2([1, 2], [Build.sample(0, 1)], rest: Build.field(3, [15 << 3, 1])), "bad_series"),
            (Build.seriesV2([1, 2], [Build.sample(0, .max)]), "timestamp"),
        ] as [([UInt8], String)])
    func badV2(series: [UInt8], reason: String) throws {
        let decoding = Decoding()
        let body = Build.symbols(["", "__name__", "up"]) + series + Build.seriesV2([1, 2], [Build.sample(0, 7)])
        let result = try decoding.decode(body, .v2)
        #expect(result.rejected.keys.map { $0 } == [reason])
        #expect(result.written.samples == 1)
        #expect(try decoding.batch(.v2).timestamps == [7])
    }

    @Test("v2 needs the empty first symbol, and a limit on what its symbols expand to")
    func wholeV2() throws {
        let series = Build.seriesV2([0, 1], [Build.sample(0, 1)])
        #expect(throws: DecodeError(reason: .firstSymbol, offset: 0)) {
            _ = try Decoding().decode(Build.symbols(["__name__", "up"]) + series, .v2)
        }
        let limits = DecodeLimits(
            labelsPerSeries: 10, labelNameBytes: 100, labelValueBytes: 1000, expandedLabelBytes: 1500,
            valuesPerRequest: 100)
        let long = String(repeating: "x", count: 900)
        let bomb =
            Build.symbols(["", "__name__", long, "b", "c"]) + Build.seriesV2([1, 2], [Build.sample(0, 1)])
            + Build.seriesV2([1, 2, 3, 4], [Build.sample(0, 1)])
        #expect(throws: DecodeError.self) { _ = try Decoding(limits: limits).decode(bomb, .v2) }
    }

    @Test("a request of more values than its limit is refused whole", arguments: [WriteProtocol.v1, .v2])
    func tooManyValues(source: WriteProtocol) throws {
        var limits = DecodeLimits.standard
        limits.valuesPerRequest = 1000
        for values in [1000, 1001] {
            let samples = (0..<values).map { Build.sample(0, Int64($0)) }
            let body =
                source == .v1
                ? Build.seriesV1(["__name__", "up"], samples)
                : Build.symbols(["", "__name__", "up"]) + Build.seriesV2([1, 2], samples)
            let decoding = Decoding(limits: limits)
            guard values > limits.valuesPerRequest else {
                #expect(try decoding.decode(body, source).written.samples == values)
                continue
            }
            let error = try #require(throws: DecodeError.self) { _ = try decoding.decode(body, source) }
            #expect(error.reason == .tooManyValues(limit: 1000))
        }
    }

    @Test("histograms, exemplars, metadata and start timestamps are kept whole")
    func others() throws {
        let decoding = Decoding()
        let histogram: [UInt8] = [1 << 3, 5, 6 << 3, 5, 15 << 3, 100]
        let exemplar = Build.field(1, Build.packed([3, 4])) + [2 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F, 3 << 3, 9]
        let metadata: [UInt8] = [1 << 3, 1, 3 << 3, 5, 4 << 3, 6]
        let body =
            Build.symbols(["", "__name__", "h", "trace_id", "abc", "help!", "seconds"])
            + Build.field(
                5,
                Build.field(1, Build.packed([1, 2])) + Build.field(3, histogram) + Build.field(4, exemplar)
                    + Build.field(5, metadata))
            + Build.seriesV2([1, 4], [Build.sample(1, 10, start: 4)])
        let result = try decoding.decode(body, .v2)
        #expect(result.written == WrittenCounts(samples: 1, histograms: 1, exemplars: 1, metadata: 1))
        let batch = try decoding.batch(.v2)
        #expect(Array(batch.bytes[batch.histograms[0].message.range]) == histogram)
        #expect(batch.histograms[0].timestamp == 100)
        #expect(batch.exemplars[0].value == (1.0).bitPattern)
        #expect(batch.labels(batch.exemplars[0].labels).map { batch.text($0.value) } == ["abc"])
        #expect(batch.metadata.map { batch.text($0.help) + batch.text($0.unit) } == ["help!seconds"])
        #expect(batch.startTimestamps == [4])
        let cloudzero = Decoding(keepsOthers: false)
        #expect(try cloudzero.decode(body, .v2).written.histograms == 1, "accepted, and dropped on purpose")
        #expect(try cloudzero.batch(.v2).histograms.isEmpty)
    }

    @Test("later values are refused by the time they are given")
    func future() throws {
        let decoding = Decoding()
        decoding.decoder.futureTolerance = .seconds(1)
        decoding.decoder.latestTimestamp = 1000
        let samples = [Build.sample(0, 1000), Build.sample(0, 1001), Build.sample(0, .max)]
        let result = try decoding.decode(Build.seriesV1(["__name__", "up"], samples), .v1)
        #expect(result.written.samples == 1)
        #expect(result.rejected == ["future": 1, "timestamp": 1])
        let lines = result.text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.allSatisfy { $0.hasPrefix("series {__name__=\"up\"}: timestamp ") })
    }

    @Test("rows are counted by stream")
    func streams() throws {
        let decoding = Decoding()
        decoding.decoder = RequestDecoder(limits: .standard, seed: 1, keepsOthers: true) { labels in
            labels.byteCount % 2 == 0 ? .cost : [.cost, .observability]
        }
        func encoded(_ names: [String]) throws -> EncodedBatch {
            let body = names.flatMap { Build.seriesV1(["__name__", $0], [Build.sample(0, 1), Build.sample(0, 2)]) }
            _ = try decoding.decode(body, .v1)
            let answer = BatchAnswer(
                status: 204, written: WrittenCounts(), rejectedSamples: 0, filteredSamples: 0, text: "")
            return decoding.encoder.encode(
                BatchHeader(fingerprint: Hash128(low: 0, high: 0), receivedAt: 0, source: .v1, answer: answer))
        }
        let one = try encoded(["a"]).streamRows
        let two = try encoded(["a", "bb"]).streamRows
        let three = try encoded(["bb", "a", "ccc"]).streamRows
        #expect([one.cost, two.cost, three.cost] == [2, 4, 6])
        #expect(Set([one.observability, two.observability - one.observability]) == [0, 2])
        #expect(three.observability == (one.observability == 2 ? 4 : 2))
    }

    @Test("what no filter wants counts as written and is not stored")
    func filtered() throws {
        let decoding = Decoding(streams: [])
        let result = try decoding.decode(Build.seriesV1(["__name__", "up"], [Build.sample(0, 1)]), .v1)
        #expect(result.written.samples == 1)
        #expect(result.filteredSamples == 1)
        #expect(decoding.encoder.sampleCount == 0)
    }

    @Test("truncated and mutated bodies never trap", arguments: [WriteProtocol.v1, .v2])
    func hostile(source: WriteProtocol) throws {
        let v1 = Build.seriesV1(["__name__", "up", "a", "b"], [Build.sample(Self.stale, 1), Build.sample(1, 2)])
        let v2 = Build.symbols(["", "__name__", "up"]) + Build.seriesV2([1, 2], [Build.sample(1, 1)])
        var histogram: [UInt8] = [1 << 3, 5, 4 << 3, 6, 15 << 3, 9]
        histogram += Build.field(8, [1 << 3, 3, 2 << 3, 1]) + Build.field(9, [2])
        histogram += Build.field(11, [2 << 3, 2]) + Build.field(12, [2, 4])
        let customs = Build.field(16, [0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
        let rest = Build.field(source == .v1 ? 4 : 3, histogram) + Build.field(source == .v1 ? 4 : 3, customs)
        let others =
            source == .v1
            ? Build.field(1, Build.labelV1("__name__", "h") + rest)
            : Build.field(5, Build.field(1, Build.packed([1, 2])) + rest)
        let good = (source == .v1 ? v1 + v1 : v2) + others
        var state: UInt64 = 7
        for round in 0..<20_000 {
            var body = good
            for _ in 0...(round % 4) {
                state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
                let at = Int(state >> 33) % body.count
                body[at] = UInt8(truncatingIfNeeded: state >> 20)
                if state & 0x1000 != 0 { body.removeLast(at % 3) }
            }
            let decoding = Decoding()
            guard let result = try? decoding.decode(body, source) else { continue }
            let batch = try decoding.batch(source)
            #expect(batch.references.count == result.written.samples - result.filteredSamples)
        }
    }
}
