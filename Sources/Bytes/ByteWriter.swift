/// An appending little-endian cursor: the encoder of every format of ours.
public struct ByteWriter: Sendable {
    /// What was written so far.
    public var bytes: [UInt8]

    @inlinable public init(reserving capacity: Int = 0) {
        bytes = []
        bytes.reserveCapacity(capacity)
    }

    @inlinable public var count: Int { bytes.count }

    /// Forgets what was written and keeps the storage, if it has no more than `limit` bytes.
    @inlinable public mutating func removeAll(keeping limit: Int = .max) {
        bytes.removeAll(keepingCapacity: bytes.capacity <= limit)
    }

    @inlinable public mutating func u8(_ value: UInt8) { bytes.append(value) }
    @inlinable public mutating func u16(_ value: UInt16) { fixed(value) }
    @inlinable public mutating func u32(_ value: UInt32) { fixed(value) }
    @inlinable public mutating func u64(_ value: UInt64) { fixed(value) }

    @inlinable mutating func fixed<T: FixedWidthInteger & UnsignedInteger>(_ value: T) {
        // SAFETY: the copy's bytes, read within the closure.
        unsafe withUnsafeBytes(of: value.littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// Unsigned LEB128, 1 to 10 bytes.
    @inlinable public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        bytes.append(UInt8(truncatingIfNeeded: rest))
    }

    /// Zigzag varint: 0, -1, 1, -2, ...
    @inlinable public mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    @inlinable public mutating func raw(_ span: RawSpan) { bytes.append(span) }
    @inlinable public mutating func raw(_ more: [UInt8]) { bytes.append(contentsOf: more) }
    @inlinable public mutating func zeros(_ count: Int) { bytes.append(contentsOf: repeatElement(0, count: count)) }

    /// A varint length and the bytes.
    @inlinable public mutating func lengthPrefixed(_ span: RawSpan) {
        varint(UInt64(span.byteCount))
        raw(span)
    }

    /// A varint length and the UTF-8 of `text`.
    public mutating func lengthPrefixed(_ text: String) {
        varint(UInt64(text.utf8.count))
        bytes.append(contentsOf: text.utf8)
    }

    /// Overwrites 4 bytes written before.
    public mutating func replaceU32(at offset: Int, with value: UInt32) {
        for index in 0..<4 { bytes[offset + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
    }
}

/// The same for a column: room for all of it is made once, so a value costs no look at the array.
extension OutputSpan<UInt8> {
    /// Unsigned LEB128, 1 to 10 bytes.
    @inlinable @_lifetime(self: copy self)
    public mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        append(UInt8(truncatingIfNeeded: rest))
    }

    /// Zigzag varint: 0, -1, 1, -2, ...
    @inlinable @_lifetime(self: copy self)
    public mutating func zigzag(_ value: Int64) {
        varint(UInt64(bitPattern: (value &<< 1) ^ (value &>> 63)))
    }

    /// 8 bytes, the least first.
    @inlinable @_lifetime(self: copy self)
    public mutating func u64(_ value: UInt64) {
        for shift in 0..<8 as Range<UInt64> { append(UInt8(truncatingIfNeeded: value >> (8 &* shift))) }
    }
}
