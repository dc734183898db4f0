/// AWS Signature Version 4 of S3 requests, in the query (presigned URLs) or in the header `Authorization`.
///
/// Source: "Authenticating Requests (AWS Signature Version 4)", Amazon S3 API Reference.
package struct SigV4: Sendable {
    package static let algorithm = "AWS4-HMAC-SHA256"
    /// Stands for the payload's digest where it is not signed, as in every presigned URL.
    package static let unsignedPayload = "UNSIGNED-PAYLOAD"

    package var accessKey: String
    package var secretKey: String
    package var region: String

    package init(accessKey: String, secretKey: String, region: String) {
        self.accessKey = accessKey
        self.secretKey = secretKey
        self.region = region
    }

    /// What is signed: names and values as they are before any percent-encoding; header names in lower case.
    package struct Request: Sendable {
        package var method: String
        package var path: String
        package var query: [(name: String, value: String)]
        package var headers: [(name: String, value: String)]

        package init(
            method: String, path: String, query: [(name: String, value: String)] = [],
            headers: [(name: String, value: String)]
        ) {
            self.method = method
            self.path = path
            self.query = query
            self.headers = headers
        }
    }

    /// The path and query of a URL that allows `request` for `seconds` (1 to 604,800) from `timestamp`.
    /// `request.headers` are signed; S3 wants `host` among them.
    package func presignedTarget(_ request: Request, at timestamp: AWSTimestamp, expiresIn seconds: Int) -> String {
        var request = request
        let names = request.headers.map(\.name).sorted().joined(separator: ";")
        request.query += [
            ("X-Amz-Algorithm", Self.algorithm), ("X-Amz-Credential", "\(accessKey)/\(scope(timestamp))"),
            ("X-Amz-Date", timestamp.text), ("X-Amz-Expires", String(seconds)), ("X-Amz-SignedHeaders", names),
        ]
        let query = Self.canonicalQuery(request.query)
        let signature = signature(of: request, payload: Self.unsignedPayload, at: timestamp)
        return "\(percentEncoded(request.path, keepingSlash: true))?\(query)&X-Amz-Signature=\(signature)"
    }

    /// The value of `Authorization` for `request`. All its headers are signed: S3 wants `host`, `x-amz-date` and
    /// `x-amz-content-sha256` among them.
    /// - Parameter payload: the body's SHA-256 as 64 hex digits, or `unsignedPayload`.
    package func authorization(of request: Request, payload: String, at timestamp: AWSTimestamp) -> String {
        let names = request.headers.map(\.name).sorted().joined(separator: ";")
        return "\(Self.algorithm) Credential=\(accessKey)/\(scope(timestamp)), SignedHeaders=\(names), "
            + "Signature=\(signature(of: request, payload: payload, at: timestamp))"
    }

    /// The path and query that `request` is signed for, encoded as they must be sent.
    package static func target(_ request: Request) -> String {
        let path = percentEncoded(request.path, keepingSlash: true)
        return request.query.isEmpty ? path : path + "?" + canonicalQuery(request.query)
    }

    /// The signature S3 computes over `request`: 64 hex digits. Of a presigned one the query holds every `X-Amz-`
    /// parameter but `X-Amz-Signature`.
    package func signature(of request: Request, payload: String, at timestamp: AWSTimestamp) -> String {
        let headers = request.headers.sorted { $0.name < $1.name }
        let canonical =
            [
                request.method, percentEncoded(request.path, keepingSlash: true), Self.canonicalQuery(request.query),
                headers.map { "\($0.name):\($0.value)\n" }.joined(), headers.map(\.name).joined(separator: ";"),
                payload,
            ].joined(separator: "\n")
        let digest = hex(Digest.of([UInt8](canonical.utf8), .sha256))
        let message = "\(Self.algorithm)\n\(timestamp.text)\n\(scope(timestamp))\n\(digest)"
        var key = [UInt8]("AWS4\(secretKey)".utf8)
        for part in [timestamp.day, region, "s3", "aws4_request"] {
            key = Digest.hmacSHA256(key: key, message: [UInt8](part.utf8))
        }
        return hex(Digest.hmacSHA256(key: key, message: [UInt8](message.utf8)))
    }

    /// What a credential is good for: `<yyyymmdd>/<region>/s3/aws4_request`.
    package func scope(_ timestamp: AWSTimestamp) -> String { "\(timestamp.day)/\(region)/s3/aws4_request" }

    /// Encoded pairs in the order of their encoded names, then values.
    private static func canonicalQuery(_ query: [(name: String, value: String)]) -> String {
        query.map { (name: percentEncoded($0.name), value: percentEncoded($0.value)) }
            .sorted { ($0.name, $0.value) < ($1.name, $1.value) }
            .map { "\($0.name)=\($0.value)" }.joined(separator: "&")
    }
}

/// RFC 3986 percent-encoding as AWS wants it: all but letters, digits and `-._~`, in upper-case hex.
package func percentEncoded(_ text: String, keepingSlash: Bool = false) -> String {
    let digits = [UInt8]("0123456789ABCDEF".utf8)
    var encoded: [UInt8] = []
    for byte in text.utf8 {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
            UInt8(ascii: "~"):
            encoded.append(byte)
        case UInt8(ascii: "/") where keepingSlash: encoded.append(byte)
        default: encoded += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
        }
    }
    return String(decoding: encoded, as: UTF8.self)
}

/// The text `percentEncoded` came from; nil for a `%` without two hex digits, or bytes that are not UTF-8.
/// With `form`, `+` is a space.
package func percentDecoded(_ text: some StringProtocol, form: Bool = false) -> String? {
    var decoded: [UInt8] = []
    var bytes = text.utf8.makeIterator()
    while let byte = bytes.next() {
        switch byte {
        case UInt8(ascii: "%"):
            guard let high = bytes.next().flatMap(hexDigit), let low = bytes.next().flatMap(hexDigit) else {
                return nil
            }
            decoded.append(high << 4 | low)
        case UInt8(ascii: "+") where form: decoded.append(UInt8(ascii: " "))
        default: decoded.append(byte)
        }
    }
    return String(validating: decoded, as: UTF8.self)
}

/// The bytes that `text` spells in hex; nil for anything else.
package func hexDecoded(_ text: String) -> [UInt8]? {
    let digits = text.utf8.map(hexDigit)
    guard digits.count % 2 == 0 else { return nil }
    var bytes: [UInt8] = []
    for index in stride(from: 0, to: digits.count, by: 2) {
        guard let high = digits[index], let low = digits[index + 1] else { return nil }
        bytes.append(high << 4 | low)
    }
    return bytes
}

private func hexDigit(_ byte: UInt8) -> UInt8? {
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
    case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
    case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
    default: nil
    }
}
