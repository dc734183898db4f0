/// Reads the labels column: a JSON object of strings, as we or others write it.
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
        cursor.skipSpaces()
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
        mutating func skipSpaces() {
            while let byte = next, [0x20, 0x09, 0x0A, 0x0D].contains(byte) { position += 1 }
        }

        /// Spaces before it are skipped.
        @_lifetime(self: copy self)
        mutating func take(_ byte: UInt8) -> Bool {
            skipSpaces()
            return takeNow(byte)
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
                guard var value = unit() else { return nil }
                if value & 0xFC00 == 0xD800 {
                    // The first half of a pair; we write none.
                    guard takeNow(UInt8(ascii: "\\")), takeNow(UInt8(ascii: "u")), let low = unit(),
                        low & 0xFC00 == 0xDC00
                    else { return nil }
                    value = 0x10000 + ((value & 0x3FF) << 10 | low & 0x3FF)
                }
                guard let scalar = UnicodeScalar(value) else { return nil }
                return [UInt8](String(Character(scalar)).utf8)
            default: return [byte]
            }
        }

        @_lifetime(self: copy self)
        private mutating func takeNow(_ byte: UInt8) -> Bool {
            guard next == byte else { return false }
            position += 1
            return true
        }

        /// Four hex digits.
        @_lifetime(self: copy self)
        private mutating func unit() -> UInt32? {
            var value: UInt32 = 0
            for _ in 0..<4 {
                guard let digit = next.flatMap({ Character(UnicodeScalar($0)).hexDigitValue }) else { return nil }
                position += 1
                value = value << 4 | UInt32(digit)
            }
            return value
        }
    }
}
