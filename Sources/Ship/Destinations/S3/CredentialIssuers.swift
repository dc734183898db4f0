internal import Digest
internal import JSON

/// The services that give credentials for a while. What they answer is not trusted further than it can be used.
struct CredentialIssuers: Sendable {
    let environment: [String: String]
    let region: String
    let transport: any HTTPTransport

    private static let timeout = Duration.seconds(5)

    // MARK: Web identity: the token of a Kubernetes service account for a role's credentials

    /// `AssumeRoleWithWebIdentity` of AWS STS.
    func webIdentity(tokenPath: String, role: String) async throws(ShipFailure) -> AWSCredentials {
        let file = SecretFile(
            path: tokenPath, what: "the web identity token", key: "AWS_WEB_IDENTITY_TOKEN_FILE", byteLimit: 20_000)
        let token = try file.read()
        let session = environment["AWS_ROLE_SESSION_NAME"] ?? "cirrus"
        let fields = [
            ("Action", "AssumeRoleWithWebIdentity"), ("Version", "2011-06-15"), ("RoleArn", role),
            ("RoleSessionName", session), ("WebIdentityToken", token),
        ]
        let body = fields.map { "\($0.0)=\(percentEncoded($0.1))" }.joined(separator: "&")
        let domain = region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        let base = environment["AWS_ENDPOINT_URL_STS"] ?? "https://sts.\(region).\(domain)"
        let url = base.hasSuffix("/") ? base : base + "/"
        let headers = [(name: "Content-Type", value: "application/x-www-form-urlencoded")]
        let response = try await send(
            .post, url, headers, .bytes(Array(body.utf8)), "STS", reach: .anywhere)
        let text = String(decoding: response.body, as: UTF8.self)
        func value(_ name: String) -> String { ServerWords.between("<\(name)>", "</\(name)>", text).trimmed }
        return try credentials(
            value("AccessKeyId"), value("SecretAccessKey"), value("SessionToken"), value("Expiration"), "STS")
    }

    // MARK: Container endpoint: EKS pod identity, ECS

    func container(_ url: String) async throws(ShipFailure) -> AWSCredentials {
        let place: URLPlace
        do throws(RefusedURL) { place = try URLPlace(url) } catch {
            throw ShipFailure(.unauthorized, "cannot use the container's credentials endpoint: \(error)")
        }
        let isLocal =
            place.host.hasPrefix("127.") || ["localhost", "[::1]"].contains(place.host)
            || ["169.254.170.2", "169.254.170.23", "[fd00:ec2::23]"].contains(place.host)
        guard place.isHTTPS || isLocal else {
            throw ShipFailure(
                .unauthorized, "the container's credentials endpoint \(place.host) is neither https nor local")
        }
        var headers: [(name: String, value: String)] = []
        if let path = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"] {
            let file = SecretFile(
                path: path, what: "the container's token", key: "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE")
            headers.append(("Authorization", try file.read()))
        } else if let token = environment["AWS_CONTAINER_AUTHORIZATION_TOKEN"] {
            headers.append(("Authorization", token))
        }
        return try decoded(try await send(.get, url, headers, .none, place.host), place.host)
    }

    // MARK: Instance metadata, version 2

    func instanceMetadata() async throws(ShipFailure) -> AWSCredentials {
        var base = environment["AWS_EC2_METADATA_SERVICE_ENDPOINT"] ?? "http://169.254.169.254"
        while base.hasSuffix("/") { base.removeLast() }
        let what = "the instance's metadata service"
        let asked = try await send(
            .put, base + "/latest/api/token", [("X-aws-ec2-metadata-token-ttl-seconds", "21600")], .none, what)
        let token = String(decoding: asked.body, as: UTF8.self).trimmed
        guard (1...4_096).contains(token.utf8.count), token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw ShipFailure(.unauthorized, "\(what) gave no token")
        }
        let headers = [(name: "X-aws-ec2-metadata-token", value: token)]
        let folder = base + "/latest/meta-data/iam/security-credentials/"
        let named = try await send(.get, folder, headers, .none, what)
        let role = String(decoding: named.body, as: UTF8.self).split(whereSeparator: \.isNewline).first.map(\.trimmed)
        guard let role, (1...64).contains(role.utf8.count) else {
            throw ShipFailure(.unauthorized, "\(what) names no role; give the instance one, or configure key files")
        }
        return try decoded(try await send(.get, folder + percentEncoded(role), headers, .none, what), what)
    }

    // MARK: Both

    /// An answer of 2xx.
    private func send(
        _ method: HTTPRequest.Method, _ url: String, _ headers: [(name: String, value: String)],
        _ body: HTTPRequest.Body, _ who: String, reach: HTTPRequest.Reach = .withoutProxy
    ) async throws(ShipFailure) -> HTTPResponse {
        let request = HTTPRequest(
            method, RedactedURL(url), headers: headers, body: body, timeout: Self.timeout,
            reach: reach)
        let response: HTTPResponse
        do throws(TransportError) { response = try await transport.send(request) } catch {
            throw ShipFailure(.unauthorized, "cannot get credentials from \(who): \(error.text)")
        }
        guard (200..<300).contains(response.status) else {
            // Its words may quote the token.
            let code = ServerWords(response).code.prefix(60)
            throw ShipFailure(.unauthorized, "\(who) answered \(response.status) \(code) to a call for credentials")
        }
        return response
    }

    private struct Answer: Decodable {
        let accessKey: String
        let secretKey: String
        let token: String
        let expiration: String

        enum CodingKeys: String, CodingKey {
            case accessKey = "AccessKeyId"
            case secretKey = "SecretAccessKey"
            case token = "Token"
            case expiration = "Expiration"
        }
    }

    private func decoded(_ response: HTTPResponse, _ who: String) throws(ShipFailure) -> AWSCredentials {
        let answer: Answer
        do { answer = try JSONValue(parsing: response.body).decode(Answer.self) } catch {
            // The decoder's words may quote the answer.
            throw ShipFailure(.unauthorized, "\(who) answered something else than credentials")
        }
        return try credentials(answer.accessKey, answer.secretKey, answer.token, answer.expiration, who)
    }

    private func credentials(
        _ access: String, _ secret: String, _ token: String, _ expiration: String, _ who: String
    ) throws(ShipFailure) -> AWSCredentials {
        let expires = UTCTime.milliseconds(extendedISO8601: expiration)
        let found = AWSCredentials(
            accessKey: access, secretKey: secret, sessionToken: token, expiresMilliseconds: expires)
        guard let found, expires != nil else {
            throw ShipFailure(.unauthorized, "\(who) answered credentials that cannot be used")
        }
        return found
    }
}
