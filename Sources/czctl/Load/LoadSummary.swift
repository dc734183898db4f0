/// A finished load in numbers, for people and for scripts: `czctl.send/v1`.
struct LoadSummary: Encodable {
    let schema = "czctl.send/v1"
    var requestsWritten: Int
    var requestsRejected: Int
    var requestsFailed: Int
    var retries: Int
    var samplesSent: Int
    var samplesWritten: Int
    var bytesSent: Int
    var seconds: Double
    var samplesPerSecond: Double
    var latencyP50Seconds: Double
    var latencyP99Seconds: Double
    var latencyMaxSeconds: Double
    var firstFailure: String?

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
        latencyP50Seconds = Self.seconds(report.latency.quantile(0.5))
        latencyP99Seconds = Self.seconds(report.latency.quantile(0.99))
        latencyMaxSeconds = Self.seconds(report.latency.maximum)
        firstFailure = report.firstFailure
    }

    var table: String {
        let requests = "\(requestsWritten) written, \(requestsRejected) rejected, \(requestsFailed) failed"
        func text(_ seconds: Double) -> String { "\((seconds * 1_000_000).rounded() / 1000) ms" }
        var lines = [
            "requests   \(requests), \(retries) retries",
            "samples    \(samplesWritten) written of \(samplesSent) sent, \(Int(samplesPerSecond)) a second",
            "bytes      \(bytesSent) compressed in \(seconds) s",
            "latency    p50 \(text(latencyP50Seconds)), p99 \(text(latencyP99Seconds)), max \(text(latencyMaxSeconds))",
        ]
        if let firstFailure { lines.append("failure    \(firstFailure)") }
        return lines.joined(separator: "\n")
    }

    /// To the microsecond.
    private static func seconds(_ duration: Duration) -> Double {
        ((duration / .microseconds(1)).rounded()) / 1_000_000
    }
}
