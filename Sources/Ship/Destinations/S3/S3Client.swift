internal import Digest

/// Where a bucket is: scheme, host and the path before the key.
struct S3Endpoint: Equatable, Sendable {
    /// `https://host[:port]`.
    let base: String
    /// As libcurl sends it: the port only when it is not the scheme's own.
    let hostHeader: String
    /// Ends with a slash.
    let root: String

    /// - Throws: `.getRemoteBase`.
    init(_ options: S3Options) throws(ShipFailure) {
        let domain = options.region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        var endpoint = options.endpoint ?? "https://s3.\(options.region).\(domain)"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        let place: URLPlace
        do throws(RefusedURL) { place = try URLPlace(endpoint) } catch {
            throw ShipFailure(.getRemoteBase, "cannot use the endpoint \(endpoint): \(error)")
        }
        // A certificate for *.s3.… does not cover a bucket with dots; an address has no subdomains.
        let inPath = options.pathStyle || options.bucket.contains(".") || place.isLiteralAddress
        let scheme = place.isHTTPS ? "https://" : "http://"
        let port = place.port == (place.isHTTPS ? 443 : 80) ? "" : ":\(place.port)"
        hostHeader = (inPath ? "" : options.bucket + ".") + place.host + port
        base = scheme + hostHeader
        let authority = endpoint.dropFirst(scheme.count)
        let path = authority.firstIndex(of: "/").map { String(authority[$0...]) } ?? ""
        root = path + (inPath ? "/\(options.bucket)/" : "/")
    }
}

/// One request for an object, before it is signed.
struct S3Request: Sendable {
    var method: HTTPRequest.Method
    var key: String
    var query: [(name: String, value: String)] = []
    var headers: [(name: String, value: String)] = []
    var body = HTTPRequest.Body.none
    /// SHA-256 of the body, 64 hex digits.
    var payload: String

    /// Of no bytes.
    static let emptyPayload = hex(Digest.of([], .sha256))

    init(
        _ method: HTTPRequest.Method, _ key: String, query: [(name: String, value: String)] = [],
        headers: [(name: String, value: String)] = []
    ) {
        self.method = method
        self.key = key
        self.query = query
        self.headers = headers
        payload = Self.emptyPayload
    }

    func withBytes(_ bytes: [UInt8]) -> S3Request {
        var request = self
        request.body = .bytes(bytes)
        request.payload = hex(Digest.of(bytes, .sha256))
        return request
    }

    /// The part of the file that `witness` was read from, and the headers S3 checks it by.
    func withFile(_ path: String, offset: UInt64, _ witness: FileWitness) -> S3Request {
        var request = self
        request.body = .file(path: path, offset: offset, byteCount: witness.byteCount, digest: witness.sha256)
        request.payload = witness.sha256
        let md5 = hexDecoded(witness.md5) ?? []
        request.headers.append(("content-md5", String(decoding: base64(md5), as: UTF8.self)))
        return request
    }

    /// The signed request (SigV4 in headers). The payload's digest is signed too: a service that checks it cannot
    /// store other bytes.
    func signed(
        _ endpoint: S3Endpoint, region: String, _ credentials: AWSCredentials, at milliseconds: Int64,
        timeout: Duration
    ) -> HTTPRequest {
        let timestamp = AWSTimestamp(unixSeconds: milliseconds / 1_000)
        var signed = SigV4.Request(
            method: method.rawValue, path: endpoint.root + key, query: query,
            headers: headers + [("x-amz-content-sha256", payload), ("x-amz-date", timestamp.text)])
        if let token = credentials.sessionToken { signed.headers.append(("x-amz-security-token", token)) }
        var sent = signed.headers
        signed.headers.append(("host", endpoint.hostHeader))
        let signer = SigV4(accessKey: credentials.accessKey, secretKey: credentials.secretKey, region: region)
        sent.append(("Authorization", signer.authorization(of: signed, payload: payload, at: timestamp)))
        // libcurl would add types of its own, which need not be signed, but say nothing true.
        sent.append(("Content-Type", ""))
        return HTTPRequest(
            method, RedactedURL(endpoint.base + SigV4.target(signed)), headers: sent, body: body, timeout: timeout)
    }
}
