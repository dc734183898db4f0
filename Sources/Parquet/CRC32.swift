/// CRC-32 of zlib and gzip (reflected 0xEDB88320): the checksum of Parquet's pages.
package enum CRC32 {
    /// Eight tables of 256: byte `b`, followed by `t` zero bytes, at `t * 256 + b` (slicing by 8).
    private static let tables: [UInt32] = {
        var tables = [UInt32](repeating: 0, count: 8 * 256)
        for byte in 0..<256 {
            var crc = UInt32(byte)
            for _ in 0..<8 { crc = crc & 1 == 1 ? crc >> 1 ^ 0xEDB8_8320 : crc >> 1 }
            tables[byte] = crc
        }
        for index in 256..<tables.count {
            let previous = tables[index - 256]
            tables[index] = previous >> 8 ^ tables[Int(previous & 0xFF)]
        }
        return tables
    }()

    package static func of(_ bytes: RawSpan) -> UInt32 {
        let tables = tables.span
        var crc = ~UInt32(0)
        var offset = 0
        while offset + 8 <= bytes.byteCount {
            // SAFETY: offset + 8 <= byteCount; table indexes are below 8 * 256.
            let word = unsafe bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self).littleEndian
            let mixed = word ^ UInt64(crc)
            crc =
                unsafe tables[unchecked: 7 * 256 + Int(mixed & 0xFF)]
                ^ tables[unchecked: 6 * 256 + Int(mixed >> 8 & 0xFF)]
                ^ tables[unchecked: 5 * 256 + Int(mixed >> 16 & 0xFF)]
                ^ tables[unchecked: 4 * 256 + Int(mixed >> 24 & 0xFF)]
                ^ tables[unchecked: 3 * 256 + Int(mixed >> 32 & 0xFF)]
                ^ tables[unchecked: 2 * 256 + Int(mixed >> 40 & 0xFF)]
                ^ tables[unchecked: 1 * 256 + Int(mixed >> 48 & 0xFF)]
                ^ tables[unchecked: Int(mixed >> 56)]
            offset += 8
        }
        while offset < bytes.byteCount {
            // SAFETY: offset < byteCount.
            let byte = unsafe bytes.unsafeLoad(fromUncheckedByteOffset: offset, as: UInt8.self)
            crc = crc >> 8 ^ tables[Int(UInt8(truncatingIfNeeded: crc) ^ byte)]
            offset += 1
        }
        return ~crc
    }
}
