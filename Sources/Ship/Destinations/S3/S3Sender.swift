internal import Digest
internal import Logging
internal import Metrics
internal import Parquet
internal import Synchronization

/// A bucket as a destination: one PUT a file, or its parts when it is large; signed by us.
struct S3Sender: Sender {
    let context: ShipContext
    let options: S3Options
    let chunk = 200
    let template: ObjectKeyTemplate
    let credentials: AWSCredentialSource
    private let clock = ServerClock()

    var name: String { options.name }
    var compression: UploadCompression? { options.compression }

    init(context: ShipContext, options: S3Options) {
        self.context = context
        self.options = options
        template = ObjectKeyTemplate(
            prefix: options.prefix, cluster: context.options.clusterName, account: context.options.cloudAccountID,
            region: options.region)
        credentials = AWSCredentialSource(options, clocks: context.clocks, transport: context.transport)
    }

    /// Only the credentials: the files need nothing else.
    func prepare(_ rows: [Shipment], _ cycle: Cycle) async throws -> PreparedChunk {
        do throws(ShipFailure) {
            _ = try await credentials.current()
            return PreparedChunk(ready: rows)
        } catch {
            context.report(error, "cannot sign uploads", destination: name)
            try await context.ledger.note(error, of: name, at: context.now)
            return PreparedChunk(stopReason: error)
        }
    }

    func send(_ row: Shipment, path: String, _ witness: FileWitness) async throws -> UploadOutcome {
        guard let id = ReferenceID(row.file) else {
            return .failed(ShipFailure(.fileRead, "\(row.file) is not a reference id"), dropsURL: false)
        }
        let key = template.key(of: id) + (compression?.suffix ?? "")
        do {
            if witness.byteCount > options.partByteCount {
                return .uploaded(try await sendParts(row, key, path: path, witness))
            }
            return .uploaded(try await sendWhole(key, path: path, witness))
        } catch let stop as S3Stop {
            return stop.outcome
        }
    }

    func finish(_ cycle: Cycle) async throws { try await abortOrphans(cycle) }

    private func sendWhole(_ key: String, path: String, _ witness: FileWitness) async throws -> Receipt {
        let request = S3Request(.put, key, headers: objectHeaders + onceHeaders).withFile(path, offset: 0, witness)
        let response = try await exchange(request, accepting: [412])
        guard response.status != 412 else { return try await existing(key, etags: [witness.md5], witness.byteCount) }
        guard case .uploaded(let receipt) = judge(response, md5: witness.md5) else {
            throw S3Stop(judge(response, md5: witness.md5))
        }
        return receipt
    }

    /// What the object is made with.
    var objectHeaders: [(name: String, value: String)] {
        var headers: [(name: String, value: String)] = []
        if let encryption = options.encryption { headers.append(("x-amz-server-side-encryption", encryption)) }
        if let id = options.encryptionKeyID {
            headers.append(("x-amz-server-side-encryption-aws-kms-key-id", id))
        }
        return headers
    }

    var onceHeaders: [(name: String, value: String)] { options.refusesOverwrites ? [("if-none-match", "*")] : [] }

    /// The receipt of an object that is there already, if it is this file.
    /// - Parameter etags: what a service that shows plain MD5s may answer.
    func existing(_ key: String, etags: [String], _ byteCount: UInt64) async throws -> Receipt {
        let response = try await exchange(S3Request(.head, key), accepting: [])
        let found = response.headers["etag"].map { AnswerRules.plainETag($0).lowercased() }
        let sameSize = response.headers["content-length"] == "\(byteCount)"
        guard sameSize, found.map(etags.contains) ?? true || AnswerRules.hidesDigest(response) else {
            let text = "another object has the key \(key); move it away and retry"
            throw S3Stop(.failed(ShipFailure(.fileCreate, text), dropsURL: false))
        }
        return AnswerRules.receipt(response)
    }

    // MARK: One request

    func judge(_ response: HTTPResponse, md5: String) -> UploadOutcome {
        let host = (try? endpoint)?.hostHeader ?? options.bucket  // checked at start
        return AnswerRules.put(.success(response), host: host, md5: md5, now: context.now)
    }

    private var endpoint: S3Endpoint { get throws(ShipFailure) { try S3Endpoint(options) } }

