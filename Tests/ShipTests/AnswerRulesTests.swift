import Ship
import Testing

@Suite struct AnswerRulesTests {
    enum Kind: String {
        case accepted, again, refused, interrupted, uploaded, failed, failedKeepingURL, expired, damaged
    }

    static let md5 = "9e107d9d372bb6826bd81d3542a419d6"

    static func xml(_ code: String, _ message: String = "x") -> String {
        "<?xml version=\"1.0\"?><Error><Code>\(code)</Code><Message>\(message)</Message></Error>"
    }

    static let puts: [(Int, String, [String: String], Kind, ShipErrorCode?)] = [
        (200, "", [:], .uploaded, nil), (204, "", [:], .uploaded, nil),
        (200, "", ["etag": "\"\(md5)\""], .uploaded, nil), (200, "", ["etag": md5.uppercased()], .uploaded, nil),
        (200, "", ["etag": "\"00000000000000000000000000000000\""], .again, .httpUnknown),
        (200, "", ["etag": "\"00000000000000000000000000000000-2\""], .uploaded, nil),
        (
            200, "", ["etag": "\"00000000000000000000000000000000\"", "x-amz-server-side-encryption": "aws:kms"],
            .uploaded, nil
        ),
        (
            200, "", ["etag": "\"00000000000000000000000000000000\"", "x-amz-server-side-encryption": "AES256"], .again,
            .httpUnknown
        ),
        (301, "", [:], .failed, .httpUnknown),
        (307, "", ["location": "http://169.254.169.254/"], .failed, .httpUnknown),
        (400, "", [:], .failed, .httpUnknown), (400, xml("AccessDenied"), [:], .expired, .expiredURL),
        (400, xml("BadDigest"), [:], .failed, .httpUnknown), (400, xml("ExpiredToken"), [:], .expired, .expiredURL),
        (401, "", [:], .failed, .unauthorized), (403, "", [:], .failed, .unauthorized),
        (403, xml("AccessDenied", "Request has expired"), [:], .expired, .expiredURL),
        (403, xml("AccessDenied", "Access Denied"), [:], .failed, .unauthorized),
        (403, xml("SignatureDoesNotMatch"), [:], .failed, .unauthorized),
        (404, "", [:], .failed, .httpUnknown), (408, "", [:], .again, .httpRequestFailed),
        (411, "", [:], .failed, .httpUnknown), (429, "", [:], .again, .httpRequestFailed),
        (500, "", [:], .again, .httpRequestFailed), (501, "", [:], .failed, .httpUnknown),
        (503, xml("SlowDown"), [:], .again, .httpRequestFailed), (599, "", [:], .again, .httpRequestFailed),
        (0, "", [:], .failed, .httpUnknown), (999, "", [:], .failed, .httpUnknown),
    ]

    @Test(arguments: puts)
    func put(status: Int, body: String, headers: [String: String], kind: Kind, code: ShipErrorCode?) {
        let response = HTTPResponse(status, body, headers: headers)
        let outcome = AnswerRules.put(.success(response), host: "h", md5: Self.md5, now: 0)
        #expect(Self.kind(outcome) == kind)
        #expect(Self.failure(outcome)?.code == code)
    }

    static let putErrors: [(TransportError.Reason, Kind)] = [
        (.timedOut, .again), (.connection, .again), (.cancelled, .interrupted), (.digestMismatch, .damaged),
        (.fileUnreadable, .failedKeepingURL), (.responseTooLarge, .failed), (.unusableRequest, .failed),
    ]

    @Test(arguments: putErrors)
    func putError(reason: TransportError.Reason, kind: Kind) {
        let outcome = AnswerRules.put(.failure(TransportError(reason, "t")), host: "h", md5: Self.md5, now: 0)
        #expect(Self.kind(outcome) == kind)
    }

    static let calls: [(Int, Kind, ShipErrorCode?)] = [
        (200, .accepted, nil), (201, .accepted, nil), (302, .refused, .httpUnknown), (400, .refused, .httpUnknown),
        (401, .refused, .unauthorized), (403, .refused, .unauthorized), (404, .refused, .httpUnknown),
        (408, .again, .httpRequestFailed), (429, .again, .httpRequestFailed), (500, .again, .httpRequestFailed),
        (501, .refused, .httpUnknown), (502, .again, .httpRequestFailed), (504, .again, .httpRequestFailed),
    ]

