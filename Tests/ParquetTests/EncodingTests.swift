import Bytes
import Parquet
import Snappy
import Testing

/// Encodings by themselves: worked vectors, then every length and phase around the group and block sizes.
struct EncodingTests {
    private static func hybrid(_ values: [UInt32], width: Int) -> [UInt8] {
        var output: [UInt8] = []
        HybridRLE.encode(values.span, width: width, into: &output)
        return output
    }

    @Test func hybridVectors() {
        #expect(Self.hybrid([], width: 3) == [])
        // One entry: width 0, and still a run header.
        #expect(Self.hybrid([0, 0, 0], width: 0) == [0x06])
        // Eight values of three bits: 0…7 pack to 88 c6 fa.
        #expect(Self.hybrid([0, 1, 2, 3, 4, 5, 6, 7], width: 3) == [0x03, 0x88, 0xC6, 0xFA])
        // Nine equal values are a run of two value bytes at 9 bits.
        #expect(Self.hybrid([UInt32](repeating: 257, count: 9), width: 9) == [0x12, 0x01, 0x01])
        // A last group of three is padded to its full three bytes.
        #expect(Self.hybrid([1, 2, 3], width: 3) == [0x03, 0xD1, 0x00, 0x00])
        // Two ones before a run of twelve zeros: it lends six of them to the group, and is left with six.
        #expect(Self.hybrid([1, 1] + [UInt32](repeating: 0, count: 12), width: 1) == [0x05, 0x03, 0x00])
        // A run of sixteen lends six and keeps ten, which is enough.
        #expect(Self.hybrid([1, 1] + [UInt32](repeating: 0, count: 16), width: 1) == [0x03, 0x03, 0x14, 0x00])
    }

    @Test(arguments: 0...20) func hybridRoundTrip(width: Int) throws {
        var random = SeededGenerator(seed: UInt64(width))
        let limit = width == 0 ? 1 : min(1 << width, 1 << 20)
        for count in [0, 1, 7, 8, 9, 15, 16, 17, 63, 64, 65, 1000] {
            for runLength in [1, 7, 8, 9, 30] {
                var values: [UInt32] = []
                while values.count < count {
                    let value = UInt32(random.upTo(limit - 1))
                    values += [UInt32](repeating: value, count: min(1 + random.upTo(runLength), count - values.count))
                }
                let encoded = Self.hybrid(values, width: width)
                var decoded: [UInt32] = []
                try HybridRLE.decode(encoded.span.bytes, width: width, count: count, below: limit, into: &decoded)
                #expect(decoded == values, "width \(width), \(count) values in runs of \(runLength)")
            }
        }
    }

    /// Shared lengths, the lengths of the rests, the rests.
    private static func prefixed(_ shared: [Int64], _ rests: [String]) throws -> ByteTable {
        var encoded: [UInt8] = []
        for numbers in [shared, rests.map { Int64($0.utf8.count) }] {
            let isPacked = DeltaBinaryPacked.encode(numbers.span, into: &encoded)
            #expect(isPacked)
        }
        encoded += rests.joined().utf8
        var table = ByteTable()
        try table.append(deltaPrefix: encoded.span.bytes, count: shared.count)
        return table
    }

