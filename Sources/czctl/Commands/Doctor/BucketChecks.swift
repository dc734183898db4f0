internal import Bytes
internal import Configuration
internal import Digest
internal import DiskIO
internal import Ship

/// One question to a bucket, which lists at most one of its objects, and what its answer says.
extension Doctor {
    mutating func checkBucket(_ destination: DestinationSettings, _ settings: Settings) async {
        let place = BucketPlace(destination)
        guard await checkWay(settings, scheme: place.scheme, authority: place.authority) else {
            return diagnosis.skip(.clock, .bucket, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api)
        }
        let keys: StaticKeys
        switch StaticKeys.read(destination) {
        case .success(let found?): keys = found
        case .success(nil):
            guard let found = await keysOfRole(destination) else { return }
            keys = found
        case .failure(let fault):
            return diagnosis.add(.key, .fail, "\(destination.name): \(fault.text)", try: fault.advice)
        }
        let asked = Clocks.system.wallMilliseconds()
        do throws(TransportError) {
            let response = try await transport.sendDiscreetly(place.listing(keys, at: asked / 1000, timeout))
            report(response, destination, place, at: (asked + Clocks.system.wallMilliseconds()) / 2)
        } catch {
            report(error, place.authority)
            diagnosis.skip(.clock, .bucket, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api)
        }
    }

    /// Asked for as the shipper does; nil when nobody gives them.
    private mutating func keysOfRole(_ destination: DestinationSettings) async -> StaticKeys? {
        guard let options = buckets[destination.name] else { return nil }
        do throws(ShipFailure) {
            let found = try await FoundCredentials(for: options, clocks: .system, transport: transport)
            diagnosis.add(.key, .ok, "\(destination.name): from \(found.link)")
            return StaticKeys(
                accessKey: found.accessKey, secretKey: found.secretKey, sessionToken: found.sessionToken)
        } catch {
            diagnosis.add(
                .key, .fail, "\(destination.name): \(error.text)",
                try: "run it in the shipper's container; the role of its service account; the NetworkPolicy's port 80")
            diagnosis.skip(.bucket, needs: .key)
            return nil
        }
    }

    private mutating func report(
        _ response: HTTPResponse, _ destination: DestinationSettings, _ place: BucketPlace, at now: Int64
    ) {
        let answer = BucketAnswer(response)
        guard !(500...599).contains(response.status) else {
            diagnosis.add(
                .api, .fail, "\(place.authority) answers \(answer.text)",
                try: "wait: files are kept and sent again; then czctl doctor --only api")
            return diagnosis.skip(.clock, .bucket, needs: .api)
        }
        diagnosis.add(.api, .ok, "\(place.authority) answers")
        checkClock(response.headers["date"], place.authority, at: now)
        let (bucket, region) = (destination.bucket, destination.region)
        if let other = answer.region, other != region {
            return diagnosis.add(
                .bucket, .fail, "\(bucket) is in the region \(other), and destination.region says \(region)",
                try: "set destination.region: \(other)")
        }
        switch answer.code {
        case _ where (200..<300).contains(response.status):
            diagnosis.add(.bucket, .ok, "\(bucket) in \(region)")
        case "NoSuchBucket":
            diagnosis.add(
                .bucket, .fail, "there is no bucket \(bucket) at \(place.authority)",
                try: "correct destination.bucket, or make it: aws s3 mb s3://\(bucket) --region \(region)")
        case "PermanentRedirect", "AuthorizationHeaderMalformed", "AuthorizationQueryParametersError":
            diagnosis.add(
                .bucket, .fail, "\(bucket) is not in the region \(region): \(answer.text)",
                try: "aws s3api get-bucket-location --bucket \(bucket); set destination.region")
        case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken":
            diagnosis.add(
                .key, .fail, "\(destination.name): \(place.authority) refuses the keys: \(answer.text)",
                try: "aws sts get-caller-identity, with the same keys; then replace the files")
            diagnosis.skip(.bucket, needs: .key)
        case "RequestTimeTooSkewed": diagnosis.skip(.bucket, needs: .clock)
        case "AccessDenied":
            // A shipper needs to put objects, and nothing else.
            diagnosis.add(.bucket, .ok, "\(bucket) in \(region); these keys may not list it, which no upload needs")
        default:
            diagnosis.add(.bucket, .warn, "\(bucket): \(place.authority) answers \(answer.text)", try: "czctl ship")
        }
    }
}

