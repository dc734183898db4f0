/// One function of a file: its name and the lines from its declaration to its closing brace, counted from 1.
struct FunctionExtent: Equatable, Sendable {
    let name: String
    let lines: ClosedRange<Int>
}

/// Enough of Swift's grammar to tell code from comments and strings, and to find where a function ends.
struct SwiftText: Sendable {
    /// The source with the content of comments and string literals replaced by blanks; newlines stay.
    private let code: [UInt8]
    /// `code` by lines.
    let codeLines: [String]

    init(_ source: String) {
        var blanker = Blanker(bytes: Array(source.utf8))
        blanker.run()
        code = blanker.bytes
        codeLines = String(decoding: code, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    }

    /// Functions, initializers, deinitializers and subscripts that have a body.
    func functions() -> [FunctionExtent] {
        var found: [FunctionExtent] = []
        var lineStart = 0
        var lineNumber = 1
        for line in codeLines {
            if let match = line.prefixMatch(of: Self.declaration) {
                let from = lineStart + line.utf8.distance(from: line.utf8.startIndex, to: match.range.upperBound)
                if let end = bodyEnd(from: from) {
                    let newlines = code[lineStart..<end].count { $0 == UInt8(ascii: "\n") }
                    found.append(FunctionExtent(name: String(match.1), lines: lineNumber...lineNumber + newlines))
                }
            }
            lineStart += line.utf8.count + 1
            lineNumber += 1
        }
        return found
    }

    nonisolated(unsafe) private static let declaration =  // a Regex is not Sendable, and is only read
        /\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:[a-z]+(?:\(set\))?\s+)*?((?:func\s+[^\s(<]+)|init(?=[?(<])|deinit|subscript)/

    /// The offset of the brace that closes the body, or nil where the declaration has none (a protocol's requirement).
    private func bodyEnd(from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        var index = start
        while index < code.count {
            switch code[index] {
            case UInt8(ascii: "("), UInt8(ascii: "["): parentheses += 1
            case UInt8(ascii: ")"), UInt8(ascii: "]"): parentheses -= 1
            case UInt8(ascii: "{"): braces += 1
            case UInt8(ascii: "}"):
                braces -= 1
                if braces <= 0 { return braces == 0 ? index : nil }
            case UInt8(ascii: "\n") where braces == 0 && parentheses == 0 && !continues(after: index): return nil
            default: break
            }
            index += 1
        }
        return nil
    }

    /// Whether the line after the newline at `index` still belongs to the declaration.
    private func continues(after index: Int) -> Bool {
        let rest = code[(index + 1)...].drop { $0 == UInt8(ascii: " ") }.prefix(6)
        return ["{", "where", "->", "throws", "async"].contains { rest.starts(with: $0.utf8) }
    }
}

/// Walks over the source once and blanks comments and literals in place.
private struct Blanker {
    var bytes: [UInt8]
    private var index = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    mutating func run() {
        while index < bytes.count { step() }
    }

    private func at(_ text: String, _ offset: Int = 0) -> Bool {
        bytes[min(index + offset, bytes.count)...].starts(with: text.utf8)
    }

    private mutating func blank(_ count: Int = 1) {
        for _ in 0..<count where index < bytes.count {
            if bytes[index] != UInt8(ascii: "\n") { bytes[index] = UInt8(ascii: " ") }
            index += 1
        }
    }

    private mutating func step() {
        if ![UInt8(ascii: "/"), UInt8(ascii: "\""), UInt8(ascii: "#")].contains(bytes[index]) {
            index += 1
        } else if at("//") {
            while index < bytes.count, bytes[index] != UInt8(ascii: "\n") { blank() }
        } else if at("/*") {
            comment()
        } else if at("\"") || at("#\"") || at("##\"") {
            string()
        } else {
            index += 1
        }
    }

    private mutating func comment() {
        var depth = 0
        repeat {
            if at("/*") {
                depth += 1
                blank(2)
            } else if at("*/") {
                depth -= 1
                blank(2)
            } else {
                blank()
            }
        } while depth > 0 && index < bytes.count
    }

    private mutating func string() {
        var hashes = ""
        while at("#") {
            hashes += "#"
            blank()
        }
        let quote = at("\"\"\"") ? "\"\"\"" : "\""
        blank(quote.utf8.count)
        while index < bytes.count, !at(quote + hashes) {
            if at("\\" + hashes + "(") {
                blank(2 + hashes.utf8.count)
                interpolation()
            } else if at("\\" + hashes) {
                blank(2 + hashes.utf8.count)
            } else {
                blank()
            }
        }
        blank(quote.utf8.count + hashes.utf8.count)
    }

    private mutating func interpolation() {
        var depth = 1
        while depth > 0, index < bytes.count {
            if at("\"") || at("#\"") {
                string()
                continue
            }
            if at("(") { depth += 1 }
            if at(")") { depth -= 1 }
            blank()
        }
    }
}
