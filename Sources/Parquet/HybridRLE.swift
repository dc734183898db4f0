internal import Bytes

/// The RLE and bit-packed hybrid of dictionary indexes, without a length before it (parquet-format's Encodings.md).
package enum HybridRLE {
    /// Equal values from which on a run of its own is worth its header.
    private static let shortestRun = 8

    /// Bits of an index into a dictionary of `count` entries; 0 for one entry.
    package static func width(ofDictionary count: Int) -> Int {
        count < 2 ? 0 : Int.bitWidth - (count - 1).leadingZeroBitCount
    }

    package static func encode(_ values: Span<UInt32>, width: Int, into output: inout [UInt8]) {
        var pending = 0
        var start = 0
        while start < values.count {
            let end = values.endOfRun(from: start)
            guard end - start >= shortestRun || end == values.count else {
                start = end
                continue
            }
            // A run may begin only where the values before it fill their group of 8: it lends what is missing.
            let lent = (8 - (start - pending) & 7) & 7
            if end - start - lent >= shortestRun || (start == 0 && end == values.count) {
                packGroups(values.extracting(pending..<start + lent), width: width, into: &output)
                appendRun(of: values[start], count: end - start - lent, width: width, into: &output)
                pending = end
            }
            start = end
        }
        packGroups(values.extracting(pending..<values.count), width: width, into: &output)
    }

    private static func appendVarint(_ value: Int, into output: inout [UInt8]) {
        var rest = value
        while rest >= 0x80 {
            output.append(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest >>= 7
        }
        output.append(UInt8(rest))
    }

    /// With width 0 the header alone, which some writers forget.
    private static func appendRun(of value: UInt32, count: Int, width: Int, into output: inout [UInt8]) {
        appendVarint(count << 1, into: &output)
        for index in 0..<(width + 7) / 8 { output.append(UInt8(truncatingIfNeeded: value >> UInt32(8 * index))) }
    }

    /// Only the last group of a page may be partial; it is filled with zeros to its full `width` bytes.
    private static func packGroups(_ values: Span<UInt32>, width: Int, into output: inout [UInt8]) {
        guard !values.isEmpty else { return }
        let groups = (values.count + 7) / 8
        appendVarint(groups << 1 | 1, into: &output)
        BitPacker.append(values.count, width: width, byteCount: groups * width, to: &output) {
            // SAFETY: the index is one of the span's.
            UInt64(unsafe values[unchecked: $0])
        }
    }

    /// Appends exactly `count` values, each below `limit`, and wants the bytes to end there. The caller has bounded
    /// `count`: a run of a few bytes may stand for any number of values.
    package static func decode(
        _ bytes: RawSpan, width: Int, count: Int, below limit: Int, into output: inout [UInt32]
    ) throws(ParquetError) {
        guard width <= 32 else { throw ParquetError(.corrupt("indexes of \(width) bits")) }
        var cursor = ByteReader(bytes)
        var missing = count
        var largest: UInt32 = 0
        do throws(ByteError) {
            while missing > 0 {
                let header = try cursor.varint()
                let isPacked = header & 1 == 1
                let size = header >> 1
                guard size > 0 else { throw .truncated }
                if isPacked {
                    // The last run may hold more than is missing: DuckDB fills it up to 32 groups.
                    guard size <= UInt64(Int32.max) else { throw .truncated }
                    let taken = min(missing, Int(size) * 8)
                    let packed = try cursor.take(Int(size) * width)
                    output.append(addingCapacity: taken) { room in
                        BitUnpacker.forEach(packed, width: width, count: taken) {
                            let value = UInt32(truncatingIfNeeded: $0)
                            largest = max(largest, value)
                            room.append(value)
                        }
                    }
                    missing -= taken
                } else {
                    guard size <= UInt64(missing) else { throw .truncated }
                    var value: UInt32 = 0
                    for index in 0..<(width + 7) / 8 { value |= UInt32(try cursor.u8()) << UInt32(8 * index) }
                    largest = max(largest, value)
                    output.append(contentsOf: repeatElement(value, count: Int(size)))
                    missing -= Int(size)
                }
            }
        } catch {
            throw ParquetError(.corrupt("a run of indexes does not fit its page"))
        }
        guard cursor.isAtEnd else { throw ParquetError(.corrupt("bytes after the last run of indexes")) }
        guard count == 0 || Int(largest) < limit else {
            throw ParquetError(.corrupt("index \(largest) into a dictionary of \(limit)"))
        }
    }
}
