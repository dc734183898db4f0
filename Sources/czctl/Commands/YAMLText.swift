/// The value of a JSON text as YAML. A string stands plain only where no reader could take it for something else.
struct YAMLText {
    private enum Part {
        /// Beside its key.
        case scalar(String)
        /// Below its key.
        case block([String])
    }

    private static let words: Set = ["true", "false", "null", "yes", "no", "on", "off", "y", "n"]

    private let json: [UInt8]
    private var position = 0

    /// - Parameter json: as `Console` makes it.
    static func of(_ json: String) -> String {
        var text = YAMLText(json: Array(json.utf8))
        switch text.part() {
        case .scalar(let scalar): return scalar
        case .block(let lines): return lines.joined(separator: "\n")
        }
    }

    private init(json: [UInt8]) { self.json = json }

    private mutating func part() -> Part {
        switch next() {
        case UInt8(ascii: "{"): list("{}") { $0.member() }
        case UInt8(ascii: "["): list("[]") { $0.element() }
        case UInt8(ascii: "\""): .scalar(string())
        default: .scalar(number())
        }
    }

    /// What is between two brackets.
    private mutating func list(_ empty: String, _ one: (inout YAMLText) -> [String]) -> Part {
        position += 1
        var lines: [String] = []
        while let byte = next(), byte != UInt8(ascii: "}"), byte != UInt8(ascii: "]") {
            if byte == UInt8(ascii: ",") { position += 1 } else { lines += one(&self) }
        }
        position += 1
        return lines.isEmpty ? .scalar(empty) : .block(lines)
    }

    private mutating func member() -> [String] {
        let key = string()
        _ = next()
        position += 1  // the colon
        switch part() {
        case .scalar(let scalar): return ["\(key): \(scalar)"]
        case .block(let lines): return ["\(key):"] + lines.map { "  \($0)" }
        }
    }

    private mutating func element() -> [String] {
        switch part() {
        case .scalar(let scalar): ["- \(scalar)"]
        case .block(let lines): ["- \(lines[0])"] + lines.dropFirst().map { "  \($0)" }
        }
    }

    /// The next byte that is no space.
    private mutating func next() -> UInt8? {
        while position < json.count, json[position] <= UInt8(ascii: " ") { position += 1 }
        return position < json.count ? json[position] : nil
    }

    private mutating func number() -> String {
        let start = position
        while let byte = next(), !",]}".utf8.contains(byte) { position += 1 }
        return String(decoding: json[start..<position].filter { $0 > UInt8(ascii: " ") }, as: UTF8.self)
    }

    /// A JSON string is a YAML string in double quotes, but for characters that YAML wants escaped.
    private mutating func string() -> String {
        let start = position + 1
        position = start
        while position < json.count, json[position] != UInt8(ascii: "\"") {
            position += json[position] == UInt8(ascii: "\\") ? 2 : 1
        }
        let text = String(decoding: json[start..<min(position, json.count)], as: UTF8.self)
        position += 1
        if Self.isPlain(text) { return text }
        let escaped = text.unicodeScalars.map { scalar in
            let isHidden = (0x7F...0x9F).contains(scalar.value) || [0xFEFF, 0xFFFE, 0xFFFF].contains(scalar.value)
            return isHidden ? "\\u" + String(0x1_0000 + scalar.value, radix: 16).dropFirst() : String(scalar)
        }
        return "\"\(escaped.joined())\""
    }

    private static func isPlain(_ text: String) -> Bool {
        guard let first = text.utf8.first, isLetter(first) || first == UInt8(ascii: "/") else { return false }
        return !words.contains(text.lowercased())
            && text.utf8.allSatisfy { isLetter($0) || (0x30...0x39).contains($0) || "_./-".utf8.contains($0) }
    }

    private static func isLetter(_ byte: UInt8) -> Bool { (0x61...0x7A).contains(byte | 0x20) }
}
