internal import Bytes

/// Many byte strings in one arena, as PLAIN has them: each behind its length in a u32 LE. So a page of them is a part
/// of the arena.
///
/// Less than 2^31 bytes, since every size of the format is an i32.
package struct ByteTable: Equatable, Sendable {
    package static let byteLimit = Int(Int32.max)
    /// What the strings of a page that share their beginnings may come to: each may repeat all of the one before.
    static let prefixedByteLimit = 256 << 20
    static let lengthByteCount = 4

    /// Lengths and strings.
    private(set) var bytes: [UInt8] = []
    /// Where the length of each string stands, and the end: one more than strings; the first is 0, each at least 4
    /// above the one before.
    private(set) var offsets: [UInt32] = [0]

    package init() {}

    /// - Parameter byteCount: of the strings, without lengths.
    package init(reserving count: Int, bytes byteCount: Int) {
        bytes.reserveCapacity(byteCount + count * Self.lengthByteCount)
        offsets.reserveCapacity(count + 1)
    }

    /// For tests and small tables.
    package init(_ values: [[UInt8]]) throws(ParquetError) {
        for value in values { try append(value) }
    }

    package var count: Int { offsets.count - 1 }

    package subscript(index: Int) -> RawSpan {
        @inline(__always) @_lifetime(borrow self)
        get {
            precondition(index < count, "the string is in the table")
            let offsets = offsets.span
            // SAFETY: index + 1 < offsets.count; offsets ascend by 4 at least, up to bytes.count; UInt8 has no padding.
            return unsafe bytes.span.bytes.extracting(
                unchecked: Int(offsets[unchecked: index]) + Self.lengthByteCount..<Int(offsets[unchecked: index + 1]))
        }
    }

    /// A copy of the string.
    package func string(_ index: Int) -> [UInt8] {
        [UInt8](bytes[Int(offsets[index]) + Self.lengthByteCount..<Int(offsets[index + 1])])
    }

    package func length(_ index: Int) -> Int { Int(offsets[index + 1] - offsets[index]) - Self.lengthByteCount }

    /// Bytes of some strings with their lengths: what they take in PLAIN.
    func plainByteCount(_ rows: Range<Int>) -> Int { Int(offsets[rows.upperBound]) - Int(offsets[rows.lowerBound]) }

    var plainByteCount: Int { bytes.count }

    /// Some strings in PLAIN.
    @_lifetime(borrow self)
    func plain(_ rows: Range<Int>) -> RawSpan {
        // SAFETY: UInt8 has no padding; offsets end with bytes.count.
        unsafe bytes.span.bytes.extracting(Int(offsets[rows.lowerBound])..<Int(offsets[rows.upperBound]))
    }

    /// - Throws: `.tooLarge` when the arena would pass `byteLimit`; nothing was appended.
    package mutating func append(_ value: RawSpan) throws(ParquetError) {
        try appendLength(value.byteCount)
        bytes.append(value)
        offsets.append(UInt32(bytes.count))
    }

    package mutating func append(_ value: [UInt8]) throws(ParquetError) {
        try appendLength(value.count)
        bytes.append(contentsOf: value)
        offsets.append(UInt32(bytes.count))
    }

    /// Appends the string that `body` appends to the bytes it is given, which it leaves alone otherwise.
    package mutating func append(writing body: (inout [UInt8]) -> Void) throws(ParquetError) {
        let start = bytes.count
        try appendLength(0)
        body(&bytes)
        let length = bytes.count - start - Self.lengthByteCount
        precondition(length >= 0, "the string was appended")
        guard bytes.count <= Self.byteLimit else {
            let size = bytes.count
            bytes.removeLast(size - start)
            throw ParquetError(.tooLarge(what: "string table", size: size, limit: Self.byteLimit))
        }
        for byte in 0..<Self.lengthByteCount {
            bytes[start + byte] = UInt8(truncatingIfNeeded: length >> (8 * byte))
        }
        offsets.append(UInt32(bytes.count))
    }

    /// Appends strings of the table to `output` in PLAIN, those of `indexes` in turn.
    func appendPlain(_ indexes: Span<UInt32>, to output: inout [UInt8]) {
        var byteCount = 0
        for row in indexes.indices { byteCount += length(Int(indexes[row])) + Self.lengthByteCount }
        let slack = 16
        output.append(addingCapacity: byteCount + slack) { room in
            // SAFETY: the buffers are used only within the closures. The loop above has found every index in the
            // table, and room for its strings; up to `slack` bytes more may be written behind them.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                unsafe bytes.withUnsafeBytes { source in
                    guard byteCount > 0, let to = buffer.baseAddress, let from = source.baseAddress else { return }
                    let target = UnsafeMutableRawPointer(to)
                    let offsets = offsets.span
                    var at = 0
                    for row in indexes.indices {
                        let index = unsafe Int(indexes[unchecked: row])
                        let start = unsafe Int(offsets[unchecked: index])
                        let count = unsafe Int(offsets[unchecked: index + 1]) - start
                        if count <= slack, start + slack <= source.count {
                            // Most values: a call of memmove would cost more.
                            let low = unsafe from.loadUnaligned(fromByteOffset: start, as: UInt64.self)
                            let high = unsafe from.loadUnaligned(fromByteOffset: start + 8, as: UInt64.self)
                            unsafe target.storeBytes(of: low, toByteOffset: at, as: UInt64.self)
                            unsafe target.storeBytes(of: high, toByteOffset: at + 8, as: UInt64.self)
                        } else {
                            unsafe (target + at).copyMemory(from: from + start, byteCount: count)
                        }
                        at += count
                    }
                    written = at
                }
            }
        }
    }

    private mutating func appendLength(_ length: Int) throws(ParquetError) {
        let size = bytes.count + Self.lengthByteCount + length
        guard size <= Self.byteLimit else {
            throw ParquetError(.tooLarge(what: "string table", size: size, limit: Self.byteLimit))
        }
        // SAFETY: the buffer is read only within the closure.
        unsafe withUnsafeBytes(of: UInt32(length).littleEndian) { unsafe bytes.append(contentsOf: $0) }
    }

    /// The `count` strings of `plain`, in PLAIN up to its end; takes over its storage.
    init(plain: [UInt8], count: Int) throws(ParquetError) {
        // SAFETY: UInt8 has no padding.
        let end = try appendOffsets(of: unsafe plain.span.bytes, count: count)
        guard end == plain.count else { throw ParquetError(.corrupt("bytes after the last string")) }
        bytes = plain
    }

    /// Appends `count` strings in PLAIN; returns where they end.
    mutating func append(plain: RawSpan, count: Int) throws(ParquetError) -> Int {
        let end = try appendOffsets(of: plain, count: count)
        bytes.append(plain.extracting(first: end))
        return end
    }

    /// Appends `count` strings in DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes.
    mutating func append(deltaLength encoded: RawSpan, count: Int) throws(ParquetError) {
        var lengths: [Int64] = []
        let end = try DeltaBinaryPacked.decodePrefix(encoded, count: count, into: &lengths)
        var rest = encoded.extracting(droppingFirst: end)
        for length in lengths {
            guard (0...Int64(rest.byteCount)).contains(length) else {
                throw ParquetError(.corrupt("a string is longer than its page"))
            }
            try append(rest.extracting(first: Int(length)))
            rest = rest.extracting(droppingFirst: Int(length))
        }
        guard rest.byteCount == 0 else { throw ParquetError(.corrupt("bytes after the last string")) }
    }

    /// Appends `count` strings in DELTA_BYTE_ARRAY: how much of the one before each shares, all lengths of the rest,
    /// all bytes of the rest.
    package mutating func append(deltaPrefix encoded: RawSpan, count: Int) throws(ParquetError) {
        var shared: [Int64] = []
        let end = try DeltaBinaryPacked.decodePrefix(encoded, count: count, into: &shared)
        var rests = ByteTable()
        try rests.append(deltaLength: encoded.extracting(droppingFirst: end), count: count)
        var value: [UInt8] = []
        let start = bytes.count
        for (index, length) in shared.enumerated() {
            guard (0...Int64(value.count)).contains(length) else {
                throw ParquetError(.corrupt("a string shares more than the one before it has"))
            }
            value.removeLast(value.count - Int(length))
            value.append(rests[index])
            try append(value)
            guard bytes.count - start <= Self.prefixedByteLimit else {
                throw ParquetError(
                    .tooLarge(what: "page", size: bytes.count - start, limit: Self.prefixedByteLimit))
            }
        }
    }

    /// Finds where each string of `plain` ends, as if it stood behind `bytes`; returns where the last one does.
    private mutating func appendOffsets(of plain: RawSpan, count: Int) throws(ParquetError) -> Int {
        guard plain.byteCount <= Self.byteLimit - bytes.count else {
            throw ParquetError(
                .tooLarge(what: "string table", size: bytes.count + plain.byteCount, limit: Self.byteLimit))
        }
        let start = bytes.count
        var at = 0
        // No more than can be there: the count comes from the file.
        offsets.reserveCapacity(offsets.count + min(count, plain.byteCount / Self.lengthByteCount))
        for _ in 0..<count {
            guard plain.byteCount - at >= Self.lengthByteCount else {
                throw ParquetError(.corrupt("a string is longer than its page"))
            }
            // SAFETY: at + 4 <= byteCount.
            let length = unsafe plain.unsafeLoadUnaligned(fromUncheckedByteOffset: at, as: UInt32.self).littleEndian
            at += Self.lengthByteCount
            guard Int(length) <= plain.byteCount - at else {
                throw ParquetError(.corrupt("a string is longer than its page"))
            }
            at += Int(length)
            offsets.append(UInt32(start + at))
        }
        return at
    }
}
