/// Why bytes could not be read.
public enum ByteError: Error, Equatable, Sendable {
    /// The bytes end before the value does.
    case truncated
    /// A varint longer than 10 bytes, or one that does not fit 64 bits.
    case varintTooLong
}

/// A borrowed little-endian cursor over bytes from outside: every read is checked, none can trap.
///
/// The only decoder with `unsafe` loads (style.md §2.4): an unaligned load is 4 times a loop over bytes.
public struct ByteReader: ~Escapable {
    @usableFromInline let bytes: RawSpan
    @usableFromInline var cursor: Int

    @inlinable @_lifetime(copy bytes)
    public init(_ bytes: RawSpan) {
        self.bytes = bytes
        self.cursor = 0
    }

    @inlinable @_lifetime(copy bytes)
    public init(_ bytes: Span<UInt8>) {
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        self.bytes = unsafe bytes.bytes
        self.cursor = 0
    }

    /// Bytes consumed so far.
    @inlinable public var offset: Int { cursor }
    @inlinable public var count: Int { bytes.byteCount }
    @inlinable public var remaining: Int { bytes.byteCount &- offset }
    @inlinable public var isAtEnd: Bool { offset == bytes.byteCount }

    @inlinable @_lifetime(self: copy self)
    mutating func load<T: FixedWidthInteger & BitwiseCopyable>(_: T.Type) throws(ByteError) -> T {
        let size = MemoryLayout<T>.size
        guard remaining >= size else { throw .truncated }
        // SAFETY: offset + size <= byteCount by the guard; integers take any bit pattern.
        let value = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: T.self)
        cursor &+= size
        return T(littleEndian: value)
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func u8() throws(ByteError) -> UInt8 { try load(UInt8.self) }
    @inlinable @_lifetime(self: copy self)
    public mutating func u16() throws(ByteError) -> UInt16 { try load(UInt16.self) }
    @inlinable @_lifetime(self: copy self)
    public mutating func u32() throws(ByteError) -> UInt32 { try load(UInt32.self) }
    @inlinable @_lifetime(self: copy self)
    public mutating func u64() throws(ByteError) -> UInt64 { try load(UInt64.self) }

    /// An unsigned LEB128 varint of at most 64 bits.
    @inlinable @_lifetime(self: copy self)
    public mutating func varint() throws(ByteError) -> UInt64 {
        guard offset < bytes.byteCount else { throw .truncated }
        // SAFETY: offset < byteCount.
        let first = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
        if first < 0x80 {
            cursor &+= 1
            return UInt64(first)
        }
        guard remaining > 1 else { throw .truncated }
        // SAFETY: offset + 1 < byteCount.
        let second = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset &+ 1, as: UInt8.self)
        if second < 0x80 {
            cursor &+= 2
            return UInt64(first & 0x7F) | UInt64(second) &<< 7
        }
        let (value, end) = try Self.longVarint(bytes, at: cursor)
        cursor = end
        return value
    }

    /// Three bytes and more. It takes no reader, so that the callers' cursors can stay in registers.
    /// - Returns: the value, and the offset after it.
    @inlinable @inline(never)
    static func longVarint(_ bytes: RawSpan, at start: Int) throws(ByteError) -> (value: UInt64, end: Int) {
        if bytes.byteCount &- start >= 8 {
            // SAFETY: start + 8 <= byteCount.
            let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: start, as: UInt64.self).littleEndian
            let ends = ~word & 0x8080_8080_8080_8080
            if ends != 0 {
                // The bits up to the end of the last byte, then seven of each eight, pushed together pair by pair.
                let bits = ends.trailingZeroBitCount &+ 1
                var value = word & (.max &>> UInt64(64 &- bits)) & 0x7F7F_7F7F_7F7F_7F7F
                value = value & 0x007F_007F_007F_007F | (value & 0x7F00_7F00_7F00_7F00) &>> 1
                value = value & 0x0000_3FFF_0000_3FFF | (value & 0x3FFF_0000_3FFF_0000) &>> 2
                value = value & 0x0000_0000_0FFF_FFFF | (value & 0x0FFF_FFFF_0000_0000) &>> 4
                return (value, start &+ bits &>> 3)
            }
        }
        var value: UInt64 = 0
        var shift: UInt64 = 0
        var offset = start
        while true {
            guard offset < bytes.byteCount else { throw .truncated }
            // SAFETY: offset < byteCount.
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            offset &+= 1
            guard shift < 63 || byte <= 1 else { throw .varintTooLong }
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return (value, offset) }
            shift &+= 7
        }
    }

    /// A zigzag varint: 0, -1, 1, -2, ...
    @inlinable @_lifetime(self: copy self)
    public mutating func zigzag() throws(ByteError) -> Int64 {
        let value = try varint()
        return Int64(bitPattern: value >> 1) ^ -Int64(bitPattern: value & 1)
    }

    /// The next `length` bytes, consumed.
    @inlinable @_lifetime(copy self) @_lifetime(self: copy self)
    public mutating func take(_ length: Int) throws(ByteError) -> RawSpan {
        guard length >= 0, length <= remaining else { throw .truncated }
        let start = offset
        cursor &+= length
        return bytes.extracting(start..<offset)
    }

    /// A varint length and as many bytes.
    @inlinable @_lifetime(copy self) @_lifetime(self: copy self)
    public mutating func lengthPrefixed() throws(ByteError) -> RawSpan {
        let length = try varint()
        guard length <= UInt64(remaining) else { throw .truncated }
        return try take(Int(length))
    }

    @inlinable @_lifetime(self: copy self)
    public mutating func skip(_ length: Int) throws(ByteError) {
        guard length >= 0, length <= remaining else { throw .truncated }
        cursor &+= length
    }

    /// The bytes from `start` (an earlier `offset`) to the cursor.
    @inlinable @_lifetime(copy self)
    public func consumed(since start: Int) -> RawSpan { bytes.extracting(start..<offset) }

    /// The next `length` bytes as text; bytes that are not UTF-8 become U+FFFD.
    @_lifetime(self: copy self)
    public mutating func text(_ length: Int) throws(ByteError) -> String {
        String(decoding: try array(length), as: UTF8.self)
    }

    /// The next `length` bytes, copied.
    @_lifetime(self: copy self)
    public mutating func array(_ length: Int) throws(ByteError) -> [UInt8] {
        let span = try take(length)
        return [UInt8](span)
    }
}

extension [UInt8] {
    /// A copy of `span`.
    @inlinable
    public init(_ span: RawSpan) {
        // SAFETY: the buffer is read only within the closure, and the copy is made there.
        self = unsafe span.withUnsafeBytes { unsafe [UInt8]($0) }
    }

    /// Appends the bytes of `span`.
    @inlinable
    public mutating func append(_ span: RawSpan) {
        // SAFETY: the buffer is read only within the closure.
        unsafe span.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }
}
