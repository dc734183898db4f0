internal import Bytes
internal import Samples

/// Requests of the last `dedup.window` by the hash of their body, with the answer each got.
///
/// Only batches that are durable are in it, so a hit can be answered at once. Bounded in age and count (I9), and in the
/// bytes of the answers' reasons: of the oldest only the counts are kept then.
struct RetransmitIndex {
    private let window: Duration
    private let entryLimit: Int
    private var answers: [Hash128: BatchAnswer] = [:]
    private var order: [(key: Hash128, at: Duration)] = []
    private var first = 0
    /// Place in `order` from which on answers have their reasons, and the bytes of those.
    private var firstExplained = 0
    private var reasonByteCount = 0

    init(window: Duration, entryLimit: Int) {
        self.window = window
        self.entryLimit = entryLimit
    }

    var count: Int { answers.count }

    func find(_ key: Hash128) -> BatchAnswer? { answers[key] }

    mutating func insert(_ key: Hash128, _ answer: BatchAnswer, now: Duration) {
        guard window > .zero, answers[key] == nil else { return }
        answers[key] = answer
        order.append((key, now))
        reasonByteCount += answer.text.utf8.count
        while reasonByteCount > BatchAnswer.keptTextByteLimit { forgetReasons() }
        expire(now: now)
    }

    private mutating func forgetReasons() {
        let key = order[firstExplained].key
        firstExplained += 1
        guard let answer = answers[key], !answer.text.isEmpty else { return }
        reasonByteCount -= answer.text.utf8.count
        answers[key] = answer.withoutReasons
    }

    mutating func expire(now: Duration) {
        while first < order.count, now - order[first].at > window || order.count - first > entryLimit {
            if firstExplained == first { forgetReasons() }
            answers[order[first].key] = nil
            first += 1
        }
        if first > 1024, first * 2 > order.count {
            order.removeFirst(first)
            firstExplained -= first
            first = 0
        }
    }
}
