internal import HTTPServer
internal import NIOCore
internal import NIOHTTP1
internal import Samples

/// Answers to write requests (contract.md §2, reliability.md D).
enum WriteAnswer {
    /// 204, or 400 with the reasons; the `-Written` headers of remote write 2.0 on both versions.
    static func response(_ answer: BatchAnswer) -> HTTPResponse {
        var response: HTTPResponse =
            answer.status == 204
            ? .empty(.noContent)
            : .text(
                .badRequest,
                "cannot store \(answer.rejectedSamples) values, the others are stored:\n" + answer.text.dropLast())
        response.headers.add(name: "X-Prometheus-Remote-Write-Samples-Written", value: "\(answer.written.samples)")
        response.headers.add(
            name: "X-Prometheus-Remote-Write-Histograms-Written", value: "\(answer.written.histograms)")
        response.headers.add(name: "X-Prometheus-Remote-Write-Exemplars-Written", value: "\(answer.written.exemplars)")
        return response
    }

    /// 503: the sender repeats, and nothing of the request is in the log. `Retry-After` is spread over 1 to 5 s, so
    /// that senders do not come back together.
    static func unavailable(_ reason: String) -> HTTPResponse {
        var response = HTTPResponse.text(.serviceUnavailable, "cannot accept samples now: \(reason)")
        response.headers.add(name: "Retry-After", value: "\(Int.random(in: 1...5))")
        return response
    }
}
