extension JSONValue {
    public enum Layout: Sendable {
        /// On one line without a space.
        case line
        /// A line for each value, two spaces deeper in an object or array.
        case indented
    }

    /// The value as a JSON text in UTF-8. Control characters, `"` and `\` are escaped, all else is as it is.
    public func text(_ layout: Layout = .line) -> String {
        var text = ""
        append(to: &text, layout, indent: 0)
        return text
    }

    private func append(to text: inout String, _ layout: Layout, indent: Int) {
        switch self {
        case .null: text += "null"
        case .bool(let value): text += value ? "true" : "false"
        case .number(let spelled): text += spelled
        case .string(let string): Self.append(string, to: &text)
        case .array(let values):
            Self.append(values, "[", "]", to: &text, layout, indent) { value, text in
                value.append(to: &text, layout, indent: indent + 1)
            }
        case .object(let members):
            Self.append(members, "{", "}", to: &text, layout, indent) { member, text in
                Self.append(member.key, to: &text)
                text += layout == .indented ? ": " : ":"
                member.value.append(to: &text, layout, indent: indent + 1)
            }
        }
    }

    private static func append<Element>(
        _ elements: [Element], _ open: String, _ close: String, to text: inout String, _ layout: Layout, _ indent: Int,
        _ appendElement: (Element, inout String) -> Void
    ) {
        text += open
        for (index, element) in elements.enumerated() {
            if index > 0 { text += "," }
            if layout == .indented { text += "\n" + String(repeating: "  ", count: indent + 1) }
            appendElement(element, &text)
        }
        if layout == .indented, !elements.isEmpty { text += "\n" + String(repeating: "  ", count: indent) }
        text += close
    }

    private static func append(_ string: String, to text: inout String) {
        text += "\""
        for scalar in string.unicodeScalars {
            switch scalar {
            case "\"": text += "\\\""
            case "\\": text += "\\\\"
            case "\n": text += "\\n"
            case "\r": text += "\\r"
            case "\t": text += "\\t"
            case "\u{0}"..."\u{1F}":
                text += "\\u00" + (scalar.value < 16 ? "0" : "") + String(scalar.value, radix: 16)
            default: text.unicodeScalars.append(scalar)
            }
        }
        text += "\""
    }
}
