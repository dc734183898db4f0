internal import HTTPServer
internal import Metrics
internal import NIOCore
internal import NIOHTTP1

/// The routes of people and probes: `/livez`, `/readyz`, `/healthz`, `/metrics`, `/about`, `/api/v1/status`, `/`.
struct OperatorRoutes: HTTPHandler {
    /// Open to everyone: whoever asks them, such as the kubelet, has no credentials.
    static let probes: Set<String> = ["/livez", "/readyz", "/healthz"]

    /// nil = ready; else why not.
    let notReady: @Sendable () -> String?
    let registry: MetricsRegistry
    /// The body of `/api/v1/status`; runs off the event loop.
    let status: @Sendable () async throws -> [UInt8]

    private static let paths: Set<String> = [
        "/livez", "/readyz", "/healthz", "/metrics", "/about", "/api/v1/status", "/",
    ]

    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        let path = HTTPRequest.split(target: head.uri).path
        guard Self.paths.contains(path) else {
            return .text(.notFound, "cannot find \(path.prefix(200)); write to /api/v1/write or /collector")
        }
        guard head.method == .GET || head.method == .HEAD else {
            var refusal = HTTPResponse.text(.methodNotAllowed, "cannot \(head.method.rawValue) \(path): GET only")
            refusal.headers.add(name: "Allow", value: "GET, HEAD")
            return refusal
        }
        return nil
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int { 0 }

    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        switch request.path {
        case "/livez": return eventLoop.makeSucceededFuture(.text(.ok, "ok"))
        case "/readyz": return eventLoop.makeSucceededFuture(readiness(request))
        case "/healthz": return eventLoop.makeSucceededFuture(health())
        case "/metrics":
            let response = HTTPResponse(
                status: .ok, headers: ["content-type": "text/plain; version=0.0.4; charset=utf-8"],
                body: ByteBuffer(string: registry.exposition()))
            return eventLoop.makeSucceededFuture(response)
        case "/about":
            let text = "{\"revision\":\"\(Version.build)\",\"tag\":\"\(Version.number)\",\"time\":\"\"}\n"
            return eventLoop.makeSucceededFuture(.json(.ok, text.utf8))
        case "/api/v1/status":
            return eventLoop.makeFutureWithTask { .json(.ok, try await status()) }
        default:  // "/": no other was admitted
            if request.headers["accept"].contains(where: { $0.contains("text/html") }) {
                return eventLoop.makeSucceededFuture(StatusPage.response)
            }
            let text = "cirrus \(Version.number)\n/api/v1/status  /metrics  /readyz  /livez  /healthz  /about"
            return eventLoop.makeSucceededFuture(.text(.ok, text))
        }
    }

    private func readiness(_ request: HTTPRequest) -> HTTPResponse {
        guard let reason = notReady() else {
            return .text(.ok, request.query == "verbose" ? "[+]log ok\n[+]intake ok\nready" : "ready")
        }
        return .text(.serviceUnavailable, request.query == "verbose" ? "[-]intake \(reason)\nnot ready" : reason)
    }

    /// The original's JSON.
    private func health() -> HTTPResponse {
        guard let reason = notReady() else { return .json(.ok, Array("{\"success\":true}\n".utf8)) }
        let body = "{\"success\":false,\"error\":\"\(reason.filter { $0 != "\"" && $0 != "\\" })\"}\n"
        return .json(.serviceUnavailable, Array(body.utf8))
    }
}
