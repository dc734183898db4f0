internal import Bytes

/// The labels of a series for a message: at most 200 bytes and a label's worth.
struct LabelText {
    private var text = "{"
    private(set) var isFull = false

    mutating func add(name: RawSpan, value: RawSpan) {
        guard !isFull else { return }
        isFull = text.utf8.count >= 200
        if text.utf8.count > 1 { text += "," }
        text += isFull ? "..." : "\(Self.of(name).prefix(60))=\"\(Self.of(value).prefix(60))\""
    }

    var description: String { text + "}" }

    /// Control characters are escaped, so that a sender cannot write lines of its own into a message.
    static func of(_ bytes: RawSpan) -> String {
        let shown = [UInt8](bytes.extracting(0..<min(bytes.byteCount, 200)))
        return String(decoding: shown, as: UTF8.self).unicodeScalars.reduce(into: "") { text, scalar in
            text +=
                scalar.value < 0x20 || scalar.value == 0x7F ? "\\u{\(String(scalar.value, radix: 16))}" : String(scalar)
        }
    }
}
