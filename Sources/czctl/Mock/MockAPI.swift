internal import Digest
internal import HTTPServer
internal import JSON
internal import NIOCore
internal import NIOHTTP1
internal import Synchronization

/// The upload API's own calls: allocate and abandon (contract: `POST .../upload`, `POST .../abandon`).
struct MockAPI: Sendable {
    let options: MockOptions
    let faults: MockFaults
    let journal: MockJournal

    private struct UploadBody: Decodable {
        struct File: Decodable {
            var referenceID: String

            enum CodingKeys: String, CodingKey { case referenceID = "reference_id" }
        }

        var files: [File]
    }

    /// The checks before the body, in the order of the original.
    func refusal(of head: HTTPRequestHead) -> HTTPResponse? {
        if faults.take(.reset) { return .hangUp }
        if faults.take(.unauthorized) { return Self.error(.unauthorized, "Unauthorized") }
        if faults.take(.forbidden) {
            return .json(.forbidden, #"{"message":"User is not authorized to access this resource"}"#.utf8)
        }
        if faults.take(.throttled) { return Self.later(Self.error(.tooManyRequests, "Too many requests")) }
        if faults.take(.unavailable) { return Self.later(Self.error(.serviceUnavailable, "Service unavailable")) }
        guard let key = head.headers.first(name: "authorization"), !key.isEmpty else {
            return Self.error(.unauthorized, "Missing Authorization header")
        }
        guard key == options.apiKey else { return Self.error(.forbidden, "Invalid API key") }
        guard head.method == .POST else { return Self.error(.methodNotAllowed, "Method not allowed") }
        let query = Self.parameters(of: head)
        for name in ["cluster_name", "cloud_account_id", "region"] where (query[name] ?? "").isEmpty {
            return Self.error(.badRequest, "missing required parameter: \(name)")
        }
        guard Self.count(query) != nil else { return Self.error(.badRequest, "Invalid count parameter") }
        return nil
    }

    /// A flat map of reference id to presigned URL.
    func upload(_ request: HTTPRequest, now: AWSTimestamp) -> HTTPResponse {
        // Whatever is wrong with the JSON, the answer is the same.
        guard let body = try? JSONValue(parsing: request.body.readableBytesView).decode(UploadBody.self) else {
            return Self.error(.badRequest, "Invalid request body")
        }
        if options.errorOnUpload { return .json(.internalServerError, #""Failed""#.utf8) }
        var ids = body.files.map(\.referenceID)
        if ids.isEmpty {
            let count = Self.count(Self.parameters(request.query)) ?? 1
            ids = (0..<count).map { _ in hex((0..<8).map { _ in UInt8.random(in: 0...255) }) }
        }
        if faults.take(.subset) { ids.removeLast((ids.count + 1) / 2) }
        var host = request.headers.first(name: "host") ?? "localhost:\(options.port)"
        if case .endpoint(let endpoint) = options.storage { host = endpoint }
        let isExpired = faults.take(.expiredURL)
        let date = isExpired ? AWSTimestamp(unixSeconds: now.unixSeconds - 2 * Int64(options.urlSeconds)) : now
        var urls = [String: String](uniqueKeysWithValues: Set(ids).map { ($0, url(of: $0, host: host, at: date)) })
        if faults.take(.emptyURL), let first = ids.first { urls[first] = "" }
        if faults.take(.unknownID) {
            urls["metrics_0_0.parquet"] = url(of: "metrics_0_0.parquet", host: host, at: date)
        }
        journal.allocated(ids)
        var response = MockHandler.json(urls)
        if faults.take(.badJSON) { response = .json(.ok, #"{"metrics_"#.utf8) }
        if faults.take(.badReplay) {
            response.headers.add(name: "x-cloudzero-replay", value: "[{")
        } else if let payload = options.replayPayload {
            response.headers.add(name: "x-cloudzero-replay", value: payload)
        }
        return response
    }

    func abandon(_ request: HTTPRequest) -> HTTPResponse {
        guard
            // What is wrong with it is not the original's to say.
            let abandoned = try? JSONValue(parsing: request.body.readableBytesView).decode(
                [MockJournal.Abandoned].self)
        else { return Self.error(.badRequest, "Invalid request body") }
        journal.abandoned(abandoned)
        return .json(.ok, Self.envelope(200, "Abandon request processed successfully").utf8)
    }

    private func url(of key: String, host: String, at date: AWSTimestamp) -> String {
        let request = SigV4.Request(
            method: "PUT", path: "/\(MockOptions.bucket)/\(key)",
            headers: [(name: "host", value: host.split(separator: "/").last.map(String.init) ?? host)])
        let scheme = host.hasPrefix("http") ? "" : "http://"
        return scheme + host + options.signer.presignedTarget(request, at: date, expiresIn: options.urlSeconds)
    }

    /// Absent is 1; nil for what is no positive integer.
    private static func count(_ query: [String: String]) -> Int? {
        guard let text = query["count"] else { return 1 }
        return Int(text).flatMap { (1...100_000).contains($0) ? $0 : nil }
    }

    private static func parameters(of head: HTTPRequestHead) -> [String: String] {
        parameters(HTTPRequest.split(target: head.uri).query)
    }

    private static func parameters(_ query: String?) -> [String: String] {
        let pairs = PresignedCheck.pairs(query ?? "", form: true) ?? []
        return Dictionary(pairs.map { ($0.name, $0.value) }) { first, _ in first }
    }

    static func error(_ status: HTTPResponseStatus, _ message: String) -> HTTPResponse {
        .json(status, envelope(Int(status.code), message).utf8)
    }

    private static func later(_ response: HTTPResponse) -> HTTPResponse {
        var response = response
        response.headers.add(name: "retry-after", value: "1")
        return response
    }

    /// The body of the original's gateway: a JSON text inside JSON. `message` is of ours: it needs no escape.
    private static func envelope(_ status: Int, _ message: String) -> String {
        #"{"statusCode":\#(status),"body":"{\"message\": \"\#(message)\"}"}"#
    }
}

/// What the API was asked since the start.
final class MockJournal: Sendable {
    struct Abandoned: Codable, Sendable {
        var referenceID: String
        var reason: String?

        enum CodingKeys: String, CodingKey {
            case referenceID = "reference_id"
            case reason
        }
    }

    struct Entries: Encodable, Sendable {
        /// Times each id was given a URL.
        var allocated: [String: Int] = [:]
        var abandoned: [Abandoned] = []
    }

    private let state = Mutex(Entries())

    var entries: Entries { state.withLock { $0 } }

    func allocated(_ ids: [String]) {
        state.withLock { state in
            for id in ids { state.allocated[id, default: 0] += 1 }
        }
    }

    func abandoned(_ files: [Abandoned]) { state.withLock { $0.abandoned += files } }
}
