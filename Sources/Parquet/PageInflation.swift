internal import Bytes
internal import CCompression
internal import Snappy

/// Page bodies as they were before their codec.
enum PageInflation {
    /// A Snappy element of 3 bytes gives 64 at most.
    private static let snappyRatioLimit = 22
    /// gzip gives 1,032 bytes for one; Zstandard may give more, and writers make pages of a megabyte.
    private static let ratioLimit = 1032
    private static let usualByteLimit = 16 << 20

    /// - Parameter raw: keeps its storage from page to page.
    static func inflate(
        _ stored: RawSpan, _ header: PageHeader, _ codec: Codec, into raw: inout [UInt8]
    ) throws(ParquetError) {
        let byteCount = header.uncompressedByteCount
        if codec == .snappy, header.levelByteCounts == nil {
            return try inflateSnappy(stored, byteCount, into: &raw)
        }
        raw.removeAll(keepingCapacity: true)
        // Levels of a page of version 2 stand before what was compressed.
        let levels = header.levelByteCounts.map { $0.repetition + $0.definition } ?? 0
        guard levels <= stored.byteCount, levels <= byteCount else {
            throw ParquetError(.corrupt("levels longer than their page"))
        }
        let values = stored.extracting(droppingFirst: levels)
        let valueByteCount = byteCount - levels
        guard codec != .uncompressed, header.isCompressed, valueByteCount > 0 else {
            guard stored.byteCount == byteCount || valueByteCount == 0 else {
                throw ParquetError(.corrupt("an uncompressed page of two sizes"))
            }
            return raw.append(stored.extracting(first: byteCount))
        }
        raw.append(stored.extracting(first: levels))
        switch codec {
        case .snappy:
            var inflated: [UInt8] = []
            try inflateSnappy(values, valueByteCount, into: &inflated)
            raw += inflated
        case .gzip, .zstd: try inflate(values, valueByteCount, isZstandard: codec == .zstd, into: &raw)
        default: throw ParquetError(.notSupported("\(codec)"))
        }
    }

    private static func inflateSnappy(
        _ stored: RawSpan, _ byteCount: Int, into raw: inout [UInt8]
    ) throws(ParquetError) {
        guard byteCount / snappyRatioLimit <= stored.byteCount else {
            throw ParquetError(.corrupt("a page of \(stored.byteCount) bytes cannot hold \(byteCount)"))
        }
        do throws(SnappyError) {
            try Snappy.decompress(stored, limit: byteCount, into: &raw)
        } catch {
            throw ParquetError(.corrupt("a page is not a Snappy block of its size"))
        }
        guard raw.count == byteCount else { throw ParquetError(.corrupt("a page inflates to \(raw.count) bytes")) }
    }

    private static func inflate(
        _ stored: RawSpan, _ byteCount: Int, isZstandard: Bool, into raw: inout [UInt8]
    ) throws(ParquetError) {
        guard byteCount <= usualByteLimit || byteCount / ratioLimit <= stored.byteCount else {
            throw ParquetError(.tooLarge(what: "page", size: byteCount, limit: usualByteLimit))
        }
        var isWhole = false
        raw.append(addingCapacity: byteCount) { room in
            // SAFETY: the buffers are used only within the closures; room holds `byteCount` bytes, and no more are
            // written.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                unsafe stored.withUnsafeBytes { input in
                    isWhole =
                        unsafe ccompression_inflate(
                            isZstandard ? 1 : 0, input.baseAddress, input.count, buffer.baseAddress, byteCount) == 1
                    written = isWhole ? byteCount : 0
                }
            }
        }
        guard isWhole else {
            throw ParquetError(.corrupt("a page is not the \(isZstandard ? "ZSTD" : "GZIP") stream of its size"))
        }
    }
}
