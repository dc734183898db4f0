internal import CHash

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4) of bytes, as finalized by zlib's convention.
public enum CRC32C {
    /// Extends `crc` over `bytes`; start with 0.
    public static func extend(_ crc: UInt32 = 0, over bytes: RawSpan) -> UInt32 {
        // SAFETY: the callee reads only the span's bytes, during the call.
        unsafe bytes.withUnsafeBytes { unsafe chash_crc32c(crc, $0.baseAddress, $0.count) }
    }

    /// The same by table: the oracle of the hardware's answer.
    public static func portable(_ crc: UInt32 = 0, over bytes: RawSpan) -> UInt32 {
        // SAFETY: as above.
        unsafe bytes.withUnsafeBytes { unsafe chash_crc32c_portable(crc, $0.baseAddress, $0.count) }
    }
}

/// 128 bits that name bytes: XXH3 under a seed of the volume, so that a sender cannot prepare collisions.
public struct Hash128: Hashable, Sendable {
    public let low: UInt64
    public let high: UInt64

    @inlinable public init(low: UInt64, high: UInt64) {
        self.low = low
        self.high = high
    }

    public init(of bytes: RawSpan, seed: UInt64) {
        // SAFETY: the callee reads only the span's bytes, during the call.
        let hash = unsafe bytes.withUnsafeBytes { unsafe chash_xxh3_128($0.baseAddress, $0.count, seed) }
        self.init(low: hash.low, high: hash.high)
    }

    /// 32 lower-case hex digits, high half first (XXH3's canonical order).
    public var hex: String { Self.hex16(high) + Self.hex16(low) }

    private static func hex16(_ value: UInt64) -> String {
        let digits = String(value, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }
}

/// XXH64, seed 0, of bytes: the hash of Parquet's bloom filters (parquet.md §10).
public func xxh64(_ bytes: RawSpan) -> UInt64 {
    // SAFETY: the callee reads only the span's bytes, during the call.
    unsafe bytes.withUnsafeBytes { unsafe chash_xxh64($0.baseAddress, $0.count) }
}

/// A 64-bit XXH3 of `bytes` under `seed`.
public func xxh3(_ bytes: RawSpan, seed: UInt64) -> UInt64 {
    // SAFETY: the callee reads only the span's bytes, during the call.
    unsafe bytes.withUnsafeBytes { unsafe chash_xxh3_64($0.baseAddress, $0.count, seed) }
}

/// A running XXH3 128-bit hash.
@safe public struct Hash128Stream: ~Copyable {
    // SAFETY: owned by this value alone: made in init, freed once in deinit.
    private let state: OpaquePointer

    public init(seed: UInt64 = 0) {
        guard let state = unsafe chash_stream_new(seed) else { preconditionFailure("out of memory") }
        unsafe self.state = state
    }

    public mutating func update(_ bytes: RawSpan) {
        unsafe bytes.withUnsafeBytes { unsafe chash_stream_update(state, $0.baseAddress, $0.count) }
    }

    public var value: Hash128 {
        let hash = unsafe chash_stream_value(state)
        return Hash128(low: hash.low, high: hash.high)
    }

    deinit { unsafe chash_stream_free(state) }
}
