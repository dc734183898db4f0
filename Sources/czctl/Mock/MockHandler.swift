internal import Digest
internal import DiskIO
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1

/// Routes of the mock. It blocks its event loop while an object is written: give it one of its own.
struct MockHandler: HTTPHandler {
    private enum Route {
        case upload, abandon, state, objects, insights
        case object(key: String)
        case unknown
    }

    private struct Listing: Encodable {
        var objects: [String]
        var length: Int
    }

    private struct State: Encodable {
        var objects: [String: MockBucket.Object]
        var allocated: [String: Int]
        var abandoned: [MockJournal.Abandoned]
    }

    /// S3 takes 5 GiB in one PUT; this one is kept in memory.
    private static let objectByteLimit = 1 << 30
    private static let callByteLimit = 16 << 20

    let options: MockOptions
    let api: MockAPI
    let faults: MockFaults
    let bucket: MockBucket?
    let clocks: Clocks

    private var now: AWSTimestamp { AWSTimestamp(unixSeconds: clocks.wallMilliseconds() / 1000) }

    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        switch route(head.uri) {
        case .upload, .abandon: api.refusal(of: head)
        case .object(let key): objectRefusal(head, key: key, declaredLength: declaredLength)
        case .insights where head.headers.first(name: "authorization") != options.apiKey:
            MockAPI.error(.forbidden, "Invalid API key")
        case .insights, .state, .objects: nil
        case .unknown: .text(.notFound, "no such path; the API is at /v1/container-metrics")
        }
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int {
        if case .object = route(head.uri) { Self.objectByteLimit } else { Self.callByteLimit }
    }

    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        var delay = TimeAmount.zero
        var response: HTTPResponse
        switch route(request.path) {
        case .upload:
            delay = faults.take(.slow) ? options.slowDelay : options.uploadDelay
            response = api.upload(request, now: now)
        case .abandon:
            if faults.take(.slow) { delay = options.slowDelay }
            response = api.abandon(request)
        case .object(let key):
            if faults.take(.putSlow) { delay = options.slowDelay }
            response = put(key, request)
        case .state:
            let journal = api.journal.entries
            response = Self.json(
                State(objects: bucket?.objects ?? [:], allocated: journal.allocated, abandoned: journal.abandoned))
        case .objects: response = listing()
        case .insights, .unknown: response = .json(.ok, "{}".utf8)
        }
        response.headers.add(name: "date", value: now.httpDate)
        if delay == .zero { return eventLoop.makeSucceededFuture(response) }
        return eventLoop.scheduleTask(in: delay) { [response] in response }.futureResult
    }

    private func route(_ target: String) -> Route {
        let path = HTTPRequest.split(target: target).path
        switch path {
        case "/v1/container-metrics/upload": return .upload
        case "/v1/container-metrics/abandon": return .abandon
        case "/v1/container-metrics/mock/state": return .state
        case "/v1/container-metrics/mock/queryMinio": return .objects
        case "/v2/insights": return .insights
        default:
            let prefix = "/\(MockOptions.bucket)/"
            guard bucket != nil, path.hasPrefix(prefix), let key = percentDecoded(path.dropFirst(prefix.count)) else {
                return .unknown
            }
            return .object(key: key)
        }
    }

    private func objectRefusal(_ head: HTTPRequestHead, key: String, declaredLength: Int?) -> HTTPResponse? {
        guard head.method == .PUT else {
            return S3Refusal(.methodNotAllowed, "MethodNotAllowed", "The specified method is not allowed").response
        }
        guard MockBucket.isKey(key) else {
            return S3Refusal(.badRequest, "InvalidArgument", "This key cannot be stored").response
        }
        if faults.take(.putReset) { return .hangUp }
        if faults.take(.putForbidden) { return S3Refusal(.forbidden, "AccessDenied", "Access Denied").response }
        if faults.take(.putThrottled) {
            var response = S3Refusal(.tooManyRequests, "SlowDown", "Please reduce your request rate.").response
            response.headers.add(name: "retry-after", value: "1")
            return response
        }
        if faults.take(.putUnavailable) {
            return S3Refusal(.serviceUnavailable, "SlowDown", "Please reduce your request rate.").response
        }
        let check = PresignedCheck(signer: options.signer, now: now)
        return check.refusal(of: head, declaredLength: declaredLength)?.response
    }

    private func put(_ key: String, _ request: HTTPRequest) -> HTTPResponse {
        var bytes = Array(request.body.readableBytesView)
        if let wanted = request.headers.first(name: "content-md5"),
            wanted != String(decoding: base64(Digest.of(bytes, .md5)), as: UTF8.self)
        {
            return S3Refusal(.badRequest, "BadDigest", "The Content-MD5 you specified did not match what we received.")
                .response
        }
        if faults.take(.putTruncated) { bytes.removeLast(bytes.count / 2) }
        guard let bucket else { return .empty(.notFound) }
        do {
            let etag = try bucket.put(key, bytes)
            if faults.take(.putLost) { return .hangUp }
            return HTTPResponse(status: .ok, headers: ["etag": "\"\(etag)\"", "x-amz-request-id": "MOCK"])
        } catch {
            return S3Refusal(.internalServerError, "InternalError", "\(error)").response
        }
    }

    private func listing() -> HTTPResponse {
        guard let bucket else {
            return .text(.notImplemented, "this mock signs for another S3; list its bucket there")
        }
        let keys = bucket.objects.keys.sorted()
        return Self.json(Listing(objects: keys, length: keys.count))
    }

    /// 200 with `value` as JSON, keys sorted.
    static func json(_ value: some Encodable) -> HTTPResponse {
        do {
            return .json(.ok, try JSONValue(encoding: value).text().utf8)
        } catch {
            return .text(.internalServerError, "cannot encode the answer: \(error)")
        }
    }
}
