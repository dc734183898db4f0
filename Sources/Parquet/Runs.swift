extension Span<UInt32> {
    /// The end of the run of equal values that begins at `start`.
    @inline(__always)
    func endOfRun(from start: Int) -> Int {
        precondition(start < count, "a run begins within the span")
        // SAFETY: every index is below count by the loop's condition; UInt32 has no padding.
        let value = unsafe self[unchecked: start]
        var end = start + 1
        if end < count, unsafe self[unchecked: end] != value { return end }
        // Constant columns are one run a row group: eight values at a time.
        let pattern = UInt64(value) << 32 | UInt64(value)
        while end + 8 <= count {
            var difference: UInt64 = 0
            for pair in 0..<4 {
                let offset = end * 4 + pair * 8
                difference |=
                    unsafe pattern ^ bytes.unsafeLoadUnaligned(fromUncheckedByteOffset: offset, as: UInt64.self)
            }
            guard difference == 0 else { break }
            end += 8
        }
        while end < count, unsafe self[unchecked: end] == value { end += 1 }
        return end
    }
}
