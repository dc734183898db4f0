internal import Bytes

/// A split-block bloom filter (parquet-format's BloomFilter.md): blocks of eight 32-bit words, one bit a word for each
/// value.
struct BloomFilter: Equatable {
    private static let salts: [UInt32] = [
        0x47b6_137b, 0x4497_4d91, 0x8824_ad5b, 0xa2b7_289d, 0x7054_95c7, 0x2df1_424b, 0x9efc_4947, 0x5c6b_fb31,
    ]
    /// Bits for each distinct value at 1 % false positives: -8 / ln(1 - 0.01^(1/8)) = 9.681.
    private static let bitsPerThousandValues = 9681

    private(set) var words: [UInt32]

    /// Of the distinct strings of a dictionary, hashed without length.
    init(_ entries: ByteTable) {
        let bits = max(1, entries.count) * Self.bitsPerThousandValues / 1000
        var byteCount = 32
        while byteCount * 8 < bits { byteCount *= 2 }
        words = [UInt32](repeating: 0, count: byteCount / 4)
        for entry in 0..<entries.count { insert(xxh64(entries[entry])) }
    }

    private mutating func insert(_ hash: UInt64) {
        let block = Int(((hash >> 32) * UInt64(words.count / 8)) >> 32)
        let key = UInt32(truncatingIfNeeded: hash)
        for (word, salt) in Self.salts.enumerated() { words[block * 8 + word] |= 1 << ((key &* salt) >> 27) }
    }

    /// Header (sizes; block algorithm, XXH64, no compression) and bits.
    func encode(to writer: inout CompactWriter) {
        writer.element { writer in
            writer.int32(1, Int32(words.count * 4))
            for field in 2...4 { writer.structure(field) { $0.structure(1) { _ in } } }
        }
        for word in words { writer.raw(word) }
    }
}
