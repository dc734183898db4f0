package import NIOHTTP1
package import Samples

/// What the headers of a write request say of its body (RFC 9110 §8.3; remote write 2.0, "Protocol").
package enum ContentNegotiation: Equatable, Sendable {
    case accepted(WriteProtocol)
    case badType(String)
    case badEncoding(String)

    package init(_ headers: HTTPHeaders) {
        // No header at all: an old sender, which means v1 in snappy.
        let encoding = headers.first(name: "content-encoding")?.trimmed ?? "snappy"
        guard encoding.lowercased() == "snappy" else {
            self = .badEncoding(encoding)
            return
        }
        guard let type = headers.first(name: "content-type") else {
            self = .accepted(.v1)
            return
        }
        var parts = Self.parameters(type)
        guard parts.removeFirst().lowercased() == "application/x-protobuf" else {
            self = .badType(type)
            return
        }
        var source = WriteProtocol.v1
        for part in parts {
            guard let equals = part.firstIndex(of: "="), part[..<equals].trimmed.lowercased() == "proto" else {
                continue
            }
            switch Self.unquoted(String(part[part.index(after: equals)...]).trimmed) {
            case "prometheus.WriteRequest": source = .v1
            case "io.prometheus.write.v2.Request": source = .v2
            default:
                self = .badType(type)
                return
            }
        }
        self = .accepted(source)
    }

    /// The parts between semicolons, trimmed; a semicolon in quotes is text.
    private static func parameters(_ value: String) -> [String] {
        var isQuoted = false
        // Bytes, here and below: looking for the bounds of characters took a twelfth of a request's time.
        let parts = value.utf8.split(omittingEmptySubsequences: false) { byte in
            if byte == UInt8(ascii: "\"") { isQuoted.toggle() }
            return byte == UInt8(ascii: ";") && !isQuoted
        }
        return parts.map { Substring($0).trimmed }
    }

    private static func unquoted(_ value: String) -> String {
        guard value.count >= 2, value.hasPrefix("\""), value.hasSuffix("\"") else { return value }
        var text = ""
        var isEscaped = false
        for character in value.dropFirst().dropLast() {
            if character == "\\", !isEscaped {
                isEscaped = true
            } else {
                text.append(character)
                isEscaped = false
            }
        }
        return text
    }
}

extension StringProtocol {
    /// Without spaces and tabs around it.
    var trimmed: String {
        var rest = Substring(self).utf8
        let isSpace: (UInt8) -> Bool = { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return String(Substring(rest))
    }
}