    /// The example of parquet-format's Encodings.md, and what a page may not say.
    @Test func stringsThatShareTheirBeginnings() throws {
        let table = try Self.prefixed([0, 2, 0, 3], ["axis", "le", "babble", "yhood"])
        #expect(try table == ByteTable(["axis", "axle", "babble", "babyhood"].map { [UInt8]($0.utf8) }))
        for shared in [[1, 0], [0, -1], [0, 3], [.min, 0], [0, .max]] as [[Int64]] {
            #expect(throws: ParquetError.self, "\(shared)") { try Self.prefixed(shared, ["ab", "c"]) }
        }
        let long = String(repeating: "x", count: 1 << 20)
        let all = [0] + [Int64](repeating: 1 << 20, count: 256)
        #expect(throws: ParquetError.self) {
            try Self.prefixed(all, [long] + [String](repeating: "", count: 256))
        }
    }

    @Test func hybridRejects() {
        let bad: [(String, [UInt8], Int)] = [
            ("empty", [], 1), ("run of 0", [0x00, 0x01], 1), ("run past the end", [0x04, 0x01], 1),
            ("groups past the end", [0x05, 0x00, 0x00], 8), ("cut group", [0x03, 0x00], 8),
            ("bytes after", [0x02, 0x01, 0x00], 1), ("index too large", [0x02, 0x09], 1),
            ("endless header", [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF], 1),
        ]
        for (name, bytes, count) in bad {
            var output: [UInt32] = []
            #expect(throws: ParquetError.self, "\(name)") {
                try HybridRLE.decode(bytes.span.bytes, width: 4, count: count, below: 5, into: &output)
            }
        }
        var output: [UInt32] = []
        #expect(throws: ParquetError.self) {
            try HybridRLE.decode([UInt8]([2, 0]).span.bytes, width: 255, count: 1, below: 5, into: &output)
        }
    }

    @Test func deltaVectors() {
        func encode(_ values: [Int64]) -> [UInt8]? {
            var output: [UInt8] = []
            return DeltaBinaryPacked.encode(values.span, into: &output) ? output : nil
        }
        #expect(encode([]) == [0x80, 0x01, 0x04, 0x00, 0x00])
        #expect(encode([-1]) == [0x80, 0x01, 0x04, 0x01, 0x01])
        #expect(encode([1000, 2000, 3000]) == bytes(hex: "800104 03 d00f d00f 00000000"))
        // Deltas 1, 3: smallest 1, then 0 and 2 in two bits, padded to 32 values.
        #expect(encode([5, 6, 9]) == bytes(hex: "800104 03 0a 02 02000000 0800000000000000"))
        // Wider than 56 bits: PLAIN is written instead.
        #expect(encode([0, .max, .min, 0]) == nil)
    }

    @Test(arguments: [0, 1, 2, 32, 33, 34, 128, 129, 130, 256, 257, 1000]) func deltaRoundTrip(count: Int) throws {
        var random = SeededGenerator(seed: UInt64(count))
        for bits in [0, 1, 7, 8, 20, 33, 55] {
            let limit = Int64(1) << Int64(bits)
            let bases: [Int64] = [0, 1_782_918_000_000, .min, .max - limit]
            for base in bases {
                let values = (0..<count).map { _ in base &+ Int64.random(in: 0..<limit, using: &random) }
                var encoded: [UInt8] = []
                try #require(DeltaBinaryPacked.encode(values.span, into: &encoded))
                var decoded: [Int64] = []
                try DeltaBinaryPacked.decode(encoded.span.bytes, count: count, into: &decoded)
                #expect(decoded == values, "\(count) values of \(bits) bits from \(base)")
            }
        }
    }

    /// A block of 64-bit miniblocks, as another writer may make: the reader takes what our writer avoids.
    @Test func deltaOfSixtyFourBits() throws {
        var encoded = ByteWriter()
        for value in [128, 4, 3] as [UInt64] { encoded.varint(value) }
        encoded.zigzag(7)
        encoded.zigzag(.min)
        encoded.raw([64, 0, 0, 0])
        encoded.u64(.max)
        encoded.u64(0)
        encoded.zeros(30 * 8)
        var decoded: [Int64] = []
        try DeltaBinaryPacked.decode(encoded.bytes.span.bytes, count: 3, into: &decoded)
        let second = Int64(7) &+ .min &+ -1
        #expect(decoded == [7, second, second &+ .min])
    }

    @Test func deltaRejects() {
        let bad = [
            "", "8001", "80010403", "800104 03 d00f d00f 000000", "800104 02 d00f d00f 00000000 00", "800108 03 d00f",
        ]
        for hex in bad {
            let block = bytes(hex: hex)
            var output: [Int64] = []
            #expect(throws: ParquetError.self, "\(hex)") {
                try DeltaBinaryPacked.decode(block.span.bytes, count: 3, into: &output)
            }
        }
    }

    /// Check values of the CRC catalogue, and every length around the eight-byte steps against a bit by bit form.
    @Test func checksum() {
        #expect(CRC32.of([UInt8]("123456789".utf8).span.bytes) == 0xCBF4_3926)
        var random = SeededGenerator(seed: 1)
        for count in 0..<40 {
            let data = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
            var slow = ~UInt32(0)
            for byte in data {
                slow ^= UInt32(byte)
                for _ in 0..<8 { slow = slow & 1 == 1 ? slow >> 1 ^ 0xEDB8_8320 : slow >> 1 }
            }
            #expect(CRC32.of(data.span.bytes) == ~slow, "\(count) bytes")
        }
    }
}

/// Bounds of strings in statistics.
struct BoundsTests {
    private static func utf8(_ text: String) -> [UInt8] { [UInt8](text.utf8) }

    @Test func shortStringsAreKept() {
        #expect(Bounds.lower([], 64) == [])
        #expect(Bounds.upper([], 64) == [])
        let full = Self.utf8(String(repeating: "z", count: 64))
        #expect(Bounds.lower(full, 64) == full)
        #expect(Bounds.upper(full, 64) == full)
    }

    @Test func cutsAtCharacters() {
        // Sixteen emoji of four bytes fit; the seventeenth is not cut in two.
        let emoji = String(repeating: "😀", count: 40)
        #expect(Bounds.lower(Self.utf8(emoji), 64) == Self.utf8(String(repeating: "😀", count: 16)))
        #expect(Bounds.lower(Self.utf8("a" + emoji), 64) == Self.utf8("a" + String(repeating: "😀", count: 15)))
        #expect(Bounds.upper(Self.utf8("a" + emoji), 64) == Self.utf8("a" + String(repeating: "😀", count: 14) + "😁"))
    }

