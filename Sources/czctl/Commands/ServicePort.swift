internal import DiskIO
internal import JSON
internal import Ship

/// A service as it is asked over its port: no volume, lock or socket of it is at hand.
struct ServicePort: Sendable {
    /// As the manifests have it.
    static let usual = "http://127.0.0.1:8080"
    private static let timeLimit = Duration.seconds(30)
    /// A reload reads files of the service's, and answers when it is done.
    private static let reloadTimeLimit = Duration.seconds(60)

    /// Without a slash at its end.
    let url: String
    private let authorization: String?
    private let transport: any HTTPTransport

    /// - Parameter text: `http[s]://host[:port]`, perhaps with the path of a gateway before it.
    /// - Throws: `.usage` for what is no such URL; what `access` throws.
    init(_ text: String, _ access: WriteAccessOptions) throws {
        guard let parsed = WriteURL(text), !text.contains(where: { "@?#".contains($0) }) else {
            throw CommandFailure(
                .usage, "cannot use the URL of --url or CZCTL_URL: it is no http[s]://host[:port]",
                try: "--url http://127.0.0.1:8080; credentials go into --basic-file or --bearer-file")
        }
        let given = try access.access(to: parsed)
        url = String(parsed.text.reversed().drop { $0 == "/" }.reversed())
        authorization = given.authorization
        transport =
            given.transport
            ?? CurlTransport(userAgent: "czctl", connectTimeout: .seconds(5), fileSystem: PosixFileSystem())
    }

    /// - Throws: `.temporary` where nobody answers; `.refused`; `.error` for an answer that is no report.
    func status() async throws -> StatusReport {
        let response = try await ask(.get, "/api/v1/status", Self.timeLimit)
        return try decode(StatusReport.self, response)
    }

    /// As `status` throws.
    func reload() async throws -> ReloadOutcome {
        // 500 is an answer too: it has the faults.
        let response = try await ask(.post, "/-/reload", Self.reloadTimeLimit, accepting: [500])
        return try decode(ReloadOutcome.self, response)
    }

    private func ask(
        _ method: HTTPRequest.Method, _ path: String, _ limit: Duration, accepting accepted: Set<Int> = []
    ) async throws -> HTTPResponse {
        var headers = [(name: "Accept", value: "application/json")]
        if let authorization { headers.append((name: "Authorization", value: authorization)) }
        let request = HTTPRequest(
            method, RedactedURL(url + path), headers: headers, body: .none, timeout: limit, reach: .withoutProxy)
        let response: HTTPResponse
        do throws(TransportError) {
            response = try await transport.sendDiscreetly(request)
        } catch {
            throw CommandFailure(
                .temporary, "cannot ask \(url): nobody answers", try: "czctl doctor, where the service runs",
                because: error)
        }
        if response.status == 200 || accepted.contains(response.status) { return response }
        let text = String(decoding: response.body.prefix(1024), as: UTF8.self)
        let line = HumanText.line(String(text.prefix { !$0.isNewline }))
        let words = "cannot ask \(url)\(path): it answered \(response.status)\(line.isEmpty ? "" : ": \(line)")"
        switch response.status {
        case 401, 403:
            throw CommandFailure(.refused, words, try: "--bearer-file or --basic-file, with what the port asks for")
        case 429, 503: throw CommandFailure(.temporary, words, try: "the same again, soon")
        default: throw CommandFailure(.error, words, try: "--url http://HOST:PORT of a collector, shipper or run")
        }
    }

    private func decode<Answer: Decodable>(_ type: Answer.Type, _ response: HTTPResponse) throws -> Answer {
        do {
            return try JSONValue(parsing: response.body).inCamelCase.decode(type)
        } catch {
            throw CommandFailure(
                .error, "cannot read what \(url) answers: it is none of Cirrus's, or of another version",
                try: "czctl version, there and here", because: error)
        }
    }
}

extension JSONValue {
    /// With the keys as types have them: `request_id` is `requestId`.
    fileprivate var inCamelCase: JSONValue {
        switch self {
        case .array(let values): .array(values.map(\.inCamelCase))
        case .object(let members):
            .object(members.map { Member(Self.camelCase($0.key), $0.value.inCamelCase) })
        default: self
        }
    }

    private static func camelCase(_ key: String) -> String {
        let words = key.split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }
}
