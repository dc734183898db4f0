import CSnappy
import Snappy

/// Every input as a block to inflate, and as bytes to compress: libsnappy is the oracle of both.
func fuzzSnappy(_ input: UnsafeRawBufferPointer) {
    let bytes = [UInt8](input)
    inflate(bytes)
    var output: [UInt8] = []
    Snappy.compressWholeWindow(bytes.span.bytes, into: &output)
    require(output.count <= Snappy.wholeWindowBound(bytes.count), "the encoder passed its bound")
    for block in [output, Snappy.compress(bytes.span.bytes)] {
        require(
            block.withUnsafeBytes { snappy_validate_compressed_buffer($0.baseAddress, $0.count) } == SNAPPY_OK,
            "our block is none")
        require(inflated(block, limit: bytes.count) == .success(bytes), "a round trip changed the bytes")
    }
}

private let inflateLimit = 1 << 16

private func inflate(_ block: [UInt8]) {
    let found = inflated(block, limit: inflateLimit)
    var declared = 0
    let status = block.withUnsafeBytes { snappy_uncompressed_length($0.baseAddress, $0.count, &declared) }
    if status != SNAPPY_OK {
        require(found == .failure(.malformed), "a length was read where libsnappy reads none")
    } else if declared > inflateLimit {
        require(found == .failure(.tooLarge(declared: declared, limit: inflateLimit)), "the limit was passed")
    } else {
        var oracle = [UInt8](repeating: 0, count: declared)
        var length = declared
        let status = block.withUnsafeBytes { source in
            oracle.withUnsafeMutableBytes {
                snappy_uncompress(source.baseAddress, source.count, $0.baseAddress, &length)
            }
        }
        require(found == (status == SNAPPY_OK ? .success(oracle) : .failure(.malformed)), "libsnappy says otherwise")
    }
}

/// Into storage that holds something else, as the intake's does.
private func inflated(_ block: [UInt8], limit: Int) -> Result<[UInt8], SnappyError> {
    var output = [UInt8](repeating: 0xA5, count: block.count % 1000)
    do throws(SnappyError) {
        try Snappy.decompress(block.span.bytes, limit: limit, into: &output)
        return .success(output)
    } catch {
        return .failure(error)
    }
}
