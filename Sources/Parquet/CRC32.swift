internal import CCompression

/// CRC-32 of zlib and gzip (reflected 0xEDB88320): the checksum of Parquet's pages.
package enum CRC32 {
    /// - Parameter crc: of the bytes before these.
    package static func of(_ bytes: RawSpan, after crc: UInt32 = 0) -> UInt32 {
        // SAFETY: the callee reads only the span's bytes, during the call.
        unsafe bytes.withUnsafeBytes { unsafe ccompression_crc32(crc, $0.baseAddress, $0.count) }
    }
}
