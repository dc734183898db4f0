import Digest
import DiskIO
import Metrics
import Ship
import Testing

/// The S3 destination against scripted answers. Real servers check the signatures (Tests/EndToEnd/test_s3.py).
@Suite struct S3ShippingTests {
    let volume: TestVolume
    let transport = StubTransport { _ in .success(HTTPResponse(200)) }
    static let keys = ["AWS_ACCESS_KEY_ID": "AKIDTEST", "AWS_SECRET_ACCESS_KEY": "CANARYSECRET"]
    static let metadata = ["AWS_EC2_METADATA_SERVICE_ENDPOINT": "http://127.0.0.1:1"]

    init() throws { volume = try TestVolume() }

    func shipper(
        environment: [String: String] = keys, adjust: (inout S3Options) -> Void = { _ in },
        options adjustShip: (inout ShipOptions) -> Void = { _ in }
    ) throws -> TestShipper {
        var options = S3Options(bucket: "lake", region: "eu-west-1", environment: environment)
        adjust(&options)
        return try TestShipper(volume, [.s3(options)], transport: transport, adjust: adjustShip)
    }

    /// dt and hour of the file numbered 0.
    static let folder = "dt=2025-07-01/hr=20"

    @Test(arguments: [
        ("", "histograms/\(folder)"), ("a/b", "a/b/histograms/\(folder)"),
        ("a/dt={dt}/hr={hr}", "a/histograms/\(folder)"), ("{kind}-x", "histograms-x/\(folder)"),
    ])
    func whatIsNoSampleHasAFolderOfItsOwn(prefix: String, place: String) async throws {
        let name = try volume.addFile(0, kind: "histograms")
        _ = await (try shipper(adjust: { $0.prefix = prefix })).pass()
        let encoded = place.replacing("=", with: "%3D")
        #expect(transport.seen.map(\.url) == ["https://lake.s3.eu-west-1.amazonaws.com/\(encoded)/\(name)"])
    }