/// Where a bucket is asked.
struct BucketPlace: Equatable, Sendable {
    let scheme: String
    /// The host, with the port if it is not the scheme's own.
    let authority: String
    /// Of the bucket, with a slash at its end.
    let path: String
    let region: String

    init(_ destination: DestinationSettings) {
        let domain = destination.region.hasPrefix("cn-") ? "amazonaws.com.cn" : "amazonaws.com"
        var endpoint = destination.endpoint ?? "https://s3.\(destination.region).\(domain)"
        while endpoint.hasSuffix("/") { endpoint.removeLast() }
        scheme = endpoint.hasPrefix("http://") ? "http" : "https"
        let rest = endpoint.firstRange(of: "://").map { endpoint[$0.upperBound...] } ?? endpoint[...]
        let slash = rest.firstIndex(of: "/") ?? rest.endIndex
        let host = String(rest[..<slash])
        let name = NetworkPlace(host, defaultPort: 0).host
        let isAddress = name.contains(":") || name.allSatisfy { $0.isNumber || $0 == "." }
        // A certificate for *.s3.… does not cover a bucket with dots; an address has no subdomains.
        let isInPath = destination.pathStyle || destination.bucket.contains(".") || isAddress
        authority = isInPath ? host : "\(destination.bucket).\(host)"
        path = rest[slash...] + (isInPath ? "/\(destination.bucket)/" : "/")
        region = destination.region
    }

    /// The request for a list of at most one object, signed in its URL, for a minute.
    func listing(_ keys: StaticKeys, at unixSeconds: Int64, _ timeout: Duration) -> HTTPRequest {
        var query = [(name: "list-type", value: "2"), (name: "max-keys", value: "1")]
        if let token = keys.sessionToken { query.append((name: "X-Amz-Security-Token", value: token)) }
        let request = SigV4.Request(
            method: "GET", path: path, query: query, headers: [(name: "host", value: authority)])
        let target = SigV4(accessKey: keys.accessKey, secretKey: keys.secretKey, region: region)
            .presignedTarget(request, at: AWSTimestamp(unixSeconds: unixSeconds), expiresIn: 60)
        return HTTPRequest(
            .get, RedactedURL("\(scheme)://\(authority)\(target)"), headers: [], body: .none, timeout: timeout)
    }
}

/// Keys that stand in files or in the environment.
struct StaticKeys: Sendable {
    struct Fault: Error {
        let text: String
        let advice: String?
    }

    let accessKey: String
    let secretKey: String
    let sessionToken: String?

    /// nil when there are none: then they are a role's.
    static func read(_ destination: DestinationSettings) -> Result<StaticKeys?, Fault> {
        let environment = ProcessEnvironment.variables
        if let access = destination.accessKeyPath, let secret = destination.secretKeyPath {
            do {
                return .success(
                    StaticKeys(accessKey: try key(access), secretKey: try key(secret), sessionToken: nil))
            } catch {
                return .failure(error)
            }
        }
        if let access = environment["AWS_ACCESS_KEY_ID"], let secret = environment["AWS_SECRET_ACCESS_KEY"],
            !access.isEmpty, !secret.isEmpty
        {
            let token = environment["AWS_SESSION_TOKEN"]
            return .success(StaticKeys(accessKey: access, secretKey: secret, sessionToken: token))
        }
        return .success(nil)
    }

    private static func key(_ path: String) throws(Fault) -> String {
        switch SecretText.read(path) {
        case .success(let text): return text
        case .failure(let fault): throw Fault(text: fault.text, advice: fault.advice)
        }
    }
}

/// An answer of S3: its XML names a code and words, and sometimes the right region.
struct BucketAnswer: Equatable, Sendable {
    let code: String
    let region: String?
    /// For people.
    let text: String

    init(_ response: HTTPResponse) {
        let body = String(decoding: response.body.prefix(4096), as: UTF8.self)
        func element(_ name: String) -> String? {
            guard let start = body.firstRange(of: "<\(name)>"),
                let end = body[start.upperBound...].firstRange(of: "</\(name)>")
            else { return nil }
            return String(body[start.upperBound..<end.lowerBound])
        }
        code = element("Code") ?? ""
        region = response.headers["x-amz-bucket-region"] ?? element("Region")
        text = ["\(response.status)", element("Code"), element("Message")].compactMap(\.self).joined(separator: " ")
    }
}
