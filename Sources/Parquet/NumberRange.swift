/// Smallest and largest of some numbers; of doubles those that are not NaN.
struct NumberRange: Equatable {
    private(set) var low: Int64
    private(set) var high: Int64

    /// nil when there are none.
    init?(_ numbers: Span<Int64>, _ kind: Column.Kind) {
        guard !numbers.isEmpty else { return nil }
        guard kind == .double else {
            (low, high) = (.max, .min)
            for index in numbers.indices {
                low = min(low, numbers[index])
                high = max(high, numbers[index])
            }
            return
        }
        var (lowest, highest) = (Double.infinity, -Double.infinity)
        for index in numbers.indices {
            let value = Double(word: numbers[index])
            guard !value.isNaN else { continue }
            lowest = min(lowest, value)
            highest = max(highest, value)
        }
        // One value, be it an infinity, turns the order of the two.
        guard lowest <= highest else { return nil }
        (low, high) = (lowest.word, highest.word)
    }

    /// What both hold; nil holds nothing.
    func union(_ other: NumberRange?, _ kind: Column.Kind) -> NumberRange {
        guard let other else { return self }
        var union = self
        func precedes(_ first: Int64, _ second: Int64) -> Bool {
            kind == .double ? Double(word: first) < Double(word: second) : first < second
        }
        if precedes(other.low, low) { union.low = other.low }
        if precedes(high, other.high) { union.high = other.high }
        return union
    }
}

extension Double {
    /// The double whose bits a column of 64-bit words has.
    package init(word: Int64) { self.init(bitPattern: UInt64(bitPattern: word)) }

    package var word: Int64 { Int64(bitPattern: bitPattern) }
}
