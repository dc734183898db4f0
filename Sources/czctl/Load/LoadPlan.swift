internal import DiskIO
internal import Synchronization

/// Rounds over all series of a generator, in order, at a rate.
final class LoadPlan: Sendable {
    private let generator: SeriesGenerator
    private let rounds: Int
    private let first: Int64
    private let step: Int64
    private let rate: Double
    private let clocks: Clocks
    private let began: Duration
    private let taken = Mutex(0)

    /// - Parameters:
    ///   - first, step: the timestamp of the first round, and from one to the next, in milliseconds.
    ///   - rate: samples a second; 0 does not wait.
    init(generator: SeriesGenerator, rounds: Int, first: Int64, step: Int64, rate: Double, clocks: Clocks) {
        self.generator = generator
        self.rounds = rounds
        self.first = first
        self.step = step
        self.rate = rate
        self.clocks = clocks
        began = clocks.uptime()
    }

    /// The next body when it is due; nil at the end, or when cancelled.
    func next() async -> WriteBody? {
        let index = taken.withLock { taken in
            defer { taken += 1 }
            return taken
        }
        let (round, batch) = index.quotientAndRemainder(dividingBy: generator.batchCount)
        guard round < rounds else { return nil }
        if rate > 0 {
            let samples = Double(generator.series.count) * Double(index) / Double(generator.batchCount)
            let wait = began + .seconds(samples / rate) - clocks.uptime()
            // Only a cancelled sleep throws: the load ends.
            if wait > .zero, (try? await clocks.sleep(wait)) == nil { return nil }
        }
        return generator.body(batch: batch, timestamp: first + Int64(round) * step)
    }
}
