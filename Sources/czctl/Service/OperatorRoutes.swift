internal import Bytes
internal import HTTPServer
internal import Metrics
internal import NIOCore
internal import NIOHTTP1

/// The routes of people and probes: `/livez`, `/readyz`, `/healthz`, `/metrics`, `/about`, `/api/v1/status`, `/`; and,
/// where they are asked for, `/-/reload` and `/debug/state`.
struct OperatorRoutes: HTTPHandler {
    /// Open to everyone: whoever asks them, such as the kubelet, has no credentials.
    static let probes: Set<String> = ["/livez", "/readyz", "/healthz"]

    /// What readiness is made of, each with the reason why not.
    let checks: @Sendable () -> [(name: String, reason: String?)]
    let registry: MetricsRegistry
    /// The body of `/api/v1/status`; runs off the event loop.
    let status: @Sendable () async throws -> [UInt8]
    /// Whether `/` is a page for browsers, besides words.
    var hasPage = true
    /// nil: `POST /-/reload` is not served. Answers nil while the service starts.
    var reload: (@Sendable () async -> ReloadOutcome?)?
    /// nil: `/debug/state` is not served. Answers nil while the service starts.
    var state: (@Sendable () async -> ServiceState?)?

    private static let paths: Set<String> = [
        "/livez", "/readyz", "/healthz", "/metrics", "/about", "/api/v1/status", "/",
    ]
    private static let reloadPath = "/-/reload"
    private static let statePath = "/debug/state"

    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        let path = HTTPRequest.split(target: head.uri).path
        if path == Self.reloadPath { return admitReload(head.method) }
        if path == Self.statePath, state == nil {
            return .text(.forbidden, "cannot show \(path): set server.profiling to true")
        }
        guard path == Self.statePath || Self.paths.contains(path) else {
            return .text(.notFound, "cannot find \(path.prefix(200)); write to /api/v1/write or /collector")
        }
        guard head.method == .GET || head.method == .HEAD else {
            var refusal = HTTPResponse.text(.methodNotAllowed, "cannot \(head.method.rawValue) \(path): GET only")
            refusal.headers.add(name: "Allow", value: "GET, HEAD")
            return refusal
        }
        return nil
    }

    private func admitReload(_ method: HTTPMethod) -> HTTPResponse? {
        guard reload != nil else {
            return .text(.forbidden, "cannot reload over the port: start the service with --enable-lifecycle")
        }
        guard method == .POST || method == .PUT else {
            var refusal = HTTPResponse.text(
                .methodNotAllowed, "cannot \(method.rawValue) \(Self.reloadPath): POST only")
            refusal.headers.add(name: "Allow", value: "POST, PUT")
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
        case Self.reloadPath: return eventLoop.makeFutureWithTask { try await reloaded(request) }
        case Self.statePath:
            return eventLoop.makeFutureWithTask {
                guard let state = await state?() else { return .text(.serviceUnavailable, "starting") }
                return .json(.ok, Array((try Console.json(state) + "\n").utf8))
            }
        default:  // "/": no other was admitted
            if hasPage, request.headers["accept"].contains(where: { $0.contains("text/html") }) {
                return eventLoop.makeSucceededFuture(StatusPage.response)
            }
            let text = "cirrus \(Version.number)\n/api/v1/status  /metrics  /readyz  /livez  /healthz  /about"
            return eventLoop.makeSucceededFuture(.text(.ok, text))
        }
    }

    private func reloaded(_ request: HTTPRequest) async throws -> HTTPResponse {
        guard let outcome = await reload?() else { return .text(.serviceUnavailable, "starting") }
        let status: HTTPResponseStatus = outcome.faults.isEmpty ? .ok : .internalServerError
        guard request.headers["accept"].contains(where: { $0.contains("application/json") }) else {
            return .text(status, outcome.text)
        }
        return .json(status, Array((try Console.json(outcome) + "\n").utf8))
    }

    /// As the API server of Kubernetes answers, `?verbose` too.
    private func readiness(_ request: HTTPRequest) -> HTTPResponse {
        let checks = checks()
        let reason = checks.compactMap(\.reason).first
        let status = reason == nil ? HTTPResponseStatus.ok : .serviceUnavailable
        guard request.query == "verbose" else { return .text(status, reason ?? "ready") }
        let lines = checks.map { check in check.reason.map { "[-]\(check.name) \($0)" } ?? "[+]\(check.name) ok" }
        return .text(status, (lines + [reason == nil ? "ready" : "not ready"]).joined(separator: "\n"))
    }

    /// The original's JSON.
    private func health() -> HTTPResponse {
        guard let reason = checks().compactMap(\.reason).first else {
            return .json(.ok, Array("{\"success\":true}\n".utf8))
        }
        let body = "{\"success\":false,\"error\":\"\(reason.filter { $0 != "\"" && $0 != "\\" })\"}\n"
        return .json(.serviceUnavailable, Array(body.utf8))
    }
}
