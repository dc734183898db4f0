internal import Bytes

/// Appends values of a fixed number of bits, least significant bit first.
struct BitPacker {
    private var word: UInt64 = 0
    private var bits = 0

    @inline(__always)
    mutating func put(_ value: UInt64, width: Int, into output: inout [UInt8]) {
        word |= value &<< UInt64(bits)
        bits += width
        guard bits >= 64 else { return }
        flush(8, into: &output)
        bits -= 64
        // The high bits of `value` that the word had no room for.
        word = bits == 0 ? 0 : value >> UInt64(width - bits)
    }

    /// Writes out what is left; the bits put so far are whole bytes.
    mutating func finish(into output: inout [UInt8]) {
        flush(bits / 8, into: &output)
        word = 0
        bits = 0
    }

    @inline(__always)
    private func flush(_ byteCount: Int, into output: inout [UInt8]) {
        // SAFETY: the buffer is read only within the closure.
        unsafe withUnsafeBytes(of: word.littleEndian) { unsafe output.append(contentsOf: $0.prefix(byteCount)) }
    }
}

/// Reads values of a fixed number of bits out of exactly the bytes that hold them.
enum BitUnpacker {
    /// Calls `body` with the first `count` values of `width` bits (at most 64) in `packed`.
    ///
    /// - Precondition: `packed` holds `count * width` bits.
    @inline(__always)
    static func forEach(_ packed: RawSpan, width: Int, count: Int, _ body: (UInt64) -> Void) {
        precondition(width <= 64 && packed.byteCount * 8 >= count * width, "the packed bytes hold the values")
        let mask = width == 64 ? ~UInt64(0) : (1 << UInt64(width)) - 1
        var bit = 0
        for _ in 0..<count {
            let shift = UInt64(bit & 7)
            var value = load(packed, at: bit >> 3) >> shift
            // A value of more than 56 bits may reach into a ninth byte.
            if shift + UInt64(width) > 64 { value |= load(packed, at: (bit >> 3) + 8) << (64 - shift) }
            body(value & mask)
            bit += width
        }
    }

    /// Eight bytes, or as many as there are.
    @inline(__always)
    private static func load(_ bytes: RawSpan, at offset: Int) -> UInt64 {
        if offset + 8 <= bytes.byteCount {
            // SAFETY: offset + 8 <= byteCount.
            return unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self).littleEndian
        }
        var value: UInt64 = 0
        for index in offset..<max(offset, bytes.byteCount) {
            // SAFETY: index < byteCount.
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: index, as: UInt8.self)
            value |= UInt64(byte) << UInt64(8 * (index - offset))
        }
        return value
    }
}
