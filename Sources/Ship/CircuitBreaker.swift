/// Spares a host that does not answer, or says that it is overloaded: after some such attempts in a row, one at a time
/// tries whether it is back, after waits that grow. Any other answer closes it, also a refusal: then it is the file's.
struct CircuitBreaker {
    let policy: RetryPolicy
    private var failures = 0
    /// Uptime of the next trial; nil while closed.
    private(set) var triesAt: Duration?

    /// In a row.
    static let failureLimit = 5

    init(policy: RetryPolicy) { self.policy = policy }

    mutating func fail(at now: Duration, fraction: Double) {
        failures += 1
        guard failures >= Self.failureLimit else { return }
        triesAt = now + policy.delay(after: failures - Self.failureLimit + 1, fraction: fraction)
    }

    mutating func close() {
        failures = 0
        triesAt = nil
    }

    /// Attempts that may run at once.
    func width(at now: Duration) -> Int { triesAt.map { now < $0 ? 0 : 1 } ?? .max }
}
