internal import Bytes

/// DELTA_BINARY_PACKED of 64-bit numbers (parquet-format's Encodings.md). We write blocks of 128 deltas, in four
/// miniblocks, and read any.
package enum DeltaBinaryPacked {
    static let blockLength = 128
    static let miniblockCount = 4
    static let miniblockLength = blockLength / miniblockCount
    /// A reader in use dies on miniblocks of 64 bits; times of day never need so much.
    static let widthLimit = 56

    /// False, with `output` in some state, when a delta is wider than `widthLimit`.
    package static func encode(_ values: Span<Int64>, into output: inout [UInt8]) -> Bool {
        var header = ByteWriter()
        header.varint(UInt64(blockLength))
        header.varint(UInt64(miniblockCount))
        header.varint(UInt64(values.count))
        header.zigzag(values.isEmpty ? 0 : values[0])
        output.append(contentsOf: header.bytes)
        var start = 1
        while start < values.count {
            let end = min(start + blockLength, values.count)
            guard encodeBlock(values.extracting(start - 1..<end), into: &output) else { return false }
            start = end
        }
        return true
    }

    /// The deltas between neighbours of `values`: one to 128. Differences wrap.
    private static func encodeBlock(_ values: Span<Int64>, into output: inout [UInt8]) -> Bool {
        let count = values.count - 1
        var smallest = Int64.max
        for index in 0..<count { smallest = min(smallest, values[index + 1] &- values[index]) }
        var head = ByteWriter()
        head.zigzag(smallest)
        output.append(contentsOf: head.bytes)
        let widthsAt = output.count
        output.append(contentsOf: repeatElement(0, count: miniblockCount))
        for miniblock in 0..<(count + miniblockLength - 1) / miniblockLength {
            let range = miniblock * miniblockLength..<min(count, (miniblock + 1) * miniblockLength)
            var used: UInt64 = 0
            for index in range { used |= excess(values, index, smallest) }
            let width = UInt64.bitWidth - used.leadingZeroBitCount
            guard width <= widthLimit else { return false }
            output[widthsAt + miniblock] = UInt8(width)
            guard width > 0 else { continue }
            // A miniblock that was begun is padded to its full length.
            let byteCount = miniblockLength / 8 * width
            BitPacker.append(range.count, width: width, byteCount: byteCount, to: &output) {
                excess(values, range.lowerBound + $0, smallest)
            }
        }
        return true
    }

    @inline(__always)
    private static func excess(_ values: Span<Int64>, _ index: Int, _ smallest: Int64) -> UInt64 {
        UInt64(bitPattern: values[index + 1] &- values[index] &- smallest)
    }

    /// Appends exactly `count` numbers, and wants the bytes to end there.
    package static func decode(_ bytes: RawSpan, count: Int, into output: inout [Int64]) throws(ParquetError) {
        guard try decodePrefix(bytes, count: count, into: &output) == bytes.byteCount else {
            throw ParquetError(.corrupt("bytes after the last packed delta"))
        }
    }

    /// Appends exactly `count` numbers; returns where their bytes end.
    static func decodePrefix(
        _ bytes: RawSpan, count: Int, into output: inout [Int64]
    ) throws(ParquetError) -> Int {
        var cursor = ByteReader(bytes)
        let miniblockLength: Int
        let miniblockCount: Int
        do throws(ByteError) {
            (miniblockLength, miniblockCount) = try readLengths(&cursor)
        } catch {
            throw ParquetError(.corrupt("packed deltas in blocks of no legal length"))
        }
        do throws(ByteError) {
            let total = try cursor.varint()
            guard total == UInt64(count) else { throw .truncated }
            var value = try cursor.zigzag()
            guard count > 0 else { return cursor.offset }
            output.append(value)
            var missing = count - 1
            while missing > 0 {
                let smallest = try cursor.zigzag()
                let widths = try cursor.array(miniblockCount)
                for width in widths where missing > 0 {
                    guard width <= 64 else { throw .truncated }
                    let packed = try cursor.take(miniblockLength / 8 * Int(width))
                    let taken = min(missing, miniblockLength)
                    BitUnpacker.forEach(packed, width: Int(width), count: taken) { excess in
                        value = value &+ smallest &+ Int64(bitPattern: excess)
                        output.append(value)
                    }
                    missing -= taken
                }
            }
        } catch {
            throw ParquetError(.corrupt("packed deltas do not fit their page"))
        }
        return cursor.offset
    }

    /// Blocks are a multiple of 128 deltas, miniblocks of 32.
    private static func readLengths(_ cursor: inout ByteReader) throws(ByteError) -> (miniblock: Int, count: Int) {
        let block = try cursor.varint()
        let miniblocks = try cursor.varint()
        guard block > 0, block <= 1 << 20, block % 128 == 0, miniblocks > 0, miniblocks <= block / 32,
            block % miniblocks == 0, block / miniblocks % 32 == 0
        else { throw .truncated }
        return (Int(block / miniblocks), Int(miniblocks))
    }
}
