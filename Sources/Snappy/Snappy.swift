internal import CSnappy

/// Why Snappy bytes could not be inflated.
public enum SnappyError: Error, Equatable, Sendable {
    /// The bytes are not one Snappy block.
    case malformed
    /// The block declares more bytes than the limit. Nothing was allocated.
    case tooLarge(declared: Int, limit: Int)
}

/// Snappy's raw block format by libsnappy: varint length, then elements. No framing.
public enum Snappy {
    /// The most bytes that one of a block can stand for, rounded up: an element of 3 bytes copies 64.
    private static let ratioLimit = 22

    /// The length the block declares, checked against `limit` and against what so many bytes can hold, before anything
    /// is allocated.
    public static func declaredLength(_ block: RawSpan, limit: Int) throws(SnappyError) -> Int {
        var length = 0
        // SAFETY: the callee reads only the span's bytes, during the call.
        let status = unsafe block.withUnsafeBytes {
            unsafe snappy_uncompressed_length($0.baseAddress, $0.count, &length)
        }
        guard status == SNAPPY_OK else { throw .malformed }
        guard length >= 0, length <= limit else { throw .tooLarge(declared: length, limit: limit) }
        guard length / ratioLimit <= block.byteCount else { throw .malformed }
        return length
    }

    /// Inflates `block` into `output`, which keeps its storage from call to call.
    public static func decompress(_ block: RawSpan, limit: Int, into output: inout [UInt8]) throws(SnappyError) {
        let declared = try declaredLength(block, limit: limit)
        var status = SNAPPY_OK
        output.removeAll(keepingCapacity: true)
        output.append(addingCapacity: declared) { room in
            // SAFETY: the buffers are used only within the closures. room holds at least `declared` bytes; libsnappy
            // writes no more than `length`.
            unsafe room.withUnsafeMutableBufferPointer { buffer, written in
                unsafe block.withUnsafeBytes { input in
                    unsafe UnsafeMutableRawBufferPointer(buffer).withMemoryRebound(to: CChar.self) { output in
                        var length = declared
                        status = unsafe snappy_uncompress(
                            input.baseAddress, input.count, output.baseAddress, &length)
                        written = status == SNAPPY_OK ? length : 0
                    }
                }
            }
        }
        guard status == SNAPPY_OK, output.count == declared else { throw .malformed }
    }

    /// The block of `bytes`: libsnappy's encoder, whose window is 64 KiB.
    public static func compress(_ bytes: RawSpan) -> [UInt8] {
        var block: [UInt8] = []
        let length = compress(bytes, into: &block)
        return Array(block[..<length])
    }

    /// Writes the block of `bytes` to the begin of `block`, which only ever grows: what one call left is there for the
    /// next.
    /// - Returns: the block's length.
    public static func compress(_ bytes: RawSpan, into block: inout [UInt8]) -> Int {
        let capacity = snappy_max_compressed_length(bytes.byteCount)
        if block.count < capacity { block.append(contentsOf: repeatElement(0, count: capacity - block.count)) }
        var length = block.count
        // SAFETY: the output has libsnappy's own bound for this input.
        let status = unsafe bytes.withUnsafeBytes { input in
            unsafe block.withUnsafeMutableBytes { output in
                unsafe snappy_compress(
                    input.baseAddress, input.count, output.bindMemory(to: CChar.self).baseAddress, &length)
            }
        }
        precondition(status == SNAPPY_OK, "libsnappy compresses any input into its own bound")
        return length
    }
}
