import Bytes
import Digest
import Snappy
import Testing

@Suite("Cursors and hashes against published values")
struct BytesTests {
    @Test(
        "varints read back, at every width",
        arguments: [0, .max] + (0..<64).flatMap { [1 << UInt64($0), (1 << UInt64($0)) - 1] })
    func varint(value: UInt64) throws {
        var writer = ByteWriter()
        writer.varint(value)
        writer.zigzag(Int64(bitPattern: value))
        // Long ones are read another way where eight bytes are left.
        for behind in [0, 1, 16] {
            let bytes = writer.bytes + [UInt8](repeating: 0xFF, count: behind)
            var reader = ByteReader(bytes.span)
            let (plain, zigzag, remaining) = (try reader.varint(), try reader.zigzag(), reader.remaining)
            #expect(plain == value)
            #expect(zigzag == Int64(bitPattern: value))
            #expect(remaining == behind)
        }
    }

    @Test func slotTablesFindWhatTheyWereGiven() {
        var table = SlotTable()
        var things: [UInt64] = []
        // Hashes of a few values collide all the time.
        func hash(_ thing: UInt64) -> UInt64 { thing % 97 }
        for number in 0..<5000 {
            let thing = UInt64(number) &* 0x9E37_79B9_7F4A_7C15 >> 40
            #expect(table.find(hash(thing)) { things[$0] == thing } == things.firstIndex(of: thing))
            guard !things.contains(thing) else { continue }
            if table.isFull { table = table.widened { hash(things[$0]) } }
            table.add(hash(thing))
            things.append(thing)
        }
        for (number, thing) in things.enumerated() where number % 50 == 0 {
            #expect(table.find(hash(thing)) { things[$0] == thing } == number)
        }
    }

    @Test(
        "bad varints and lengths are errors",
        arguments: [
            ([], ByteError.truncated), ([0x80], .truncated),
            ([UInt8](repeating: 0x80, count: 10) + [1], .varintTooLong),
            ([0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02], .varintTooLong),
        ] as [([UInt8], ByteError)])
    func badVarint(bytes: [UInt8], error: ByteError) {
        #expect(throws: error) {
            var reader = ByteReader(bytes.span)
            _ = try reader.varint()
        }
        #expect(throws: ByteError.truncated) {
            var reader = ByteReader(([0xFF, 0xFF, 0xFF, 0xFF, 0x0F] as [UInt8]).span)
            _ = try reader.lengthPrefixed()
        }
    }

    @Test("CRC-32C of RFC 3720's vectors, by instruction and by table")
    func crc32c() {
        let vectors: [([UInt8], UInt32)] = [
            (Array("123456789".utf8), 0xE306_9283), ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
            ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43), (Array(0..<32), 0x46DD_794E), ([], 0),
        ]
        for (bytes, crc) in vectors {
            #expect(CRC32C.extend(over: bytes.span.bytes) == crc)
            #expect(CRC32C.portable(over: bytes.span.bytes) == crc)
        }
        for count in 0..<100 {
            let bytes = (0..<count).map { UInt8(truncatingIfNeeded: $0 &* 37) }
            let half = CRC32C.extend(over: bytes.span.bytes.extracting(0..<count / 2))
            let whole = CRC32C.extend(half, over: bytes.span.bytes.extracting(count / 2..<count))
            #expect(whole == CRC32C.portable(over: bytes.span.bytes))
        }
    }

    @Test("a running hash is the hash of the whole")
    func xxh3() {
        let bytes = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var stream = Hash128Stream()
        stream.update(bytes.span.bytes.extracting(0..<12_345))
        stream.update(bytes.span.bytes.extracting(12_345..<100_000))
        let value = stream.value
        #expect(value == Hash128(of: bytes.span.bytes, seed: 0))
        // The running hash takes no wider vectors: it judges those that the whole one takes.
        for count in 0..<2000 {
            var stream = Hash128Stream(seed: UInt64(count % 3))
            let part = bytes.span.bytes.extracting(count..<2 * count)
            stream.update(part)
            let value = stream.value
            #expect(value == Hash128(of: part, seed: UInt64(count % 3)))
        }
        // XXH3's own sanity vector for no input, seed 0.
        #expect(Hash128(of: bytes.span.bytes.extracting(0..<0), seed: 0).hex == "99aa06d3014798d86001c324468d497f")
    }

    @Test("digests of FIPS 180-2, RFC 1321 and RFC 4231")
    func digests() {
        #expect(
            hex(Digest.of(Array("abc".utf8), .sha256))
                == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
        #expect(hex(Digest.of(Array("abc".utf8), .md5)) == "900150983cd24fb0d6963f7d28e17f72")
        let mac = Digest.hmacSHA256(key: Array("Jefe".utf8), message: Array("what do ya want for nothing?".utf8))
        #expect(hex(mac) == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843")
    }

    @Test("a block that declares more than the limit is refused before anything is allocated")
    func snappyLimit() {
        var output: [UInt8] = []
        let bomb: [UInt8] = [0xFF, 0xFF, 0xFF, 0xFF, 0x0F]
        #expect(throws: SnappyError.tooLarge(declared: 4_294_967_295, limit: 1000)) {
            try Snappy.decompress(bomb.span.bytes, limit: 1000, into: &output)
        }
        #expect(throws: SnappyError.malformed) {
            try Snappy.decompress(([3, 0xFF] as [UInt8]).span.bytes, limit: 9, into: &output)
        }
        let claim: [UInt8] = [0x80, 0x80, 0x80, 0x10, 0]
        #expect(throws: SnappyError.malformed, "32 MiB of 5 bytes: no block can hold that") {
            try Snappy.decompress(claim.span.bytes, limit: 1 << 30, into: &output)
        }
        #expect(output.capacity < 1000)
    }

    @Test("both encoders' blocks read back", arguments: [0, 1, 15, 16, 17, 64, 1000, 65_535, 65_536, 70_000, 200_000])
    func snappyRoundTrip(count: Int) throws {
        for kind in 0..<3 {
            var state: UInt64 = 1
            let bytes = (0..<count).map { index -> UInt8 in
                state = state &* 6_364_136_223_846_793_005 &+ 1
                return kind == 0
                    ? 7 : kind == 1 ? UInt8(truncatingIfNeeded: state >> 40) : UInt8(truncatingIfNeeded: index % 251)
            }
            var whole: [UInt8] = []
            Snappy.compressWholeWindow(bytes.span.bytes, into: &whole)
            for block in [Snappy.compress(bytes.span.bytes), whole] {
                var output: [UInt8] = []
                try Snappy.decompress(block.span.bytes, limit: 1 << 20, into: &output)
                #expect(output == bytes)
            }
        }
    }

    @Test(
        "Base64 of RFC 4648 §10",
        arguments: zip(
            ["", "f", "fo", "foo", "foob", "fooba", "foobar"],
            ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"]))
    func base64Vectors(text: String, expected: String) {
        #expect(String(decoding: base64(Array(text.utf8)), as: UTF8.self) == expected)
    }

    @Test("equal digests are equal, whichever bit differs") func digestEquality() {
        let digest = Digest.of(Array("x".utf8), .sha256)
        #expect(Digest.areEqual(digest, Digest.of(Array("x".utf8), .sha256)))
        for bit in 0..<256 {
            var other = digest
            other[bit / 8] ^= 1 << (bit % 8)
            #expect(!Digest.areEqual(digest, other))
        }
        #expect(!Digest.areEqual(digest, Array(digest.dropLast())))
    }
}
