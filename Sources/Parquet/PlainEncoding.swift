internal import Bytes

/// PLAIN: strings as u32 LE length and bytes, numbers as 8 bytes LE.
enum PlainEncoding {
    static let lengthByteCount = 4

    /// Bytes of strings `rows` of `table`.
    static func byteCount(_ table: ByteTable, _ rows: Range<Int>) -> Int {
        Int(table.offsets[rows.upperBound]) - Int(table.offsets[rows.lowerBound]) + lengthByteCount * rows.count
    }

    static func encode(_ table: ByteTable, _ rows: Range<Int>, into output: inout [UInt8]) {
        guard !rows.isEmpty else { return }
        let offsets = table.offsets.span
        // SAFETY: UInt8 has no padding and every bit pattern is valid.
        let bytes = unsafe table.bytes.span.bytes
        output.append(addingCapacity: byteCount(table, rows)) { room in
            // SAFETY: room holds byteCount(table, rows) bytes: each string with its length. Offsets ascend and end
            // with the number of bytes, by ByteTable.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                unsafe bytes.withUnsafeBytes { source in
                    guard var target = UnsafeMutableRawPointer(buffer.baseAddress) else { return }
                    var start = Int(offsets[rows.lowerBound])
                    for row in rows {
                        let end = Int(offsets[row + 1])
                        unsafe target.storeBytes(of: UInt32(end - start).littleEndian, as: UInt32.self)
                        unsafe target += lengthByteCount
                        if end > start, let base = source.baseAddress {
                            unsafe target.copyMemory(from: base + start, byteCount: end - start)
                            unsafe target += end - start
                        }
                        start = end
                    }
                    written = buffer.count
                }
            }
        }
    }

    static func encode(_ values: Span<Int64>, into output: inout [UInt8]) {
        // SAFETY: the buffer is read only within the closure. Every platform we run on is little endian.
        unsafe values.bytes.withUnsafeBytes { unsafe output.append(contentsOf: $0) }
    }

    /// Appends exactly `count` strings, and wants the bytes to end there.
    static func decode(_ bytes: RawSpan, count: Int, into table: inout ByteTable) throws(ParquetError) {
        var cursor = ByteReader(bytes)
        for _ in 0..<count {
            do throws(ByteError) {
                let length = try cursor.u32()
                guard length <= UInt32(Int32.max) else { throw .truncated }
                try appendTaking(Int(length), from: &cursor, into: &table)
            } catch {
                throw ParquetError(.corrupt("a string is longer than its page"))
            }
        }
        guard cursor.isAtEnd else { throw ParquetError(.corrupt("bytes after the last string")) }
    }

    private static func appendTaking(
        _ length: Int, from cursor: inout ByteReader, into table: inout ByteTable
    ) throws(ByteError) {
        let value = try cursor.take(length)
        do throws(ParquetError) { try table.append(value) } catch { throw .truncated }
    }

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
