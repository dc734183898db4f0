internal import Bytes
internal import Samples

/// Requests of the last `dedup.window` by the hash of their body, with the answer each got, without its reasons.
///
/// Only batches that are durable are in it, so a hit can be answered at once. Bounded in age and count (I9).
struct RetransmitIndex {
    private let window: Duration
    private let entryLimit: Int
    private var answers: [Hash128: BatchAnswer] = [:]
    private var order: [(key: Hash128, at: Duration)] = []
    private var first = 0

    init(window: Duration, entryLimit: Int) {
        self.window = window
        self.entryLimit = entryLimit
    }

    var count: Int { answers.count }

    func find(_ key: Hash128) -> BatchAnswer? { answers[key] }

    mutating func insert(_ key: Hash128, _ answer: BatchAnswer, now: Duration) {
        guard window > .zero, answers.updateValue(answer.withoutReasons, forKey: key) == nil else { return }
        order.append((key, now))
        expire(now: now)
    }

    mutating func expire(now: Duration) {
        while first < order.count, now - order[first].at > window || order.count - first > entryLimit {
            answers[order[first].key] = nil
            first += 1
        }
        if first > 1024, first * 2 > order.count {
            order.removeFirst(first)
            first = 0
        }
    }
}
