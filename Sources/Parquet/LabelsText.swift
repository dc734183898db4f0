/// Reads the labels column: a JSON object of strings without spaces, as we write it.
package enum LabelsText {
    /// The pairs in the order of the text; nil for any other text.
    package static func pairs(_ json: RawSpan) -> [(name: [UInt8], value: [UInt8])]? {
        var cursor = Cursor(json)
        guard cursor.take(UInt8(ascii: "{")) else { return nil }
        var pairs: [(name: [UInt8], value: [UInt8])] = []
        if !cursor.take(UInt8(ascii: "}")) {
            repeat {
                guard let name = cursor.string(), cursor.take(UInt8(ascii: ":")), let value = cursor.string() else {
                    return nil
                }
                pairs.append((name, value))
            } while cursor.take(UInt8(ascii: ","))
            guard cursor.take(UInt8(ascii: "}")) else { return nil }
        }
        return cursor.isAtEnd ? pairs : nil
    }

    private struct Cursor: ~Escapable {
        private let bytes: RawSpan
        private var position = 0

        @_lifetime(copy bytes)
        init(_ bytes: RawSpan) { self.bytes = bytes }

        var isAtEnd: Bool { position == bytes.byteCount }

        private var next: UInt8? {
            // SAFETY: position < byteCount.
            position < bytes.byteCount ? unsafe bytes.unsafeLoad(fromByteOffset: position, as: UInt8.self) : nil
        }

        @_lifetime(self: copy self)
        mutating func take(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            position += 1
            return true
        }

        @_lifetime(self: copy self)
        mutating func string() -> [UInt8]? {
            guard take(UInt8(ascii: "\"")) else { return nil }
            var text: [UInt8] = []
            while let byte = next {
                position += 1
                switch byte {
                case UInt8(ascii: "\""): return text
                case UInt8(ascii: "\\"):
                    guard let escaped = escape() else { return nil }
                    text += escaped
                default: text.append(byte)
                }
            }
            return nil
        }

        /// What follows a backslash.
        @_lifetime(self: copy self)
        private mutating func escape() -> [UInt8]? {
            guard let byte = next else { return nil }
            position += 1
            switch byte {
            case UInt8(ascii: "b"): return [0x08]
            case UInt8(ascii: "f"): return [0x0C]
            case UInt8(ascii: "n"): return [0x0A]
            case UInt8(ascii: "r"): return [0x0D]
            case UInt8(ascii: "t"): return [0x09]
            case UInt8(ascii: "u"):
                var value: UInt32 = 0
                for _ in 0..<4 {
                    guard let digit = next.flatMap({ Character(UnicodeScalar($0)).hexDigitValue }) else { return nil }
                    position += 1
                    value = value << 4 | UInt32(digit)
                }
                // We write no pairs of surrogates.
                guard let scalar = UnicodeScalar(value) else { return nil }
                return [UInt8](String(Character(scalar)).utf8)
            default: return [byte]
            }
        }
    }
}
