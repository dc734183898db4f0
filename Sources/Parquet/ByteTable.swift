internal import Bytes

/// Many byte strings in one arena: string `i` is `bytes[offsets[i]..<offsets[i + 1]]`.
///
/// Less than 2^31 bytes, since every size of the format is an i32.
package struct ByteTable: Equatable, Sendable {
    package static let byteLimit = Int(Int32.max)

    package private(set) var bytes: [UInt8] = []
    /// One more than strings; the first is 0, none is smaller than the one before.
    package private(set) var offsets: [UInt32] = [0]

    package init() {}

    package init(reserving count: Int, bytes byteCount: Int) {
        bytes.reserveCapacity(byteCount)
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
            // SAFETY: index + 1 < offsets.count; offsets ascend up to bytes.count; UInt8 has no padding.
            return unsafe bytes.span.bytes.extracting(
                unchecked: Int(offsets[unchecked: index])..<Int(offsets[unchecked: index + 1]))
        }
    }

    package func length(_ index: Int) -> Int { Int(offsets[index + 1] - offsets[index]) }

    /// - Throws: `.tooLarge` when the arena would pass `byteLimit`; nothing was appended.
    package mutating func append(_ value: RawSpan) throws(ParquetError) {
        try reserve(value.byteCount)
        bytes.append(value)
        offsets.append(UInt32(bytes.count))
    }

    package mutating func append(_ value: [UInt8]) throws(ParquetError) {
        try reserve(value.count)
        bytes.append(contentsOf: value)
        offsets.append(UInt32(bytes.count))
    }

    private func reserve(_ more: Int) throws(ParquetError) {
        guard more <= Self.byteLimit - bytes.count else {
            throw ParquetError(.tooLarge(what: "string table", size: bytes.count + more, limit: Self.byteLimit))
        }
    }

    /// Forgets the strings and keeps the storage.
    package mutating func removeAll() {
        bytes.removeAll(keepingCapacity: true)
        offsets.removeAll(keepingCapacity: true)
        offsets.append(0)
    }
}
