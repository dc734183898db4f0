internal import FoundationEssentials

/// A finished load in numbers, for people and for scripts.
struct LoadSummary: Encodable {
    var requestsWritten: Int
    var requestsRejected: Int
    var requestsFailed: Int
    var retries: Int
    var samplesSent: Int
    var samplesWritten: Int
    var bytesSent: Int
    var seconds: Double
    var samplesPerSecond: Double
    var latencyP50Milliseconds: Double
    var latencyP99Milliseconds: Double
    var latencyMaxMilliseconds: Double
    var firstFailure: String?

    enum CodingKeys: String, CodingKey {
        case requestsWritten = "requests_written"
        case requestsRejected = "requests_rejected"
        case requestsFailed = "requests_failed"
        case retries
        case samplesSent = "samples_sent"
        case samplesWritten = "samples_written"
        case bytesSent = "bytes_sent"
        case seconds
        case samplesPerSecond = "samples_per_second"
        case latencyP50Milliseconds = "latency_p50_ms"
        case latencyP99Milliseconds = "latency_p99_ms"
        case latencyMaxMilliseconds = "latency_max_ms"
        case firstFailure = "first_failure"
    }

    init(_ report: LoadReport) {
        requestsWritten = report.requestsWritten
        requestsRejected = report.requestsRejected
        requestsFailed = report.requestsFailed
        retries = report.retries
        samplesSent = report.samplesSent
        samplesWritten = report.samplesWritten
        bytesSent = report.bytesSent
        seconds = (report.elapsed / .milliseconds(1)).rounded() / 1000
        samplesPerSecond = (Double(samplesWritten) / max(seconds, 0.001)).rounded()
        latencyP50Milliseconds = Self.milliseconds(report.latency.quantile(0.5))
        latencyP99Milliseconds = Self.milliseconds(report.latency.quantile(0.99))
        latencyMaxMilliseconds = Self.milliseconds(report.latency.maximum)
        firstFailure = report.firstFailure
    }

    var table: String {
        """
        requests   \(requestsWritten) written, \(requestsRejected) rejected, \(requestsFailed) failed, \(retries) retries
        samples    \(samplesWritten) written of \(samplesSent) sent, \(Int(samplesPerSecond)) a second
        bytes      \(bytesSent) compressed in \(seconds) s
        latency    p50 \(latencyP50Milliseconds) ms, p99 \(latencyP99Milliseconds) ms, max \(latencyMaxMilliseconds) ms
        """ + (firstFailure.map { "\nfailure    \($0)" } ?? "")
    }

    var json: String {
        get throws {
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            return String(decoding: try encoder.encode(self), as: UTF8.self)
        }
    }

    /// To the microsecond.
    private static func milliseconds(_ duration: Duration) -> Double {
        ((duration / .microseconds(1)).rounded()) / 1000
    }
}
