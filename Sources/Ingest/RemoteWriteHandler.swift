package import DiskIO
package import HTTPServer
internal import Metrics
package import NIOCore
package import NIOHTTP1
internal import Samples

/// Write requests; every other path is the operator's handler's.
package struct RemoteWriteHandler: HTTPHandler {
    package static let paths: Set<String> = ["/api/v1/write", "/collector"]
    /// The seed's path: `POST` writes, `GET` is the exposition.
    package static let seedPath = "/metrics"
    private let service: IngestService
    private let clocks: Clocks
    private let operatorRoutes: any HTTPHandler

    package init(_ service: IngestService, clocks: Clocks, operatorRoutes: any HTTPHandler) {
        self.service = service
        self.clocks = clocks
        self.operatorRoutes = operatorRoutes
    }

    private static func isWrite(_ method: HTTPMethod, _ path: String) -> Bool {
        paths.contains(path) || (path == seedPath && method == .POST)
    }

    package func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        let path = HTTPRequest.split(target: head.uri).path
        guard Self.isWrite(head.method, path) else { return operatorRoutes.admit(head, declaredLength: declaredLength) }
        guard head.method == .POST else {
            var refusal = refuse(
                "method", .text(.methodNotAllowed, "cannot \(head.method.rawValue) \(path): POST only"))
            refusal.headers.add(name: "Allow", value: "POST")
            return refusal
        }
        switch ContentNegotiation(head.headers) {
        case .badType(let type):
            return refuse(
                "content_type",
                .text(
                    .unsupportedMediaType,
                    "cannot accept content type \(type.prefix(200)): send application/x-protobuf of "
                        + "prometheus.WriteRequest or io.prometheus.write.v2.Request"))
        case .badEncoding(let encoding):
            return refuse(
                "content_encoding",
                .text(.unsupportedMediaType, "cannot accept content encoding \(encoding.prefix(200)): send snappy"))
        case .accepted: break
        }
        if let declaredLength, declaredLength > service.bodyByteLimit { return oversize(limit: service.bodyByteLimit) }
        let first = BodySteps.first(declaredLength)
        guard let refusal = service.admit(first, of: declaredLength ?? first) else { return nil }
        var response = refuse(refusal.metric, WriteAnswer.unavailable(refusal.reason))
        // It drains or stops: a sender that connects anew finds another replica.
        response.closesConnection = refusal.metric == "not_ready"
        return response
    }

    package func admitMore(_ head: HTTPRequestHead, from before: Int, to after: Int) -> HTTPResponse? {
        let path = HTTPRequest.split(target: head.uri).path
        guard Self.isWrite(head.method, path) else {
            return operatorRoutes.admitMore(head, from: before, to: after)
        }
        guard let refusal = service.admitMore(from: before, to: after) else { return nil }
        return refuse(refusal.metric, WriteAnswer.unavailable(refusal.reason))
    }

    private func refuse(_ reason: String, _ response: HTTPResponse) -> HTTPResponse {
        service.metrics.requestsRefused[reason]?.add()
        service.refusals.note(response)
        return response
    }

    package func bodyLimit(for head: HTTPRequestHead) -> Int {
        let path = HTTPRequest.split(target: head.uri).path
        return Self.isWrite(head.method, path) ? service.bodyByteLimit : operatorRoutes.bodyLimit(for: head)
    }

    package func oversize(limit: Int) -> HTTPResponse {
        refuse(
            "body_limit",
            .text(
                .badRequest,
                "cannot accept request body: it is over limits.body_bytes, \(limit) bytes; send fewer samples a request"
            ))
    }

    package func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        guard Self.isWrite(request.method, request.path) else { return operatorRoutes.handle(request, on: eventLoop) }
        guard case .accepted(let source) = ContentNegotiation(request.headers) else {
            service.release(request.admitted)
            return eventLoop.makeSucceededFuture(.empty(.unsupportedMediaType))  // unreachable: admitted before
        }
        let started = clocks.uptime()
        let admitted = request.admitted
        return service.write(request.body, source: source).always { [service, clocks] result in
            service.release(admitted)
            if case .success(let response) = result { service.refusals.note(response) }
            service.metrics.requestSeconds.observe(clocks.uptime() - started)
        }
    }

    package func abandoned(_ head: HTTPRequestHead, admitted: Int) {
        let path = HTTPRequest.split(target: head.uri).path
        guard Self.isWrite(head.method, path) else { return operatorRoutes.abandoned(head, admitted: admitted) }
        service.release(admitted)
    }
}
