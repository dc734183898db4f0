internal import Digest
internal import HTTPServer
internal import NIOHTTP1

/// What S3 checks of a presigned PUT before it reads the body.
struct PresignedCheck {
    let signer: SigV4
    let now: AWSTimestamp

    /// The refusal, or nil for a request S3 would take. `head.uri` is path-style, `/bucket/key?query`.
    func refusal(of head: HTTPRequestHead, declaredLength: Int?) -> S3Refusal? {
        if declaredLength == nil {
            return S3Refusal(
                .notImplemented, "NotImplemented", "A header you provided implies functionality that is not implemented"
            )
        }
        if !head.headers.contains(name: "content-length") {
            return S3Refusal(
                .lengthRequired, "MissingContentLength", "You must provide the Content-Length HTTP header.")
        }
        if head.headers.contains(name: "authorization") {
            return S3Refusal(.badRequest, "InvalidArgument", "Only one auth mechanism allowed")
        }
        return signatureRefusal(of: head)
    }

    private func signatureRefusal(of head: HTTPRequestHead) -> S3Refusal? {
        let (rawPath, rawQuery) = HTTPRequest.split(target: head.uri)
        guard let path = percentDecoded(rawPath), let query = Self.pairs(rawQuery ?? "") else {
            return S3Refusal(.badRequest, "InvalidURI", "Couldn't parse the specified URI.")
        }
        func value(_ name: String) -> String? { query.first { $0.name == name }?.value }
        guard value("X-Amz-Algorithm") == SigV4.algorithm, let credential = value("X-Amz-Credential"),
            let date = value("X-Amz-Date").flatMap({ AWSTimestamp($0) }),
            let seconds = value("X-Amz-Expires").flatMap({ Int64($0) }), (1...604_800).contains(seconds),
            let names = value("X-Amz-SignedHeaders")?.split(separator: ";").map(String.init), names.contains("host"),
            let signature = value("X-Amz-Signature")
        else {
            return S3Refusal(
                .badRequest, "AuthorizationQueryParametersError",
                "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
        }
        guard credential == "\(signer.accessKey)/\(signer.scope(date))" else {
            return S3Refusal(
                .forbidden, "InvalidAccessKeyId", "The AWS Access Key Id you provided does not exist in our records.")
        }
        if now.unixSeconds > date.unixSeconds + seconds {
            let end = AWSTimestamp(unixSeconds: date.unixSeconds + seconds)
            return S3Refusal(
                .forbidden, "AccessDenied", "Request has expired",
                details: [("X-Amz-Expires", String(seconds)), ("Expires", end.iso8601), ("ServerTime", now.iso8601)])
        }
        // S3 allows a signer's clock to run 15 minutes ahead.
        if now.unixSeconds < date.unixSeconds - 900 {
            return S3Refusal(.forbidden, "AccessDenied", "Request is not yet valid")
        }
        let unsigned = head.headers.map { $0.name.lowercased() }.first { $0.hasPrefix("x-amz-") && !names.contains($0) }
        if let unsigned {
            return S3Refusal(
                .forbidden, "AccessDenied", "There were headers present in the request which were not signed",
                details: [("HeadersNotSigned", unsigned)])
        }
        let request = SigV4.Request(
            method: head.method.rawValue, path: path, query: query.filter { $0.name != "X-Amz-Signature" },
            headers: names.map { name in
                (name: name, value: head.headers[name].joined(separator: ","))
            })
        guard signer.signature(of: request, payload: SigV4.unsignedPayload, at: date) == signature else {
            return S3Refusal(
                .forbidden, "SignatureDoesNotMatch",
                "The request signature we calculated does not match the signature you provided. "
                    + "Check your key and signing method."
            )
        }
        return nil
    }

    /// The decoded pairs of a query; nil when an escape is broken.
    static func pairs(_ query: String, form: Bool = false) -> [(name: String, value: String)]? {
        var pairs: [(name: String, value: String)] = []
        for pair in query.split(separator: "&") {
            let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard let name = percentDecoded(parts[0], form: form),
                let value = percentDecoded(parts.count == 2 ? parts[1] : "", form: form)
            else { return nil }
            pairs.append((name: name, value: value))
        }
        return pairs
    }
}
