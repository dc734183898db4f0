/// Waiting between attempts: exponential, with full jitter, so that many clients do not come back at once.
package struct RetryPolicy: Equatable, Sendable {
    package let first: Duration
    package let longest: Duration

    package init(first: Duration, longest: Duration) {
        self.first = first
        self.longest = longest
    }

    /// The longest wait after `failures` failures in a row: first, 2 × first, 4 × first, ... up to longest.
    package func ceiling(after failures: Int) -> Duration {
        // 2^30 seconds is beyond any limit: the shift cannot overflow.
        min(longest, first * (1 << min(max(failures, 1) - 1, 30)))
    }

    /// A wait between nothing and the ceiling.
    /// - Parameter fraction: 0 to 1, drawn evenly.
    package func delay(after failures: Int, fraction: Double) -> Duration { ceiling(after: failures) * fraction }

    /// Of a file whose attempts of one cycle are used up. No cap on its age: it is tried for ever.
    package static let betweenCycles = RetryPolicy(first: .seconds(10), longest: .seconds(900))
}

/// The source of chance: draws evenly from 0 to 1.
package struct Jitter: Sendable {
    package let fraction: @Sendable () -> Double

    package init(_ fraction: @escaping @Sendable () -> Double) { self.fraction = fraction }

    package static let system = Jitter { Double.random(in: 0...1) }
}
