import Compactor
import Parquet
import Testing

@Suite("Values and labels as the original writes them")
struct TextTests {
    @Test(
        "the shortest decimal without an exponent",
        arguments: [
            (0.1, "0.1"), (1e21, "1000000000000000000000"), (1.5e-7, "0.00000015"), (-0.0, "-0"), (0, "0"), (3, "3"),
            (-42, "-42"), (123.456, "123.456"), (1e15, "1000000000000000"), (9_007_199_254_740_992, "9007199254740992"),
            (-2.5e20, "-250000000000000000000"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
            (123_456_789.125, "123456789.125"), (1.0000000000000002, "1.0000000000000002"), (-1e-3, "-0.001"),
            (1e16, "10000000000000000"), (1.2345678901234567e19, "12345678901234567000"),
        ] as [(Double, String)])
    func decimal(value: Double, text: String) {
        var out: [UInt8] = []
        DecimalText.append(value.bitPattern, to: &out)
        #expect(String(decoding: out, as: UTF8.self) == text)
    }

    @Test("every finite double reads back to its bits", arguments: 0..<2000)
    func roundTrip(seed: UInt64) {
        var bits = seed &* 0x9E37_79B9_7F4A_7C15
        bits ^= bits >> 29
        let value = Double(bitPattern: bits)
        guard value.isFinite else { return }
        var out: [UInt8] = []
        DecimalText.append(bits, to: &out)
        let text = String(decoding: out, as: UTF8.self)
        #expect(Double(text)?.bitPattern == bits, "\(text)")
        #expect(!text.contains("e"))
    }

    @Test("a column has a text for each double that differs, and one for every NaN")
    func column() throws {
        let nan = Double.nan.bitPattern
        let value = (1.5).bitPattern
        let bits: [UInt64] = [value, nan, nan + 1, 0, 1 << 63, value, nan | 1 << 63]
        let column = try DecimalText.column(bits.map { Int64(bitPattern: $0) })
        guard case .dictionary(let entries, let indexes) = column else {
            Issue.record("not interned")
            return
        }
        #expect((0..<entries.count).map { entries.string($0) } == ["1.5", "NaN", "0", "-0"].map { [UInt8]($0.utf8) })
        #expect(indexes == [0, 1, 1, 2, 3, 0, 1])
    }

    @Test("the extremes have the lengths the original's have")
    func extremes() {
        var out: [UInt8] = []
        DecimalText.append(Double.greatestFiniteMagnitude.bitPattern, to: &out)
        #expect(out.count == 309)
        out = []
        DecimalText.append(Double.leastNonzeroMagnitude.bitPattern, to: &out)
        #expect(out.count == 326)
    }

    @Test(
        "escapes as Go makes them",
        arguments: [
            ("plain", #"plain""#), (#"a"b\c"#, #"a\"b\\c""#), ("<&>", #"\u003c\u0026\u003e""#),
            ("\u{8}\u{C}\n\r\t", #"\b\f\n\r\t""#),
            ("\u{1}\u{1F}", #"\u0001\u001f""#), ("a/b\u{7F}", "a/b\u{7F}\""),
            ("\u{2028}\u{2029}\u{2027}", "\\u2028\\u2029\u{2027}\""), ("é€😀", "é€😀\""),
        ])
    func escapes(text: String, json: String) {
        var out: [UInt8] = []
        LabelsJSON.appendString(Array(text.utf8)[...], to: &out)
        #expect(String(decoding: out, as: UTF8.self) == json)
    }
}
