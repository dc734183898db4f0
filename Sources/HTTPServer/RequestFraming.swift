internal import NIOHTTP1

/// What one head says about its body and its connection, read in one pass over the headers.
///
/// NIO's decoder has already refused two lengths, a length beside `Transfer-Encoding`, and a coding that does not
/// end in `chunked`.
struct RequestFraming: Equatable {
    /// Bytes by `Content-Length`, 0 without a body, nil for a chunked one.
    private(set) var declaredLength: Int? = 0
    private(set) var expectsContinue = false
    /// HTTP's keep-alive rule, and no `Upgrade` or `CONNECT`: the decoder stops after those.
    private(set) var allowsNext: Bool
    /// A length no Int holds, a transfer coding other than chunked, or content of a `CONNECT`.
    private(set) var isMalformed = false

    init(_ head: HTTPRequestHead) {
        allowsNext = head.isKeepAlive && head.method != .CONNECT
        for (name, value) in head.headers {
            switch name.utf8.count {
            case 6 where Self.equal(name, "expect"):
                expectsContinue = head.version.minor >= 1 && Self.equal(value, "100-continue")
            case 7 where Self.equal(name, "upgrade"):
                allowsNext = false
            case 14 where Self.equal(name, "content-length"):
                declaredLength = Int(Self.withoutTrailingSpace(value))
                if declaredLength == nil { isMalformed = true }
            case 17 where Self.equal(name, "transfer-encoding"):
                declaredLength = nil
                // NIO's decoder takes an empty value for no coding, and would read the body as the next request. Of
                // other codings we know none.
                if !Self.equal(Self.withoutTrailingSpace(value), "chunked") { isMalformed = true }
                // RFC 9112 §6.1: chunked from a 1.0 client may be a proxy's mistake; nothing after it can be trusted.
                if head.version.minor < 1 { allowsNext = false }
            default: break
            }
        }
        // RFC 9110 §9.3.6: a CONNECT has no content; the decoder ends it at its head, whatever length it declares.
        if head.method == .CONNECT, declaredLength != 0 { isMalformed = true }
    }

    /// RFC 9110 §5.5: spaces and tabs behind a value are no part of it; the decoder leaves them.
    private static func withoutTrailingSpace(_ value: String) -> Substring {
        var rest = value[...]
        while let last = rest.utf8.last, last == 0x20 || last == 0x09 { rest.removeLast() }
        return rest
    }

    /// ASCII equality without case; `lower` is in lower case.
    private static func equal(_ text: some StringProtocol, _ lower: StaticString) -> Bool {
        guard text.utf8.count == lower.utf8CodeUnitCount else { return false }
        // SAFETY: a StaticString of ASCII lives for ever and has utf8CodeUnitCount bytes.
        let expected = unsafe UnsafeBufferPointer(start: lower.utf8Start, count: lower.utf8CodeUnitCount)
        return unsafe zip(text.utf8, expected).allSatisfy { byte, wanted in
            (0x41...0x5A).contains(byte) ? byte | 0x20 == wanted : byte == wanted
        }
    }
}
