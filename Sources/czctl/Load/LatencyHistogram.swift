/// Times in buckets of about 3 %: any number of them in 10 KB.
struct LatencyHistogram: Sendable {
    /// Buckets a power of two is cut in.
    private static let parts = 32
    /// Index: power of two of the microseconds times `parts`, plus the part.
    private var counts = [Int](repeating: 0, count: 41 * parts)
    private(set) var count = 0
    private(set) var maximum = Duration.zero

    mutating func record(_ duration: Duration) {
        counts[Self.bucket(Self.microseconds(duration))] += 1
        count += 1
        maximum = max(maximum, duration)
    }

    /// The time `share` (0 to 1) of the recorded ones do not pass, to the bucket's upper end.
    func quantile(_ share: Double) -> Duration {
        var left = max(1, Int((Double(count) * share).rounded(.up)))
        for (bucket, count) in counts.enumerated() {
            left -= count
            if left <= 0 { return min(.microseconds(Self.upperEnd(bucket)), maximum) }
        }
        return .zero
    }

    private static func microseconds(_ duration: Duration) -> Int {
        let (seconds, attoseconds) = duration.components
        // 2^40 microseconds are 12 days.
        return Int(min(max(0, seconds), 1 << 19)) * 1_000_000 + Int(attoseconds / 1_000_000_000_000)
    }

    private static func bucket(_ microseconds: Int) -> Int {
        guard microseconds >= parts else { return microseconds }
        let power = Int.bitWidth - 1 - microseconds.leadingZeroBitCount
        return (power - 4) * parts + (microseconds >> (power - 5)) - parts
    }

    private static func upperEnd(_ bucket: Int) -> Int {
        guard bucket >= parts else { return bucket }
        let shift = bucket / parts - 1
        return ((bucket % parts + parts + 1) << shift) - 1
    }
}