    /// Sends `request` and gives the answer when it is 2xx or one of `accepting`. Credentials that ended and a clock
    /// that is off are set right and tried once more.
    /// - Throws: `S3Stop`.
    func exchange(_ request: S3Request, accepting: Set<Int>) async throws(S3Stop) -> HTTPResponse {
        var repaired = false
        while true {
            let (response, used) = try await attempt(request)
            if (200..<300).contains(response.status) || accepting.contains(response.status) { return response }
            let words = ServerWords(response)
            if !repaired, await repair(response, words, used) {
                repaired = true
                continue
            }
            throw S3Stop(refusal(response, words))
        }
    }

    private func attempt(_ request: S3Request) async throws(S3Stop) -> (HTTPResponse, signedWith: AWSCredentials) {
        let signed: HTTPRequest
        let host: String
        let used: AWSCredentials
        do throws(ShipFailure) {
            let endpoint = try endpoint
            host = endpoint.hostHeader
            used = try await credentials.current()
            signed = request.signed(
                endpoint, region: options.region, used,
                at: context.now + clock.offsetMilliseconds, timeout: context.options.attemptTimeout)
        } catch {
            throw S3Stop(.refused(error))
        }
        switch await context.send(signed) {
        case .success(let response): return (response, used)
        case .failure(let error): throw S3Stop(AnswerRules.put(.failure(error), host: host, md5: "", now: context.now))
        }
    }

    /// Whether something was set right that may have been the cause.
    private func repair(_ response: HTTPResponse, _ words: ServerWords, _ used: AWSCredentials) async -> Bool {
        guard [400, 401, 403].contains(response.status) else { return false }
        if ["ExpiredToken", "InvalidToken", "TokenRefreshRequired"].contains(words.code) {
            return await credentials.renew(used)
        }
        guard let server = response.headers["date"].flatMap({ UTCTime.milliseconds(httpDate: $0) }) else {
            return false
        }
        guard clock.correct(to: server, now: context.now) else { return false }
        context.logger.warning(
            "this machine's clock differs from the bucket's: requests are signed with the bucket's time",
            metadata: ["destination": "\(name)", "seconds": "\((context.now - server) / 1_000)"])
        return true
    }

    /// What S3 answers to every request alike, until the key or the clock changes.
    private static let keyCodes: Set<String> = [
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "RequestTimeTooSkewed",
        "AuthorizationHeaderMalformed",
    ]

    /// Whether the whole destination is refused, or this file alone.
    private func refusal(_ response: HTTPResponse, _ words: ServerWords) -> UploadOutcome {
        let outcome = judge(response, md5: "")
        let text = "\(options.bucket) answered \(response.status)\(words.suffix)"
        if let region = response.headers["x-amz-bucket-region"], region != options.region, response.status != 403 {
            return .refused(ShipFailure(.getRemoteBase, "\(text); its region is \(region.prefix(40))"))
        }
        if response.status == 401 || (400...403).contains(response.status) && Self.keyCodes.contains(words.code) {
            // With a note on the clock, where there is one.
            if case .failed(let failure, _) = outcome { return .refused(ShipFailure(.unauthorized, failure.text)) }
            return .refused(ShipFailure(.unauthorized, text))
        }
        switch (response.status, words.code) {
        case (404, "NoSuchBucket"): return .refused(ShipFailure(.getRemoteBase, text))
        case (400, "BadDigest"), (400, "XAmzContentSHA256Mismatch"), (409, _):
            return .again(ShipFailure(.httpRequestFailed, text), after: nil)
        default:
            // Nothing of ours expires but credentials, and those were renewed.
            if case .expired(let failure) = outcome { return .refused(ShipFailure(.unauthorized, failure.text)) }
            return outcome
        }
    }
}

/// An attempt that ends here.
struct S3Stop: Error {
    let outcome: UploadOutcome
    init(_ outcome: UploadOutcome) { self.outcome = outcome }
}

/// How far the server's clock is ahead of ours, when that matters.
private final class ServerClock: Sendable {
    /// S3 refuses from 15 minutes on; other services sooner.
    private static let toleranceMilliseconds: Int64 = 60_000
    private let offset = Mutex<Int64>(0)

    var offsetMilliseconds: Int64 { offset.withLock { $0 } }

    /// Takes over the server's time. Returns false when it is ours already.
    func correct(to server: Int64, now: Int64) -> Bool {
        offset.withLock { offset in
            guard abs(server - now - offset) > Self.toleranceMilliseconds else { return false }
            offset = server - now
            return true
        }
    }
}
