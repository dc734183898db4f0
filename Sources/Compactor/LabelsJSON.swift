/// A label set as the original writes it: a JSON object without spaces, keys sorted by bytes, escapes as Go's
/// encoding/json makes them (parquet.md §1).
package enum LabelsJSON {
    private static let hexDigits = Array("0123456789abcdef".utf8)

    /// Bytes that stand for themselves: no control character, quote, backslash, `<`, `>`, `&`; 0xE2 may begin U+2028.
    private static let isPlain: [Bool] = (0...255).map { byte in
        byte >= 0x20 && ![0x22, 0x5C, 0x3C, 0x3E, 0x26, 0xE2].contains(byte)
    }

    /// The JSON string of UTF-8 `text`, opening quote left out, closing quote included.
    package static func appendString(_ text: ArraySlice<UInt8>, to out: inout [UInt8]) {
        var index = text.startIndex
        var plain = index
        while index < text.endIndex {
            let byte = text[index]
            if isPlain[Int(byte)] {
                index += 1
                continue
            }
            out.append(contentsOf: text[plain..<index])
            index += appendEscaped(text, index, to: &out)
            plain = index
        }
        out.append(contentsOf: text[plain..<index])
        out.append(UInt8(ascii: "\""))
    }

    /// The character at `index`, escaped where JSON or Go asks for it; returns its bytes.
    private static func appendEscaped(_ text: ArraySlice<UInt8>, _ index: Int, to out: inout [UInt8]) -> Int {
        let byte = text[index]
        switch byte {
        case 0x22, 0x5C: out += [0x5C, byte]
        case 0x08: out += Array("\\b".utf8)
        case 0x0C: out += Array("\\f".utf8)
        case 0x0A: out += Array("\\n".utf8)
        case 0x0D: out += Array("\\r".utf8)
        case 0x09: out += Array("\\t".utf8)
        case 0xE2:
            // U+2028 and U+2029 are E2 80 A8 and E2 80 A9.
            guard index + 2 < text.endIndex, text[index + 1] == 0x80, text[index + 2] & ~1 == 0xA8 else {
                out.append(byte)
                return 1
            }
            out += Array("\\u202".utf8) + [text[index + 2] == 0xA8 ? UInt8(ascii: "8") : UInt8(ascii: "9")]
            return 3
        default:
            out += Array("\\u00".utf8) + [hexDigits[Int(byte >> 4)], hexDigits[Int(byte & 15)]]
        }
        return 1
    }
}
