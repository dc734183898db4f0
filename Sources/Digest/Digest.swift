internal import CCrypto

/// A message digest of libcrypto: the hashes that leave the machine (names of files, checks of S3, signatures).
public enum DigestAlgorithm: Sendable {
    case sha256
    case md5

    /// Bytes of the digest.
    public var byteCount: Int { self == .sha256 ? 32 : 16 }
}

/// A running digest.
@safe public struct Digest: ~Copyable {
    // SAFETY: owned by this value alone: made in init, freed once in deinit.
    private let context: UnsafeMutableRawPointer
    private let algorithm: DigestAlgorithm

    public init(_ algorithm: DigestAlgorithm) {
        self.algorithm = algorithm
        guard let context = unsafe ccrypto_digest_new(algorithm == .md5 ? 1 : 0) else {
            preconditionFailure("out of memory")
        }
        unsafe self.context = context
    }

    public mutating func update(_ bytes: RawSpan) {
        let done = unsafe bytes.withUnsafeBytes { unsafe ccrypto_digest_update(context, $0.baseAddress, $0.count) }
        precondition(done == 1)
    }

    /// The digest of all updates.
    public consuming func finish() -> [UInt8] {
        var digest = [UInt8](repeating: 0, count: algorithm.byteCount)
        // SAFETY: the array has the algorithm's length.
        let done = unsafe digest.withUnsafeMutableBufferPointer {
            unsafe ccrypto_digest_finish(context, $0.baseAddress)
        }
        precondition(done == 1)
        return digest
    }

    deinit { unsafe ccrypto_digest_free(context) }

    public static func of(_ bytes: [UInt8], _ algorithm: DigestAlgorithm) -> [UInt8] {
        var digest = Digest(algorithm)
        // SAFETY: UInt8 has no padding.
        digest.update(unsafe bytes.span.bytes)
        return digest.finish()
    }

    /// HMAC-SHA256 of `message` (RFC 2104).
    public static func hmacSHA256(key: [UInt8], message: [UInt8]) -> [UInt8] {
        var block = key.count > 64 ? of(key, .sha256) : key
        block += [UInt8](repeating: 0, count: 64 - block.count)
        let inner = of(block.map { $0 ^ 0x36 } + message, .sha256)
        return of(block.map { $0 ^ 0x5C } + inner, .sha256)
    }
}

extension Digest {
    /// Whether two digests are equal, in a time that does not tell where they differ.
    public static func areEqual(_ first: [UInt8], _ second: [UInt8]) -> Bool {
        guard first.count == second.count else { return false }
        // SAFETY: both arrays hold first.count bytes.
        return unsafe first.withUnsafeBytes { first in
            unsafe second.withUnsafeBytes { unsafe ccrypto_compare(first.baseAddress, $0.baseAddress, $0.count) }
        } == 0
    }
}

/// The standard Base64 of `bytes`, padded (RFC 4648 §4). 1 GiB at most.
public func base64(_ bytes: [UInt8]) -> [UInt8] {
    precondition(bytes.count <= 1 << 30, "libcrypto counts in Int32")
    var text = [UInt8](repeating: 0, count: (bytes.count + 2) / 3 * 4 + 1)
    // SAFETY: ccrypto_encode_base64 reads bytes.count bytes and writes four for every three, and a NUL.
    let count = unsafe text.withUnsafeMutableBufferPointer { out in
        unsafe bytes.withUnsafeBufferPointer {
            unsafe ccrypto_encode_base64(out.baseAddress, $0.baseAddress, Int32($0.count))
        }
    }
    return Array(text.prefix(Int(count)))
}

/// Lower-case hex of `bytes`.
public func hex(_ bytes: some Sequence<UInt8>) -> String {
    let digits: [UInt8] = Array("0123456789abcdef".utf8)
    var text: [UInt8] = []
    for byte in bytes {
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
    }
    return String(decoding: text, as: UTF8.self)
}
