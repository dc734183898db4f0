internal import Bytes

/// PLAIN of numbers: LE each; of booleans: a bit each. Strings stand in a `ByteTable` as they are written.
enum PlainEncoding {
    /// INT32 and FLOAT are widened.
    static func decode(
        _ bytes: RawSpan, _ type: PhysicalType, count: Int, into values: inout [Int64]
    ) throws(ParquetError) {
        guard bytes.byteCount == count * type.byteCount else {
            throw ParquetError(.corrupt("\(count) numbers in \(bytes.byteCount) bytes"))
        }
        var cursor = ByteReader(bytes)
        do throws(ByteError) {
            if type.byteCount == 8 {
                for _ in 0..<count { values.append(Int64(bitPattern: try cursor.u64())) }
            } else {
                for _ in 0..<count { values.append(type.word(try cursor.u32())) }
            }
        } catch {
            throw ParquetError(.corrupt("\(count) numbers in \(bytes.byteCount) bytes"))
        }
    }

    /// BYTE_STREAM_SPLIT: the first bytes of all numbers, then the second ones, and so on.
    static func decodeSplit(
        _ bytes: RawSpan, _ type: PhysicalType, count: Int, into values: inout [Int64]
    ) throws(ParquetError) {
        guard bytes.byteCount == count * type.byteCount else {
            throw ParquetError(.corrupt("\(count) numbers in \(bytes.byteCount) bytes"))
        }
        for index in 0..<count {
            var word: UInt64 = 0
            for byte in 0..<type.byteCount {
                // SAFETY: the index is below count, the byte below byteCount: their place is within the bytes.
                let next = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: byte * count + index, as: UInt8.self)
                word |= UInt64(next) << UInt64(8 * byte)
            }
            values.append(
                type.byteCount == 8 ? Int64(bitPattern: word) : type.word(UInt32(truncatingIfNeeded: word)))
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

extension PhysicalType {
    /// Of a number.
    var byteCount: Int { self == .int32 || self == .float ? 4 : 8 }

    /// The word of 64 bits that stands for a number of 32.
    fileprivate func word(_ bits: UInt32) -> Int64 {
        self == .float ? Double(Float(bitPattern: bits)).word : Int64(Int32(bitPattern: bits))
    }
}
