internal import DiskIO
internal import JSON
internal import Ship

/// A service as it is asked over its port: no volume, lock or socket of it is at hand.
struct ServicePort: Sendable {
    /// As the manifests have it.
    static let usual = "http://127.0.0.1:8080"
    private static let timeLimit = Duration.seconds(30)
    /// Of a guess, on this machine: who listens there may be no service and say nothing.
    private static let probeTimeLimit = Duration.seconds(1)
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
    func status() async throws -> StatusReport { try await status(within: Self.timeLimit) }

    private func status(within limit: Duration) async throws -> StatusReport {
        let response = try await ask(.get, "/api/v1/status", limit)
        return try decode(StatusReport.self, response, schema: StatusReport.schemaName)
    }

    /// Whether a service is there, as far as a second shows it; one that asks for credentials is.
    func isThere() async -> Bool {
        do {
            _ = try await status(within: Self.probeTimeLimit)
            return true
        } catch {
            // What else is wrong is no matter: then nothing is known to be there.
            return (error as? CommandFailure)?.status == .refused
        }
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
            throw failure(error)
        }
        if response.status == 200 || accepted.contains(response.status) { return response }
        let text = String(decoding: response.body.prefix(1024), as: UTF8.self)
        let line = HumanText.line(String(text.prefix { !$0.isNewline }))
        let words = "cannot ask \(url)\(path): it answered \(response.status)\(line.isEmpty ? "" : ": \(line)")"
        switch response.status {
        case 401, 403:
            throw CommandFailure(
                .refused, words, try: "--url \(url), and --bearer-file or --basic-file with what the port asks for")
        case 429, 503: throw CommandFailure(.temporary, words, try: "the same again, soon")
        default: throw CommandFailure(.error, words, try: "--url http://HOST:PORT of a collector, shipper or run")
        }
    }

    /// For `error`, in its own words unless nobody took the connection.
    private func failure(_ error: TransportError) -> CommandFailure {
        // As libcurl begins what it says of that, and of nothing else.
        let isNobody = error.reason == .connection && error.text.hasPrefix("Failed to connect")
        return CommandFailure(
            error.reason == .responseTooLarge ? .error : .temporary,
            "cannot ask \(url): \(isNobody ? "nobody answers" : HumanText.line(error.text))",
            try: "czctl doctor, where the service runs", because: error)
    }

    /// - Parameter schema: that the answer has to name; nil for one without.
    private func decode<Answer: Decodable>(
        _ type: Answer.Type, _ response: HTTPResponse, schema: String? = nil
    ) throws -> Answer {
        do {
            let value = try JSONValue(parsing: response.body)
            if let schema, value["schema"] != .string(schema) { throw OtherSchema() }
            return try value.asRead.decode(type)
        } catch {
            throw CommandFailure(
                .error, "cannot read what \(url) answers: it is none of Cirrus's, or of another version",
                try: "czctl version, there and here", because: error)
        }
    }

    private struct OtherSchema: Error, CustomStringConvertible {
        var description: String { "it names another schema, or none" }
    }
}

extension JSONValue {
    /// Longer than any text of ours, as the faults of a configuration.
    private static let textLimit = 4096

    /// With the keys as types have them, `request_id` is `requestId`, and with texts that a terminal can be given.
    fileprivate var asRead: JSONValue {
        switch self {
        case .array(let values): .array(values.map(\.asRead))
        case .object(let members): .object(members.map { Member(Self.camelCase($0.key), $0.value.asRead) })
        case .string(let text): .string(HumanText.line(text, limit: Self.textLimit))
        default: self
        }
    }

    private static func camelCase(_ key: String) -> String {
        let words = key.split(separator: "_")
        return words.dropFirst().reduce(String(words.first ?? "")) { $0 + $1.prefix(1).uppercased() + $1.dropFirst() }
    }
}