    @Test func aPUTIsSignedAndCarriesItsDigests() async throws {
        let name = try volume.addFile(0)
        let shipper = try shipper()
        #expect(await shipper.pass().uploaded == 1)
        let seen = try #require(transport.seen.first)
        #expect(transport.seen.count == 1 && seen.method == "PUT")
        #expect(seen.url == "https://lake.s3.eu-west-1.amazonaws.com/dt%3D2025-07-01/hr%3D20/\(name)")
        let bytes = Array("parquet number 0".utf8)
        #expect(seen.headers["x-amz-content-sha256"] == hex(Digest.of(bytes, .sha256)))
        #expect(seen.headers["content-md5"] == String(decoding: base64(Digest.of(bytes, .md5)), as: UTF8.self))
        #expect(seen.headers["x-amz-date"] == "20260701T200000Z")
        let authorization = try #require(seen.headers["Authorization"])
        #expect(
            authorization.hasPrefix(
                "AWS4-HMAC-SHA256 Credential=AKIDTEST/20260701/eu-west-1/s3/aws4_request, "
                    + "SignedHeaders=content-md5;host;x-amz-content-sha256;x-amz-date, Signature="))
        #expect(try volume.names(volume.layout.uploaded) == [name])
        let row = try #require(try await shipper.ledger.row(name, "s3"))
        #expect(row.state == .uploaded && row.sha256 == hex(Digest.of(bytes, .sha256)))
    }

    @Test(arguments: [
        (S3Options(bucket: "lake", region: "cn-north-1"), "https://lake.s3.cn-north-1.amazonaws.com.cn/\(folder)"),
        (
            S3Options(bucket: "lake", region: "r", pathStyle: true),
            "https://s3.r.amazonaws.com/lake/\(folder)"
        ),
        (S3Options(bucket: "my.lake", region: "r"), "https://s3.r.amazonaws.com/my.lake/\(folder)"),
        (
            S3Options(bucket: "lake", region: "r", endpoint: "http://127.0.0.1:9000/"),
            "http://127.0.0.1:9000/lake/\(folder)"
        ),
        (
            S3Options(bucket: "lake", region: "r", endpoint: "https://minio.example:443/base", prefix: "a/b"),
            "https://lake.minio.example/base/a/b/\(folder)"
        ),
        (
            S3Options(bucket: "lake", region: "r", prefix: "{cluster}/{kind}/day={dt}"),
            "https://lake.s3.r.amazonaws.com/my cluster/metrics/day=2025-07-01"
        ),
    ])
    func objectsGoWhereTheOptionsSay(options: S3Options, place: String) async throws {
        let name = try volume.addFile(0)
        var options = options
        options.environment = Self.keys
        _ = await (try TestShipper(volume, [.s3(options)], transport: transport)).pass()
        let encoded = place.replacing("=", with: "%3D").replacing(" ", with: "%20")
        #expect(transport.seen.map(\.url) == ["\(encoded)/\(name)"])
    }

    @Test(arguments: ["{bad}/x", "{dt", "{"])
    func aPrefixWithUnknownNamesIsRefused(prefix: String) {
        #expect(throws: ShipError.self) { try shipper(adjust: { $0.prefix = prefix }) }
    }

    @Test func encryptionAndPreconditionsAreSignedHeaders() async throws {
        try volume.addFile(0)
        let shipper = try shipper(adjust: {
            $0.encryption = "aws:kms"
            $0.encryptionKeyID = "key-1"
            $0.refusesOverwrites = true
        })
        #expect(await shipper.pass().uploaded == 1)
        let headers = try #require(transport.seen.first).headers
        #expect(headers["if-none-match"] == "*" && headers["x-amz-server-side-encryption"] == "aws:kms")
        #expect(headers["x-amz-server-side-encryption-aws-kms-key-id"] == "key-1")
        #expect(headers["Authorization"]?.contains("if-none-match;x-amz-content-sha256") == true)
    }

    @Test(arguments: [true, false])
    func anObjectThatExistsIsOursOrAnother(isOurs: Bool) async throws {
        try volume.addFile(0)
        let md5 = hex(Digest.of(Array("parquet number 0".utf8), .md5))
        transport.answer { seen in
            guard seen.method == "HEAD" else { return .success(HTTPResponse(412)) }
            let etag = isOurs ? md5 : String(repeating: "0", count: 32)
            return .success(HTTPResponse(200, headers: ["content-length": "16", "etag": "\"\(etag)\""]))
        }
        let shipper = try shipper(adjust: { $0.refusesOverwrites = true })
        let report = await shipper.pass()
        #expect(report.uploaded == (isOurs ? 1 : 0) && report.failed == (isOurs ? 0 : 1))
        #expect(transport.seen.map(\.method) == ["PUT", "HEAD"])
    }

    @Test(arguments: [
        (403, "InvalidAccessKeyId"), (403, "SignatureDoesNotMatch"), (404, "NoSuchBucket"), (401, ""),
        (400, "AuthorizationHeaderMalformed"), (400, "ExpiredToken"),
    ])
    func aRefusedKeyOrBucketStopsTheCycle(status: Int, code: String) async throws {
        for number in 0..<100 { try volume.addFile(number) }
        transport.answer { _ in .success(HTTPResponse(status, AnswerRulesTests.xml(code))) }
        let shipper = try shipper()
        let report = await shipper.pass()
        #expect(report.uploaded == 0 && report.unsent.files == 100)
        #expect(transport.seen.count <= 3, "those in flight, and no more")
        transport.answer { _ in .success(HTTPResponse(200)) }
        #expect(await shipper.service.pass(ignoringBackOff: true).uploaded == 100)
    }

    @Test func aDeniedObjectStopsNoOther() async throws {
        let names = try (0..<20).map { try volume.addFile($0) }
        transport.answer { seen in
            .success(
                seen.path.hasSuffix(names[0])
                    ? HTTPResponse(403, AnswerRulesTests.xml("AccessDenied")) : HTTPResponse(200))
        }
        let report = await (try shipper()).pass()
        #expect(report.uploaded == 19 && report.failed == 1)
    }

    @Test func theServersTimeIsTakenWhenOursIsRefused() async throws {
        try volume.addFile(0)
        try volume.addFile(1)
        transport.answer { seen in
            let isRight = seen.headers["x-amz-date"]?.hasPrefix("20260701T18") == true
            return .success(
                HTTPResponse(
                    isRight ? 200 : 403, isRight ? "" : AnswerRulesTests.xml("RequestTimeTooSkewed"),
                    headers: ["date": "Wed, 01 Jul 2026 18:00:00 GMT"]))
        }
        let shipper = try shipper(options: { $0.uploadWidth = 1 })
        #expect(await shipper.pass().uploaded == 2)
        #expect(transport.seen.count == 3, "one refusal, then the server's time for all")
        #expect(shipper.lines.all.contains { $0.contains("clock differs") && $0.contains("7200") })
    }

    @Test func aCopyThatIsDamagedIsMadeAgain() async throws {
        let name = try volume.addFile(0)
        let first = SharedFlag()
        transport.answer { _ in
            first.setOnce() ? .failure(TransportError(.digestMismatch, "other bytes")) : .success(HTTPResponse(200))
        }
        let report = await (try shipper(adjust: { $0.compression = .zstd })).pass()
        #expect(report.uploaded == 1 && report.quarantined == 0)
        #expect(try volume.names(volume.layout.uploaded) == [name])
    }

    @Test func aRetryThatIsNotMadeLeavesItsFailureAndItsBackOff() async throws {
        for number in 0..<2 { try volume.addFile(number) }
        transport.answer { [transport] _ in
            let denied = AnswerRulesTests.xml("InvalidAccessKeyId")
            return .success(transport.puts.count <= 2 ? HTTPResponse(500) : HTTPResponse(403, denied))
        }
        let shipper = try shipper(options: { $0.uploadWidth = 1 })
        _ = await shipper.pass()
        #expect(transport.puts.count == 3)
        #expect(try await shipper.states("s3") == [.failed, .failed])
    }

    // MARK: Credentials

    static func issued(_ number: Int, until: String) -> HTTPResponse {
        HTTPResponse(
            200,
            #"{"Code":"Success","AccessKeyId":"ASIA\#(number)","SecretAccessKey":"CANARYSECRET","Token":"CANARYTOKEN","#
                + #""Expiration":"\#(until)"}"#)
    }

    @Test func instanceMetadataIsAskedByItsSecondVersion() async throws {
        try volume.addFile(0)
        transport.answer { seen in
            guard seen.path.hasPrefix("http://127.0.0.1:1/latest/") else { return .success(HTTPResponse(200)) }
            if seen.path.hasSuffix("/token") { return .success(HTTPResponse(200, "TOKEN==")) }
            guard seen.headers["X-aws-ec2-metadata-token"] == "TOKEN==" else { return .success(HTTPResponse(401)) }
            if seen.path.hasSuffix("/security-credentials/") { return .success(HTTPResponse(200, "my-role\n")) }
            return .success(Self.issued(1, until: "2026-07-01T21:00:00Z"))
        }
        let shipper = try shipper(environment: Self.metadata)
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.seen.count == 4)
        let put = try #require(transport.seen.last)
        #expect(put.headers["x-amz-security-token"] == "CANARYTOKEN")
        #expect(put.headers["Authorization"]?.contains("Credential=ASIA1/") == true)
        // Used again until five minutes before their end, then renewed.
        try volume.addFile(1)
        shipper.clock.advance(.seconds(54 * 60))
        #expect(await shipper.pass().uploaded == 1 && transport.seen.count == 5)
        try volume.addFile(2)
        shipper.clock.advance(.seconds(2 * 60))
        #expect(await shipper.pass().uploaded == 1 && transport.seen.count == 9)
    }

    @Test func oldCredentialsHoldWhileNewOnesCannotBeHad() async throws {
        try volume.addFile(0)
        transport.answer { seen in
            seen.path.hasSuffix("/creds")
                ? .success(Self.issued(1, until: "2026-07-01T21:00:00.000Z")) : .success(HTTPResponse(200))
        }
        let shipper = try shipper(environment: [
            "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://169.254.170.23/creds",
            "AWS_CONTAINER_AUTHORIZATION_TOKEN": "pod",
        ])
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.seen[0].headers["Authorization"] == "pod")
        transport.answer { seen in
            seen.path.hasSuffix("/creds") ? .success(HTTPResponse(500)) : .success(HTTPResponse(200))
        }
        try volume.addFile(1)
        shipper.clock.advance(.seconds(57 * 60))
        #expect(await shipper.pass().uploaded == 1)
        try volume.addFile(2)
        shipper.clock.advance(.seconds(4 * 60))
        #expect(await shipper.pass().uploaded == 0, "they have ended")
    }

    @Test func anExpiredTokenIsRenewedOnce() async throws {
        try volume.addFile(0)
        let asked = SharedFlag()
        transport.answer { seen in
            if seen.path.hasSuffix("/creds") {
                return .success(Self.issued(asked.setOnce() ? 1 : 2, until: "2026-07-01T21:00:00Z"))
            }
            let isNew = seen.headers["Authorization"]?.contains("ASIA2") == true
            return .success(isNew ? HTTPResponse(200) : HTTPResponse(400, AnswerRulesTests.xml("ExpiredToken")))
        }
        let shipper = try shipper(environment: ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/creds"])
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.seen.count == 4)
    }

    @Test func aWebIdentityTokenIsExchanged() async throws {
        try volume.addFile(0)
        let token = volume.layout.root + "/token"
        try volume.fileSystem.publish(Array("jwt.with+signs\n".utf8), at: token)
        transport.answer { seen in
            guard seen.path.hasPrefix("https://sts.") else { return .success(HTTPResponse(200)) }
            return .success(
                HTTPResponse(
                    200,
                    "<Credentials><AccessKeyId>ASIAW</AccessKeyId><SecretAccessKey>s/e+c</SecretAccessKey>"
                        + "<SessionToken>t==</SessionToken><Expiration>2026-07-01T21:00:00Z</Expiration></Credentials>")
            )
        }
        let shipper = try shipper(environment: [
            "AWS_WEB_IDENTITY_TOKEN_FILE": token, "AWS_ROLE_ARN": "arn:aws:iam::1:role/r",
        ])
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.seen[0].url == "https://sts.eu-west-1.amazonaws.com/")
        #expect(
            transport.seen[0].body == "Action=AssumeRoleWithWebIdentity&Version=2011-06-15"
                + "&RoleArn=arn%3Aaws%3Aiam%3A%3A1%3Arole%2Fr&RoleSessionName=cirrus&WebIdentityToken=jwt.with%2Bsigns")
        #expect(transport.seen[1].headers["x-amz-security-token"] == "t==")
    }

    @Test func keyFilesAndProfilesAreReadEachTime() async throws {
        let root = volume.layout.root
        try volume.fileSystem.publish(
            Array(
                "[default]\naws_access_key_id = A1\n# no\n[other]\naws_secret_access_key=s\nAWS_ACCESS_KEY_ID = A2\n"
                    .utf8),
            at: root + "/credentials")
        try volume.addFile(0)
        let environment = ["AWS_SHARED_CREDENTIALS_FILE": root + "/credentials", "AWS_PROFILE": "other"]
        _ = await (try shipper(environment: environment)).pass()
        #expect(transport.seen.last?.headers["Authorization"]?.contains("Credential=A2/") == true)
        for (file, text) in [("access", "A3\n"), ("secret", "s3\n")] {
            try volume.fileSystem.publish(Array(text.utf8), at: "\(root)/\(file)")
        }
        try volume.addFile(1)
        let shipper = try shipper(adjust: {
            $0.accessKeyPath = root + "/access"
            $0.secretKeyPath = root + "/secret"
        })
        _ = await shipper.pass()
        #expect(transport.seen.last?.headers["Authorization"]?.contains("Credential=A3/") == true)
        try volume.fileSystem.publish(Array("A4".utf8), at: root + "/access")
        try volume.addFile(2)
        _ = await shipper.pass()
        #expect(transport.seen.last?.headers["Authorization"]?.contains("Credential=A4/") == true)
    }

    @Test(arguments: [
        ["AWS_EC2_METADATA_DISABLED": "true"],
        ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://evil.example/creds"],
        ["AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/creds"],
        ["AWS_WEB_IDENTITY_TOKEN_FILE": "/nowhere", "AWS_ROLE_ARN": "r"],
        metadata,
    ])
    func withoutCredentialsNothingIsSent(environment: [String: String]) async throws {
        try volume.addFile(0)
        transport.answer { seen in
            .success(HTTPResponse(200, #"{"AccessKeyId":"a b","SecretAccessKey":"\n","Token":"","Expiration":"soon"}"#))
        }
        let shipper = try shipper(environment: environment)
        let report = await shipper.pass()
        #expect(report.uploaded == 0 && report.unsent.files == 1 && report.failures.count == 1)
        #expect(transport.seen.allSatisfy { !$0.path.contains("lake") && !$0.path.contains("evil") })
        #expect(shipper.metrics.runFailures.value(.unauthorized) == 1)
        #expect(try await shipper.ledger.destinations().first?.lastError?.code == "err-unauthorized")
    }

    @Test func noSecretIsPrinted() async throws {
        try volume.addFile(0)
        transport.answer { seen in
            .success(
                HTTPResponse(403, AnswerRulesTests.xml("AccessDenied", "no \(seen.headers["Authorization"] ?? "")")))
        }
        let shipper = try shipper()
        let report = await shipper.pass()
        let texts = shipper.lines.all + report.failures + [shipper.registry.exposition()]
        #expect(!texts.contains { $0.contains("CANARY") })
    }
}
