/// What a text may look like.
package enum TextForm: Equatable, Sendable {
    /// Letters, digits and hyphens, 253 at most; surrounding quotes and blanks are dropped, as the original does.
    case identifier
    case path
    /// A host name, which may carry a scheme, a port and a path.
    case host
    /// A host or `*.suffix`, with or without a port: where an upload may go.
    case hostPattern
    /// A host, domain or address range that goes around the proxy.
    case proxyException
    /// An IP address or host name to listen on.
    case address
    case bucket
    /// Letters, digits and underscores, no digit first: what query engines take as a column's name, too.
    case labelName
    /// The begin of object keys; slashes at either end are dropped.
    case prefix
    /// `http://` or `https://`. User and password are refused here and hidden where they are allowed.
    case url(userAllowed: Bool)

    var noun: String {
        switch self {
        case .identifier: "letters, digits, hyphens"
        case .path: "path"
        case .host: "host"
        case .hostPattern: "host or *.suffix"
        case .proxyException: "host, domain or range"
        case .address: "address"
        case .bucket: "bucket name"
        case .labelName: "label name"
        case .prefix: "key prefix"
        case .url: "URL"
        }
    }

    func read(_ text: String) throws(ValueProblem) -> String {
        let cleaned = self == .identifier ? text.unquoted : self == .prefix ? text.withoutOuterSlashes : text
        guard let reason = refusal(of: cleaned) else { return cleaned }
        throw ValueProblem(value: text, reason: reason)
    }

    private func refusal(of text: String) -> String? {
        let bytes = text.utf8
        guard !bytes.isEmpty else { return self == .prefix ? nil : "is empty" }
        guard bytes.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }) else { return "holds a control character" }
        switch self {
        case .identifier:
            guard bytes.count <= 253 else { return "is longer than 253 characters" }
            return bytes.allSatisfy { $0.isLetterOrDigit || $0 == hyphen }
                ? nil : "may hold letters, digits and hyphens only"
        case .path: return bytes.count <= 4095 ? nil : "is longer than 4095 bytes"
        case .host: return hostRefusal(text)
        case .hostPattern: return isHostPattern(text) ? nil : "is not a host (write name, name:port or *.suffix)"
        case .proxyException: return text.consists(of: ".-:*/[]_") ? nil : "is not a host, domain or address range"
        case .address: return text.consists(of: ".-:%_") ? nil : "is not an IP address or host name"
        case .bucket:
            guard (3...63).contains(bytes.count), text.consists(of: ".-_") else {
                return "is not a bucket name (3 to 63 letters, digits, dots and hyphens)"
            }
            return nil
        case .labelName:
            guard let first = bytes.first, first == underscore || first.isLetterOrDigit && first > UInt8(ascii: "9"),
                text.consists(of: "_")
            else { return "is not a label name (letters, digits and underscores, no digit first)" }
            return nil
        case .prefix:
            guard bytes.count <= 512 else { return "is longer than 512 bytes" }
            let parts = text.split(separator: "/", omittingEmptySubsequences: false)
            return parts.contains { $0.isEmpty || $0 == "." || $0 == ".." } ? "holds an empty, . or .. part" : nil
        case .url(let userAllowed): return urlRefusal(text, userAllowed: userAllowed)
        }
    }

    private func hostRefusal(_ text: String) -> String? {
        let rest = text.withoutScheme ?? text[...]
        guard let host = rest.split(separator: "/", omittingEmptySubsequences: false).first, !host.isEmpty else {
            return "is not a host"
        }
        guard String(rest).consists(of: ".-:/_~[]") else { return "is not a host (write name, name:port or name/path)" }
        return nil
    }

    private func isHostPattern(_ text: String) -> Bool {
        let rest = text.hasPrefix("*.") ? String(text.dropFirst(2)) : text
        return !rest.isEmpty && rest.consists(of: ".-:[]_")
    }

    private func urlRefusal(_ text: String, userAllowed: Bool) -> String? {
        let example = "write it like https://host:443"
        guard let rest = text.withoutScheme, !rest.isEmpty, rest.first != "/" else {
            return "is not a URL (\(example))"
        }
        guard rest.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F }) else {
            return "is not a URL: it holds a blank or non-ASCII"
        }
        guard userAllowed || !rest.contains("@") else { return "must not hold a user or password (use the key files)" }
        guard !rest.contains("?"), !rest.contains("#") else { return "must not hold a query or fragment" }
        return nil
    }
}

private let hyphen = UInt8(ascii: "-")
private let underscore = UInt8(ascii: "_")

extension UInt8 {
    fileprivate var isLetterOrDigit: Bool {
        switch self {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "A")...UInt8(ascii: "Z"):
            true
        default: false
        }
    }
}

extension String {
    /// Letters and digits of ASCII and `punctuation`, 1,024 at most.
    fileprivate func consists(of punctuation: String) -> Bool {
        utf8.count <= 1024 && utf8.allSatisfy { $0.isLetterOrDigit || punctuation.utf8.contains($0) }
    }

    fileprivate var unquoted: String {
        var text = self[...].trimmed[...]
        if text.utf8.count >= 2, let first = text.first, first == text.last, first == "\"" || first == "'" {
            text = text.dropFirst().dropLast()
        }
        return text.trimmed
    }

    fileprivate var withoutOuterSlashes: String {
        var text = self[...]
        while text.hasPrefix("/") { text.removeFirst() }
        while text.hasSuffix("/") { text.removeLast() }
        return String(text)
    }

    /// What follows `http://` or `https://`; nil without one.
    fileprivate var withoutScheme: Substring? {
        let lowered = lowercased()
        for scheme in ["https://", "http://"] where lowered.hasPrefix(scheme) { return dropFirst(scheme.count) }
        return nil
    }
}
