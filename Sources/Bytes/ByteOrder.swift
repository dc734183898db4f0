internal import Glibc

extension RawSpan {
    /// Byte by byte, a text before those that it begins: below 0 before `other`, 0 equal, above 0 after it.
    public func order(against other: RawSpan) -> Int {
        // SAFETY: memcmp reads the shorter length of both, within the closures.
        let order = unsafe withUnsafeBytes { mine in
            unsafe other.withUnsafeBytes { theirs -> Int32 in
                guard let a = mine.baseAddress, let b = theirs.baseAddress else { return 0 }
                return unsafe memcmp(a, b, Swift.min(mine.count, theirs.count))
            }
        }
        return order != 0 ? Int(order) : byteCount - other.byteCount
    }

    /// Whether all bytes are below 128; 8 at a time.
    public var isASCII: Bool {
        var bits: UInt64 = 0
        var offset = 0
        while offset &+ 8 <= byteCount {
            // SAFETY: offset + 8 <= byteCount; integers take any bit pattern.
            bits |= unsafe unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            offset &+= 8
        }
        while offset < byteCount {
            // SAFETY: offset < byteCount.
            bits |= UInt64(unsafe unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self))
            offset &+= 1
        }
        return bits & 0x8080_8080_8080_8080 == 0
    }
}
