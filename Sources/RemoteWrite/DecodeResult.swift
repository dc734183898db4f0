package import Samples

/// What became of the parts of a request.
package struct DecodeResult: Equatable, Sendable {
    /// Accepted: stored, or dropped on purpose by a filter.
    package var written = WrittenCounts()
    /// Of those, samples no stream wanted.
    package var filteredSamples = 0
    /// Values refused (samples and histograms), by `Rejection.metricReason`.
    package var rejected: [String: Int] = [:]
    /// One line a refusal, as many as fit `textByteLimit`.
    package private(set) var text = ""
    /// A line did not fit: no further one is made.
    private(set) var isTextFull = false

    /// Of `text`: with the sentence before it, a 400 has at most 4 KiB.
    package static let textByteLimit = 3968

    package var rejectedCount: Int { rejected.values.reduce(0, +) }

    /// Notes that `count` values of `series` were refused.
    mutating func reject(_ rejection: Rejection, count: Int, series: @autoclosure () -> String) {
        rejected[rejection.metricReason, default: 0] += max(count, 1)
        guard !isTextFull else { return }
        let line = "series \(series()): \(rejection.text)\n"
        isTextFull = text.utf8.count + line.utf8.count + 4 > Self.textByteLimit
        text += isTextFull ? "...\n" : line
    }
}
