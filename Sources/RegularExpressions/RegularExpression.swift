internal import CRE2

/// A pattern in RE2's syntax, which is that of Go's `regexp`: no back references, no look-around, and so no text that
/// takes more than time linear in its length (docs/decisions/0003-regular-expressions.md).
@safe public final class RegularExpression: Sendable {
    /// Bytes of a pattern's program and of the states that matching keeps; RE2 starts afresh when they are full.
    public static let memoryLimit = 256 << 10
    private static let reasonByteLimit = 256

    /// Of the pattern that this object alone owns: made in init, freed in deinit. As a number, since a C pointer is not
    /// Sendable; RE2 itself matches from any thread.
    private let address: UInt

    /// - Throws: when RE2 refuses the pattern.
    public init(_ pattern: String) throws(RegularExpressionError) {
        let bytes = Array(pattern.utf8).map { CChar(bitPattern: $0) }
        var reason = [CChar](repeating: 0, count: Self.reasonByteLimit)
        // SAFETY: the callee reads `bytes` and writes at most `reasonByteLimit` bytes, during the call.
        let made = unsafe bytes.withUnsafeBufferPointer { bytes in
            unsafe reason.withUnsafeMutableBufferPointer { reason in
                unsafe cre2_compile(
                    bytes.baseAddress, bytes.count, Int64(Self.memoryLimit), reason.baseAddress, reason.count)
            }
        }
        guard let made = unsafe made else {
            let text = reason.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }
            throw RegularExpressionError(reason: String(decoding: text, as: UTF8.self))
        }
        address = UInt(bitPattern: made)
    }

    /// Whether the pattern stands anywhere in `text`.
    public func matches(_ text: RawSpan) -> Bool {
        // SAFETY: the pattern lives as long as this object; the callee reads only the span's bytes, during the call.
        unsafe text.withUnsafeBytes { text in
            unsafe cre2_matches(OpaquePointer(bitPattern: address), text.baseAddress, text.count) != 0
        }
    }

    deinit {
        // SAFETY: made by cre2_compile, freed only here.
        unsafe cre2_free(OpaquePointer(bitPattern: address))
    }
}

/// Why a pattern cannot be used, in RE2's words.
public struct RegularExpressionError: Error, Equatable, Sendable {
    public let reason: String
}
