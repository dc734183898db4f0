internal import Synchronization

/// A number that only grows.
package final class Counter: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}
    package func add(_ amount: Int = 1) { count.wrappingAdd(amount, ordering: .relaxed) }
    package var value: Int { count.load(ordering: .relaxed) }
}

/// A number that is set.
package final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    package init() {}
    package func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// A distribution over fixed upper bounds, in the unit of its name (seconds, bytes, requests).
package final class Histogram: Sendable {
    private struct State {
        var counts: [Int]
        var sum = 0.0
    }

    package let bounds: [Double]
    private let state: Mutex<State>

    /// - Parameter bounds: ascending; `+Inf` is implied.
    package init(bounds: [Double]) {
        self.bounds = bounds
        state = Mutex(State(counts: [Int](repeating: 0, count: bounds.count + 1)))
    }

    package func observe(_ value: Double) {
        let index = bounds.firstIndex { value <= $0 } ?? bounds.count
        state.withLock {
            $0.counts[index] += 1
            $0.sum += value
        }
    }

    package func observe(_ duration: Duration) { observe(duration.inSeconds) }

    /// Count of each bucket (not cumulative; the last is above every bound), and the sum.
    package var snapshot: (counts: [Int], sum: Double) { state.withLock { ($0.counts, $0.sum) } }

    /// The value below which the share `q` of the observations lies: the upper bound of its bucket; nil without any.
    package func quantile(_ q: Double) -> Double? { Self.quantile(q, of: snapshot.counts, bounds) }

    /// The same of counts at hand. Above every bound the last one is named: a number that JSON can say.
    package static func quantile(_ q: Double, of counts: [Int], _ bounds: [Double]) -> Double? {
        // As numbers that cannot overflow: the counts may be another process's.
        let total = counts.reduce(0) { $0 + Double($1) }
        guard total > 0 else { return nil }
        var seen = 0.0
        for (index, count) in counts.enumerated() {
            seen += Double(count)
            if seen >= q * total { return index < bounds.count ? bounds[index] : bounds.last }
        }
        return nil
    }

    /// What the original's histograms of seconds have: the default of Go's client library.
    package static let goBounds: [Double] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

    /// 0.1 ms to 26 s, doubling.
    package static let latencyBounds: [Double] = (0..<19).map { 0.0001 * Double(1 << $0) }
}

extension Duration {
    /// As seconds.
    package var inSeconds: Double {
        Double(components.seconds) + Double(components.attoseconds) * 1e-18
    }
}
