package import Parquet

/// The shortest decimal that reads back to the same double, never with an exponent: Go's `'f', -1` (parquet.md §1).
package enum DecimalText {
    /// The texts of doubles, given by their bits: each that differs is made once.
    package static func column(_ values: consuming [Int64]) throws -> ColumnValues {
        // One text stands for every NaN; any other two doubles have two.
        let nan = Int64(bitPattern: Double.nan.bitPattern)
        for index in values.indices where Double(bitPattern: UInt64(bitPattern: values[index])).isNaN {
            values[index] = nan
        }
        let interned = InternedNumbers(values)
        var texts = ByteTable(reserving: interned.entries.count, bytes: interned.entries.count * 8)
        for bits in interned.entries { try texts.append { append(UInt64(bitPattern: bits), to: &$0) } }
        return .dictionary(entries: texts, indexes: interned.indexes)
    }

    /// Appends the text of the double with these bits; at most 326 bytes.
    package static func append(_ bits: UInt64, to out: inout [UInt8]) {
        let value = Double(bitPattern: bits)
        if value.magnitude < 9_007_199_254_740_992, value == value.rounded(.towardZero), bits != 1 << 63 {
            appendInteger(Int64(value), to: &out)
            return
        }
        if !value.isFinite {
            out += Array((value.isNaN ? "NaN" : value < 0 ? "-Inf" : "+Inf").utf8)
            return
        }
        // `description` is the shortest text that reads back, with an exponent for very large and very small values.
        var text = value.description
        // SAFETY: the buffer is read only within the closure.
        text.withUTF8 { text in
            if unsafe !text.contains(UInt8(ascii: "e")) {
                // Most values. Whole numbers beyond 2^53 and -0 end with `.0`.
                let isWhole =
                    unsafe text.count > 2 && text[text.count - 2] == UInt8(ascii: ".")
                    && text[text.count - 1] == UInt8(ascii: "0")
                unsafe out.append(contentsOf: text.dropLast(isWhole ? 2 : 0))
            } else {
                unsafe expand(text.span, to: &out)
            }
        }
    }

    private static func appendInteger(_ value: Int64, to out: inout [UInt8]) {
        if value < 0 { out.append(UInt8(ascii: "-")) }
        var limit: UInt64 = 10  // of numbers with as many digits; magnitudes are below 2^53
        var digitCount = 1
        while value.magnitude >= limit {
            limit *= 10
            digitCount += 1
        }
        out.append(addingCapacity: digitCount) { room in
            // SAFETY: the buffer is used only within the closure; it has room for the digits.
            unsafe room.withUnsafeMutableBufferPointer { digits, written in
                var rest = value.magnitude
                for index in (0..<digitCount).reversed() {
                    unsafe digits[index] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                    rest /= 10
                }
                written = digitCount
            }
        }
    }

    /// `-d.ddde±x` or `-ddd.ddd` to plain digits; a fraction of only zeros is left out.
    private static func expand(_ text: Span<UInt8>, to out: inout [UInt8]) {
        var digits: [UInt8] = []
        var pointAt: Int?
        var exponent = 0
        for index in text.indices {
            switch text[index] {
            case UInt8(ascii: "-"): out.append(UInt8(ascii: "-"))
            case UInt8(ascii: "."): pointAt = digits.count
            case UInt8(ascii: "e"):
                exponent = parseExponent(text.extracting((index + 1)..<text.count))
                finish(&digits, point: (pointAt ?? digits.count) + exponent, to: &out)
                return
            default: digits.append(text[index])
            }
        }
        finish(&digits, point: pointAt ?? digits.count, to: &out)
    }

    private static func parseExponent(_ text: Span<UInt8>) -> Int {
        var value = 0
        var sign = 1
        for index in text.indices {
            switch text[index] {
            case UInt8(ascii: "-"): sign = -1
            case UInt8(ascii: "+"): break
            default: value = value * 10 + Int(text[index]) - 0x30
            }
        }
        return sign * value
    }

    /// `digits` with the point before digit number `point`.
    private static func finish(_ digits: inout [UInt8], point: Int, to out: inout [UInt8]) {
        let zero = UInt8(ascii: "0")
        while digits.count > max(point, 1), digits.last == zero { digits.removeLast() }
        if point <= 0 {
            if digits == [zero] || digits.isEmpty {
                out.append(zero)
                return
            }
            out += [zero, UInt8(ascii: ".")] + [UInt8](repeating: zero, count: -point) + digits
        } else if point >= digits.count {
            out += digits + [UInt8](repeating: zero, count: point - digits.count)
        } else {
            out += digits[..<point] + [UInt8(ascii: ".")] + digits[point...]
        }
    }
}
