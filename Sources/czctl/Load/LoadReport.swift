/// What a load did so far.
struct LoadReport: Sendable {
    /// Answered 2xx, with the counts expected.
    var requestsWritten = 0
    /// Answered 4xx, or 2xx with counts other than expected: not sent again.
    var requestsRejected = 0
    /// Some of these were answered 401 or 403.
    var isAccessRefused = false
    /// Given up after retries.
    var requestsFailed = 0
    var retries = 0
    /// By what was sent.
    var samplesSent = 0
    /// By the receiver's own count.
    var samplesWritten = 0
    var bytesSent = 0
    /// Of the attempt that was answered, without the waits before it.
    var latency = LatencyHistogram()
    var elapsed = Duration.zero
    /// Why the newest attempt without a final answer had none, also when a later one had it; nil while each had it.
    var trouble: String?
    /// Of the first request that was rejected or failed.
    var firstFailure: String?

    mutating func record(_ outcome: SendOutcome, of body: WriteBody) {
        samplesSent += body.sampleCount ?? 0
        bytesSent += body.bytes.count
        retries += outcome.attempts - 1
        if let latency = outcome.latency { self.latency.record(latency) }
        // What a receiver says of a body: no more than one can hold.
        samplesWritten += min(max(0, outcome.samplesWritten), body.sampleCount ?? 10_000_000)
        switch outcome.result {
        case .written: requestsWritten += 1
        case .rejected(let reason), .refused(let reason):
            requestsRejected += 1
            if case .refused = outcome.result { isAccessRefused = true }
            firstFailure = firstFailure ?? reason
        case .failed(let reason):
            requestsFailed += 1
            firstFailure = firstFailure ?? reason
        }
    }
}

/// How one body fared.
struct SendOutcome: Sendable {
    enum Result: Equatable, Sendable {
        case written
        /// Sending it again would not help.
        case rejected(String)
        /// So would not this without other credentials.
        case refused(String)
        /// The receiver was down or refused for now, until the retry limit.
        case failed(String)
    }

    var result: Result
    var attempts: Int
    var latency: Duration?
    var samplesWritten = 0
}
