internal import HTTPServer
internal import Metrics
internal import NIOCore
internal import NIOHTTP1

/// The original's `http_requests_total` and `http_request_duration_seconds`, with every series there from the start:
/// methods and codes that are not ours count as `other`.
struct HTTPMetrics: Sendable {
    private static let methods = ["get", "head", "post", "other"]
    private static let codes = [
        "200", "204", "400", "401", "403", "404", "405", "408", "415", "431", "500", "503", "other",
    ]

    private let requests: [[Counter]]
    private let seconds: Histogram

    init(_ registry: MetricsRegistry) {
        requests = Self.methods.map { method in
            Self.codes.map { code in
                registry.counter(
                    "http_requests_total", "Answers by code and method (original name).",
                    ["code": code, "method": method])
            }
        }
        seconds = registry.histogram(
            "http_request_duration_seconds", "From a request's head to its answer (original name).",
            bounds: Histogram.goBounds)
    }

    func count(_ exchange: HTTPExchange) {
        let method =
            switch exchange.method {
            case .GET: 0
            case .HEAD: 1
            case .POST: 2
            default: 3
            }
        let code = Self.codes.firstIndex(of: String(exchange.status.code)) ?? Self.codes.count - 1
        requests[method][code].add()
        seconds.observe(Double(exchange.duration.nanoseconds) * 1e-9)
    }
}
