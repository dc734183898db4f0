internal import Bytes

/// What one attempt to deliver one file came to.
package enum UploadOutcome: Sendable, Equatable {
    case uploaded(Receipt)
    /// Worth another attempt in this cycle; `after` is what the server asked for.
    case again(ShipFailure, after: Duration?)
    /// Not in this cycle.
    case failed(ShipFailure, dropsURL: Bool)
    /// The URL is dead: a new one may help.
    case expired(ShipFailure)
    /// Nothing can be delivered there now: credentials, bucket or region are not right.
    case refused(ShipFailure)
    /// The bytes are not what the name says (I8).
    case damaged(ShipFailure)
    /// We stopped; whether it arrived is unknown.
    case interrupted
}

/// What one call of the upload API came to.
package enum CallOutcome: Sendable, Equatable {
    case accepted
    case again(ShipFailure, after: Duration?)
    case refused(ShipFailure)
    case interrupted
}

/// The tables of contract.md §1: which answer means what. Pure.
package enum AnswerRules {
    /// Of a call of the upload API.
    package static func call(_ result: Result<HTTPResponse, TransportError>, host: String, now: Int64) -> CallOutcome {
        switch result {
        case .failure(let error): return call(error, host: host)
        case .success(let response):
            let text = "\(host) answered \(response.status)\(ServerWords(response).suffix)"
            switch response.status {
            case 200..<300: return .accepted
            case 401, 403: return .refused(ShipFailure(.unauthorized, text))
            case 408, 429, 500, 502...599:
                return .again(ShipFailure(.httpRequestFailed, text), after: retryAfter(response, now: now))
            default: return .refused(ShipFailure(.httpUnknown, text))
            }
        }
    }

    private static func call(_ error: TransportError, host: String) -> CallOutcome {
        let text = "\(host): \(error.text)"
        switch error.reason {
        case .cancelled: return .interrupted
        case .timedOut, .connection, .digestMismatch, .fileUnreadable:
            return .again(ShipFailure(.httpRequestFailed, text), after: nil)
        case .responseTooLarge: return .refused(ShipFailure(.invalidBody, text))
        case .unusableRequest: return .refused(ShipFailure(.getRemoteBase, text))
        }
    }

    /// Of a PUT to a presigned URL.
    /// - Parameter md5: of the bytes sent: an ETag of 32 hex digits must be it, unless the server encrypts by KMS.
    package static func put(
        _ result: Result<HTTPResponse, TransportError>, host: String, md5: String, now: Int64
    ) -> UploadOutcome {
        let response: HTTPResponse
        switch result {
        case .failure(let error): return put(error, host: host)
        case .success(let answer): response = answer
        }
        let words = ServerWords(response)
        let text = "\(host) answered \(response.status)\(words.suffix)"
        switch response.status {
        case 200..<300: return stored(response, host: host, md5: md5)
        case 400 where ["AccessDenied", "ExpiredToken"].contains(words.code),
            403 where words.saysExpired:
            return .expired(ShipFailure(.expiredURL, text))
        case 403 where ["SignatureDoesNotMatch", "RequestTimeTooSkewed"].contains(words.code):
            return .failed(ShipFailure(.unauthorized, text + clockNote(response, now: now)), dropsURL: true)
        case 401, 403: return .failed(ShipFailure(.unauthorized, text), dropsURL: true)
        case 408, 429, 500, 502...599:
            var failure = ShipFailure(.httpRequestFailed, text)
            // Overload and a gateway's words concern every file; 500 may be one object's.
            failure.isHosts = [429, 502, 503, 504].contains(response.status)
            return .again(failure, after: retryAfter(response, now: now))
        default: return .failed(ShipFailure(.httpUnknown, text), dropsURL: true)
        }
    }

    private static func put(_ error: TransportError, host: String) -> UploadOutcome {
        let text = "\(host): \(error.text)"
        switch error.reason {
        case .cancelled: return .interrupted
        case .timedOut, .connection:
            var failure = ShipFailure(.httpRequestFailed, text)
            failure.isHosts = true
            return .again(failure, after: nil)
        case .digestMismatch: return .damaged(ShipFailure(.fileRead, error.text))
        case .fileUnreadable: return .failed(ShipFailure(.fileRead, error.text), dropsURL: false)
        case .responseTooLarge, .unusableRequest: return .failed(ShipFailure(.httpUnknown, text), dropsURL: true)
        }
    }

    private static func stored(_ response: HTTPResponse, host: String, md5: String) -> UploadOutcome {
        let etag = response.headers["etag"].map(plainETag)
        if let etag, !hidesDigest(response), etag.utf8.count == 32, looksLikeDigest(etag), etag.lowercased() != md5 {
            let text = "\(host) answered \(response.status), but stored other bytes: ETag \(etag), MD5 \(md5)"
            return .again(ShipFailure(.httpUnknown, text), after: nil)
        }
        return .uploaded(receipt(response))
    }

    static func receipt(_ response: HTTPResponse) -> Receipt {
        Receipt(
            status: response.status, etag: response.headers["etag"].map { String(plainETag($0).prefix(100)) },
            requestID: (response.headers["x-amz-request-id"] ?? response.headers["x-request-id"])
                .map { String($0.prefix(100)) },
            serverDate: response.headers["date"].map { String($0.prefix(40)) })
    }

    /// Without its quotes.
    static func plainETag(_ etag: String) -> String { etag.filter { $0 != "\"" } }

    /// 32 hex digits, of parts followed by `-` and their number.
    static func looksLikeDigest(_ etag: String) -> Bool {
        let digits = etag.prefix { $0 != "-" }
        return digits.utf8.count == 32 && digits.allSatisfy(\.isHexDigit)
    }

    /// The server encrypts by KMS: then its ETag is no MD5.
    static func hidesDigest(_ response: HTTPResponse) -> Bool {
        response.headers["x-amz-server-side-encryption"]?.hasPrefix("aws:kms") ?? false
    }

    /// Seconds, or a date; at most an hour.
    package static func retryAfter(_ response: HTTPResponse, now: Int64) -> Duration? {
        guard let text = response.headers["retry-after"] else { return nil }
        let milliseconds =
            Int64(text).map { min(max($0, 0), 3_600) * 1_000 }
            ?? UTCTime.milliseconds(httpDate: text).map { $0 - now }
        return milliseconds.map { .milliseconds(min(max($0, 0), 3_600_000)) }
    }

    private static func clockNote(_ response: HTTPResponse, now: Int64) -> String {
        guard let date = response.headers["date"], let server = UTCTime.milliseconds(httpDate: date) else { return "" }
        return "; this machine's clock is \((now - server) / 1_000) s ahead of the server's"
    }
}

