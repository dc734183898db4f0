internal import Bytes

/// PLAIN of numbers: 8 bytes LE each; of booleans: a bit each. Strings stand in a `ByteTable` as they are written.
enum PlainEncoding {
    static func decode(_ bytes: RawSpan, count: Int, into values: inout [Int64]) throws(ParquetError) {
        guard bytes.byteCount == count * 8 else {
            throw ParquetError(.corrupt("\(count) numbers in \(bytes.byteCount) bytes"))
        }
        var cursor = ByteReader(bytes)
        do throws(ByteError) {
            for _ in 0..<count { values.append(Int64(bitPattern: try cursor.u64())) }
        } catch {
            throw ParquetError(.corrupt("\(count) numbers in \(bytes.byteCount) bytes"))
        }
    }

    /// Least significant bit first; the last byte is filled with zeros.
    static func encodeBits(_ values: Span<Int64>, into output: inout [UInt8]) {
        BitPacker.append(values.count, width: 1, byteCount: (values.count + 7) / 8, to: &output) {
            values[$0] == 0 ? 0 : 1
        }
    }

    static func decodeBits(_ bytes: RawSpan, count: Int, into values: inout [Int64]) throws(ParquetError) {
        guard bytes.byteCount == (count + 7) / 8 else {
            throw ParquetError(.corrupt("\(count) booleans in \(bytes.byteCount) bytes"))
        }
        BitUnpacker.forEach(bytes, width: 1, count: count) { values.append(Int64($0)) }
    }
}
