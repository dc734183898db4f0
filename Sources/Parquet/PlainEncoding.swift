internal import Bytes

/// PLAIN of numbers: 8 bytes LE each. Strings stand in a `ByteTable` as they are written.
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
}
