import RemoteWrite
import Samples
import Testing

/// A sender may write any encoding that protobuf's specification allows: each must be read as the usual one is.
@Suite("Unusual but legal protobuf")
struct LegalEncodingTests {
    typealias Build = RequestBuilder

    private static let name = Build.labelV1("__name__", "up")
    private static let job = Build.labelV1("job", "a")
    private static let sample = Build.field(2, Build.sample((1.5).bitPattern, 7))
    private static let usualV1 = Build.field(1, name + job + sample)
    /// Field 19: a group that holds a varint, a group, and bytes.
    private static let group: [UInt8] = [0x9B, 1, 0x08, 5, 0x0B, 0x0C, 0x12, 1, 0xFF, 0x9C, 1]

    @Test(
        "v1",
        arguments: [
            ("a label behind the values", Build.field(1, name + sample + job)),
            ("all labels behind the values", Build.field(1, sample + name + job)),
            (
                "an unknown field before and between labels",
                Build.field(1, [0x50, 1] + name + [0x5D, 0, 0, 0, 0] + job + sample)
            ),
            ("a group in the request", group + usualV1),
            ("a group in a series", Build.field(1, name + job + group + sample)),
            ("a group in a label", Build.field(1, name + Build.field(1, group + Array(job.dropFirst(2))) + sample)),
            (
                "a name that comes twice",
                Build.field(1, name + Build.field(1, Build.field(1, [0x78]) + Array(job.dropFirst(2))) + sample)
            ),
            ("a known field as another wire type", [0x08, 5] + Build.field(1, [0x10, 1] + name + job + sample)),
            (
                "a sample with a field 3",
                Build.field(1, name + job + Build.field(2, Build.sample((1.5).bitPattern, 7, start: 3)))
            ),
            ("a longer tag and length", [0x8A, 0x00, 0x80 | UInt8(usualV1.count - 2), 0x00] + usualV1.dropFirst(2)),
        ] as [(String, [UInt8])])
    func one(name: String, body: [UInt8]) throws {
        let usual = try Self.stored(Self.usualV1, .v1)
        #expect(try Self.stored(body, .v1) == usual, "\(name)")
    }

    private static let symbols = Build.symbols(["", "__name__", "up", "job", "a", "help"])
    private static let exemplar = Build.field(4, Build.field(1, [3, 4]) + [2 << 3 | 1, 0, 0, 0, 0, 0, 0, 0xF0, 0x3F])
    private static let about = Build.field(5, [1 << 3, 1, 3 << 3, 5])
    private static let usualV2 =
        symbols + Build.field(5, Build.field(1, [1, 2, 3, 4]) + sample + exemplar + about)

    @Test(
        "v2",
        arguments: [
            ("references that are not packed", [8, 1, 8, 2, 8, 3, 8, 4] + sample + exemplar + about),
            ("references in two packs", Build.field(1, [1, 2, 3]) + sample + exemplar + about + Build.field(1, [4])),
            ("packed and not", Build.field(1, [1]) + [8, 2] + Build.field(1, [3, 4]) + sample + exemplar + about),
            (
                "an exemplar's references in two packs",
                Build.field(1, [1, 2, 3, 4]) + sample
                    + Build.field(4, Build.field(1, [3]) + Array(exemplar.dropFirst(6)) + [8, 4]) + about
            ),
            (
                "metadata in two parts",
                Build.field(5, [1 << 3, 9]) + Build.field(1, [1, 2, 3, 4]) + sample + exemplar
                    + Build.field(5, [3 << 3, 5]) + Build.field(5, [1 << 3, 1])
            ),
            ("a group", Build.field(1, [1, 2, 3, 4]) + group + sample + exemplar + about),
        ] as [(String, [UInt8])])
    func two(name: String, series: [UInt8]) throws {
        let usual = try Self.stored(Self.usualV2, .v2)
        #expect(usual.suffix(2).map { $0.prefix(14) } == ["exemplar job=a", "metadata 1 up "])
        #expect(try Self.stored(Self.symbols + Build.field(5, series), .v2) == usual, "\(name)")
        #expect(try Self.stored(Build.field(5, series) + Self.symbols, .v2) == usual, "\(name), symbols last")
    }

    @Test(
        "what is no protobuf is refused",
        arguments: [
            [0x0B], [0x0B, 0x14], [0x0C], [0x03], [0x06], [0x0F], [0x80, 0x80, 0x80, 0x80, 0x10, 0],
            [UInt8](repeating: 0x0B, count: 101) + [UInt8](repeating: 0x0C, count: 101),
        ] as [[UInt8]], [WriteProtocol.v1, .v2])
    func malformed(body: [UInt8], source: WriteProtocol) {
        #expect(throws: DecodeError(reason: .malformed, offset: 0)) { _ = try Decoding().decode(body, source) }
    }

    @Test("an exemplar with an odd number of references is refused, its series is stored")
    func oddExemplar() throws {
        let exemplar = Build.field(4, Build.field(1, [3, 4, 3]))
        let body = Self.symbols + Build.field(5, Build.field(1, [1, 2]) + Self.sample + exemplar)
        let decoding = Decoding()
        let result = try decoding.decode(body, .v2)
        #expect(result.written == WrittenCounts(samples: 1))
        #expect(result.rejected == ["bad_symbols": 1])
    }

    @Test("metadata that is not UTF-8 is refused")
    func metadata() throws {
        let bad = Build.field(3, Build.field(2, Array("up".utf8)) + Build.field(4, [0xFF]))
        let decoding = Decoding()
        let result = try decoding.decode(Self.usualV1 + bad, .v1)
        #expect(result.written == WrittenCounts(samples: 1))
        #expect(result.rejected == ["invalid_utf8": 1])
    }

    /// What the log would hold of a body, in words.
    private static func stored(_ body: [UInt8], _ source: WriteProtocol) throws -> [String] {
        let decoding = Decoding()
        let result = try decoding.decode(body, source)
        let batch = try decoding.batch(source)
        func labels(_ range: Range<Int>) -> String {
            batch.labels(range).map { batch.text($0.name) + "=" + batch.text($0.value) }.joined(separator: " ")
        }
        return ["\(result.written) \(result.text)", "\(batch.timestamps) \(batch.values) \(batch.startTimestamps)"]
            + batch.series.map { "series " + labels($0.labels) }
            + batch.exemplars.map { "exemplar " + labels($0.labels) + " \($0.value)" }
            + batch.metadata.map { "metadata \($0.type) " + batch.text($0.family) + " " + batch.text($0.help) }
    }
}