    @Test func raisesTheLastCharacter() {
        #expect(Bounds.upper(Self.utf8("abcdef"), 3) == Self.utf8("abd"))
        // 0x7f becomes U+0080, which takes two bytes: too long, so the one before is raised.
        #expect(Bounds.upper(Self.utf8("a\u{7F}\u{7F}\u{7F}"), 3) == Self.utf8("a\u{80}"))
        #expect(
            Bounds.upper(Self.utf8(String(repeating: "\u{7F}", count: 100)), 64)
                == Self.utf8(String(repeating: "\u{7F}", count: 62) + "\u{80}"))
        // Surrogates are no characters.
        #expect(Bounds.upper(Self.utf8("\u{D7FF}\u{D7FF}"), 3) == Self.utf8("\u{E000}"))
        #expect(Bounds.upper(Self.utf8("a\u{10FFFF}\u{10FFFF}"), 5) == Self.utf8("b"))
    }

    @Test func thereMayBeNone() {
        #expect(Bounds.upper(Self.utf8(String(repeating: "\u{10FFFF}", count: 40)), 64) == nil)
        #expect(Bounds.upper([UInt8](repeating: 0xFF, count: 100), 64) == nil)
        #expect(Bounds.upper([0x61, 0xFF, 0xFF, 0xFF], 3) == [0x62])
    }

    @Test func boundsHoldForRandomText() {
        var random = SeededGenerator(seed: 8)
        for _ in 0..<2000 {
            let value = random.text(30)
            let limit = 1 + random.upTo(12)
            let lower = Bounds.lower(value, limit)
            #expect(lower.count <= limit && !value.lexicographicallyPrecedes(lower))
            if let upper = Bounds.upper(value, limit) {
                #expect(upper.count <= limit && !upper.lexicographicallyPrecedes(value))
                #expect(String(validating: upper, as: UTF8.self) != nil)
            }
        }
    }
}

/// The encoder with a window over the whole page; libsnappy decodes.
struct WholeWindowTests {
    private static func check(_ data: [UInt8], _ what: String) throws -> Int {
        var block: [UInt8] = []
        Snappy.compressWholeWindow(data.span.bytes, into: &block)
        var back: [UInt8] = []
        try Snappy.decompress(block.span.bytes, limit: data.count, into: &back)
        #expect(back == data, "\(what)")
        #expect(block.count <= data.count + data.count / 6 + 32, "\(what)")
        return block.count
    }

    @Test func everySmallLength() throws {
        var random = SeededGenerator(seed: 3)
        for count in 0...300 {
            _ = try Self.check((0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }, "random \(count)")
            _ = try Self.check((0..<count).map { _ in UInt8.random(in: 0...2, using: &random) }, "ternary \(count)")
            _ = try Self.check([UInt8](repeating: 7, count: count), "one letter \(count)")
        }
    }

    @Test func manyShapes() throws {
        var random = SeededGenerator(seed: 4)
        for round in 0..<60 {
            var data: [UInt8] = []
            let size = random.upTo(70_000)
            while data.count < size {
                if data.count > 8, random.chance(60) {
                    let start = random.upTo(data.count - 1)
                    data += data[start..<min(data.count, start + 1 + random.upTo(200))]
                } else {
                    for _ in 0...random.upTo(90) { data.append(UInt8.random(in: 0...255, using: &random)) }
                }
            }
            _ = try Self.check(data, "round \(round)")
        }
    }

    @Test func randomBytesHardlyGrow() throws {
        var random = SeededGenerator(seed: 5)
        let data = (0..<200_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        #expect(try Self.check(data, "random") < data.count + 200)
    }

    /// Where a copy needs one more byte of offset: a match at exactly this distance.
    @Test(arguments: [2047, 2048, 2049, 65_535, 65_536, 65_537]) func offsetsAtTheirLimits(distance: Int) throws {
        var random = SeededGenerator(seed: 7)
        for length in [8, 11, 12, 64, 65, 68, 200] {
            let match = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
            let between = (0..<distance - length).map { _ in UInt8.random(in: 0...255, using: &random) }
            _ = try Self.check(match + between + match + between.prefix(50), "\(length) bytes")
        }
    }

    /// libsnappy forgets after 64 KiB and stores the second half again.
    @Test func matchesReachBackOverThePage() throws {
        var random = SeededGenerator(seed: 6)
        let half = (0..<150_000).map { _ in UInt8.random(in: 0...255, using: &random) }
        let size = try Self.check(half + half, "two halves")
        #expect(size < half.count * 11 / 10)
        #expect(Snappy.compress((half + half).span.bytes).count > half.count * 19 / 10)
    }

    @Test func storageIsReused() throws {
        var block: [UInt8] = []
        Snappy.compressWholeWindow([UInt8](repeating: 1, count: 1000).span.bytes, into: &block)
        Snappy.compressWholeWindow([UInt8]([1, 2, 3]).span.bytes, into: &block)
        #expect(block == [3, 2 << 2, 1, 2, 3])
    }
}