/// What an error answer says, cut to one short line: the upload API's JSON, or S3's XML.
struct ServerWords: Equatable {
    var code = ""
    var message = ""

    init(_ response: HTTPResponse) {
        guard !(200..<300).contains(response.status) else { return }
        let body = String(decoding: response.body.prefix(4_096), as: UTF8.self)
        code = Self.clean(Self.between("<Code>", "</Code>", body))
        message = Self.clean(code.isEmpty ? Self.jsonMessage(body) : Self.between("<Message>", "</Message>", body))
    }

    /// S3's way to say that a presigned URL is too old.
    var saysExpired: Bool {
        code == "ExpiredToken" || message.lowercased().contains("expired")
    }

    /// `: code message`, or nothing.
    var suffix: String {
        let words = [code, message].filter { !$0.isEmpty }.joined(separator: ": ")
        return words.isEmpty ? "" : ": " + words
    }

    static func between(_ start: String, _ end: String, _ text: String) -> String {
        guard let from = text.firstRange(of: start), let to = text[from.upperBound...].firstRange(of: end) else {
            return ""
        }
        return String(text[from.upperBound..<to.lowerBound])
    }

    /// The value of "message", also where it is JSON inside a JSON string.
    private static func jsonMessage(_ body: String) -> String {
        let plain = body.filter { $0 != "\\" }
        guard let key = plain.firstRange(of: "\"message\"") else { return plain }
        let value = plain[key.upperBound...].drop { $0 == ":" || $0 == " " || $0 == "\"" }
        return String(value.prefix { $0 != "\"" })
    }

    /// One line of printable text without secrets: the words are a stranger's.
    private static func clean(_ text: String) -> String {
        let printable = text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? " " : Character($0) }
        return RedactedURL.scrubbed(String(String(printable).trimmed.prefix(200)))
    }
}
