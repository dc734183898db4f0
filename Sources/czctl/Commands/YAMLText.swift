internal import JSON

/// A JSON value as YAML (1.2, block style). A text stands plain only where no reader could take it for something else.
enum YAMLText {
    private static let words: Set = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]

    static func of(_ value: JSONValue) -> String { lines(value).joined(separator: "\n") }

    private static func lines(_ value: JSONValue) -> [String] {
        switch value {
        case .object(let members) where !members.isEmpty:
            members.flatMap { member in
                isBlock(member.value)
                    ? ["\(scalar(member.key)):"] + lines(member.value).map { "  \($0)" }
                    : ["\(scalar(member.key)): \(lines(member.value)[0])"]
            }
        case .array(let values) where !values.isEmpty:
            values.flatMap { value in
                let lines = lines(value)
                return ["- \(lines[0])"] + lines.dropFirst().map { "  \($0)" }
            }
        case .string(let text): [scalar(text)]
        default: [value.text()]
        }
    }

    private static func isBlock(_ value: JSONValue) -> Bool {
        switch value {
        case .object(let members): !members.isEmpty
        case .array(let values): !values.isEmpty
        default: false
        }
    }

    /// A JSON text is a YAML text in double quotes, but for characters that YAML wants escaped.
    private static func scalar(_ text: String) -> String {
        if isPlain(text) { return text }
        return JSONValue.string(text).text().unicodeScalars.map { scalar in
            let isHidden = (0x7F...0x9F).contains(scalar.value) || [0xFEFF, 0xFFFE, 0xFFFF].contains(scalar.value)
            return isHidden ? "\\u" + String(0x1_0000 + scalar.value, radix: 16).dropFirst() : String(scalar)
        }.joined()
    }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetter(first) || first == UInt8(ascii: "/") else { return false }
        return !words.contains(text.lowercased())
            && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "_./-".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}
