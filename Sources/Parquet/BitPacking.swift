internal import Bytes

/// Writes values of a fixed number of bits, least significant bit first.
enum BitPacker {
    /// Appends `value(0)` to `value(count - 1)`, each below 2^`width`, and zeros up to `byteCount` bytes.
    ///
    /// - Precondition: `width` is at most 64, and `byteCount` bytes hold the values.
    @inline(__always)
    static func append(
        _ count: Int, width: Int, byteCount: Int, to output: inout [UInt8], _ value: (Int) -> UInt64
    ) {
        precondition(width <= 64 && byteCount * 8 >= count * width, "the bytes hold the values")
        let wordByteCount = 8
        // Two narrow values are put as one: a loop turn a pair.
        let lanes = width <= 32 ? 2 : 1
        let step = width * lanes
        output.append(addingCapacity: byteCount + 2 * wordByteCount) { room in
            // SAFETY: the buffer is used only within the closure. Full words end at most 4 bytes behind `byteCount`,
            // where a pair lacks its second value; the last one has the room for two.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                guard let base = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
                var (word, bits, at) = (UInt64(0), 0, 0)
                for index in stride(from: 0, to: count, by: lanes) {
                    var pair = value(index)
                    if lanes == 2, index + 1 < count { pair |= value(index + 1) &<< UInt64(width) }
                    word |= pair &<< UInt64(bits)
                    bits &+= step
                    guard bits >= UInt64.bitWidth else { continue }
                    unsafe base.storeBytes(of: word.littleEndian, toByteOffset: at, as: UInt64.self)
                    at &+= wordByteCount
                    bits &-= UInt64.bitWidth
                    // The high bits that the word had no room for.
                    word = bits == 0 ? 0 : pair &>> UInt64(step &- bits)
                }
                unsafe base.storeBytes(of: word.littleEndian, toByteOffset: at, as: UInt64.self)
                let end = at + wordByteCount
                if end < byteCount {
                    unsafe (base + end).initializeMemory(as: UInt8.self, repeating: 0, count: byteCount - end)
                }
                written = byteCount
            }
        }
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