    @Test(arguments: calls)
    func call(status: Int, kind: Kind, code: ShipErrorCode?) {
        switch AnswerRules.call(.success(HTTPResponse(status)), host: "h", now: 0) {
        case .accepted: #expect(kind == .accepted)
        case .again(let failure, _): #expect(kind == .again && failure.code == code)
        case .refused(let failure): #expect(kind == .refused && failure.code == code)
        case .interrupted: Issue.record("not interrupted")
        }
    }

    static let waits: [(String, Duration?)] = [
        ("5", .seconds(5)), ("0", .zero), ("-3", .zero), ("999999", .seconds(3_600)), ("soon", nil), ("", nil),
        ("Wed, 01 Jul 2026 20:00:30 GMT", .seconds(30)), ("Wed, 01 Jul 2026 19:00:00 GMT", .zero),
        ("Wed, 01 Xxx 2026 19:00:00 GMT", nil), ("9223372036854775807", .seconds(3_600)),
    ]

    @Test(arguments: waits)
    func retryAfter(_ text: String, _ expected: Duration?) {
        let response = HTTPResponse(429, headers: ["retry-after": text])
        #expect(AnswerRules.retryAfter(response, now: 1_782_936_000_000) == expected)
    }

    static let words: [(String, String)] = [
        (#"{"message":"User is not authorized"}"#, "User is not authorized"),
        (#"{"statusCode":400,"body":"{\"message\": \"Invalid count parameter\"}"}"#, "Invalid count parameter"),
        (xml("SlowDown", "Please"), "SlowDown: Please"), ("\"Failed\"", "\"Failed\""),
    ]

    @Test(arguments: words)
    func saysWhatTheServerSaid(body: String, expected: String) {
        guard
            case .failed(let failure, _) = AnswerRules.put(
                .success(HTTPResponse(404, body)), host: "h", md5: "", now: 0)
        else {
            Issue.record("404 fails")
            return
        }
        #expect(failure.text == "h answered 404: \(expected)")
    }

    @Test func aStrangersWordsAreOneShortLineWithoutSecrets() {
        let body = "line\r\nline \u{1B}[31m https://h/k?X-Amz-Signature=CANARY " + String(repeating: "x", count: 5_000)
        let outcome = AnswerRules.put(.success(HTTPResponse(404, body)), host: "h", md5: "", now: 0)
        let text = Self.failure(outcome)?.text ?? ""
        #expect(!text.contains("CANARY") && text.utf8.count < 300)
        #expect(text.unicodeScalars.allSatisfy { $0.value >= 0x20 })
    }

    static func failure(_ outcome: UploadOutcome) -> ShipFailure? {
        switch outcome {
        case .again(let failure, _), .failed(let failure, _), .expired(let failure), .refused(let failure),
            .damaged(let failure):
            failure
        case .uploaded, .interrupted: nil
        }
    }

    static func kind(_ outcome: UploadOutcome) -> Kind {
        switch outcome {
        case .uploaded: .uploaded
        case .again: .again
        case .failed(_, let dropsURL): dropsURL ? .failed : .failedKeepingURL
        case .expired: .expired
        case .refused: .refused
        case .damaged: .damaged
        case .interrupted: .interrupted
        }
    }
}

@Suite struct ReplayRequestTests {
    static let headers: [(String, [String]?)] = [
        ("[]", []), (#"[{"ref_id":"a.parquet","url":""}]"#, ["a.parquet"]),
        (#"[{"ref_id":"","url":"u"},{"ref_id":"../x","url":"u"},{"ref_id":"a b","url":"u"}]"#, []),
        ("", nil), ("{}", nil), ("[1]", nil), (#"[{"ref_id":1,"url":"u"}]"#, nil), ("not json", nil),
        (String(repeating: "[", count: 100_000), nil),
    ]

    @Test(arguments: headers)
    func list(_ header: String, _ expected: [String]?) {
        #expect(ReplayRequest.list(header)?.map(\.referenceID) == expected)
    }
}
