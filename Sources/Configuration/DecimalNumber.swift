/// An unsigned decimal number from a text, exact: `digits` × 10^`exponent`.
struct DecimalNumber {
    enum Rounding { case down, up, exact }

    private(set) var exponent: Int
    private let digits: Int128
    /// As it was written, without an exponent.
    let text: String

    /// Takes `12`, `1.5`, `.5` or `5.` from the front of `rest`; nil when there is no digit, or more than 19.
    init?(scanning rest: inout Substring) {
        var digits: Int128 = 0
        var digitCount = 0
        var fractionCount = 0
        var sawPoint = false
        var end = rest.startIndex
        while end < rest.endIndex {
            let character = rest[end]
            if character == ".", !sawPoint {
                sawPoint = true
            } else if character.isDecimalDigit, let digit = character.wholeNumberValue {
                digits = digits * 10 + Int128(digit)
                digitCount += 1
                if sawPoint { fractionCount += 1 }
                guard digitCount <= 19 else { return nil }
            } else {
                break
            }
            end = rest.index(after: end)
        }
        guard digitCount > 0 else { return nil }
        self.digits = digits
        exponent = -fractionCount
        text = String(rest[..<end])
        rest = rest[end...]
    }

    /// Takes `e9`, `E+06` from the front of `rest`, if that is all there is of it: `1E` and `1Ei` are exabytes.
    mutating func scanExponent(_ rest: inout Substring) {
        guard let first = rest.first, first == "e" || first == "E" else { return }
        var tail = rest.dropFirst()
        let isNegative = tail.first == "-"
        if isNegative || tail.first == "+" { tail.removeFirst() }
        guard !tail.isEmpty, tail.count <= 3, tail.allSatisfy(\.isDecimalDigit), let power = Int(tail) else { return }
        exponent += isNegative ? -power : power
        rest = tail[tail.endIndex...]
    }

    /// This number times `unit`; nil when it does not fit in an Int, or is not whole and `rounding` is `.exact`.
    func scaled(by unit: Int, rounding: Rounding) -> Int? {
        if digits == 0 { return 0 }
        // 19 digits times a unit of 2^60 fit; a power of ten beyond 20 either way decides by itself.
        guard exponent <= 20 else { return nil }
        let (product, overflowed) = (digits * Int128(unit)).multipliedReportingOverflow(
            by: Self.power(max(exponent, 0)))
        guard !overflowed else { return nil }
        let (quotient, remainder) = product.quotientAndRemainder(dividingBy: Self.power(min(max(-exponent, 0), 37)))
        switch rounding {
        case .down: return Int(exactly: quotient)
        case .up: return Int(exactly: remainder > 0 ? quotient + 1 : quotient)
        case .exact: return remainder == 0 ? Int(exactly: quotient) : nil
        }
    }

    private static func power(_ exponent: Int) -> Int128 {
        var power: Int128 = 1
        for _ in 0..<exponent { power *= 10 }
        return power
    }
}

extension Character {
    /// 0 to 9 of ASCII.
    var isDecimalDigit: Bool { self >= "0" && self <= "9" && isASCII }
}
