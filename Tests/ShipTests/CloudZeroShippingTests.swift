import DiskIO
import Metrics
import Ship
import Testing

@Suite struct CloudZeroShippingTests {
    let volume: TestVolume
    let transport = StubTransport(UploadServer.good)

    init() throws {
        volume = try TestVolume()
        try volume.fileSystem.publish(Array("  ak-CANARYKEY\n".utf8), at: keyPath)
    }

    var keyPath: String { volume.layout.root + "/key" }

    func shipper(
        chunk: Int = 200, hosts: [String] = ["*.amazonaws.com"], sendsDigests: Bool = false,
        adjust: (inout ShipOptions) -> Void = { _ in }
    ) throws -> TestShipper {
        let options = CloudZeroOptions(
            apiKeyPath: keyPath, uploadHosts: hosts, allocateChunk: chunk, sendsDigests: sendsDigests)
        return try TestShipper(volume, [.cloudZero(options)], transport: transport, adjust: adjust)
    }

    func object(_ name: String) -> [UInt8]? { transport.objects["\(UploadServer.host)/prefix/\(name)"] }

    @Test func theRequestsAreThoseOfTheContract() async throws {
        let name = try volume.addFile(1)
        let shipper = try shipper()
        let report = await shipper.pass()
        #expect(report.uploaded == 1 && report.failures.isEmpty)
        let seen = transport.seen
        try #require(seen.count == 2)
        #expect(
            seen[0].url == "https://api.cloudzero.com/v1/container-metrics/upload?cloud_account_id=1234"
                + "&cluster_name=my+cluster&count=1&expiration=3600&region=us-east-1&shipper_id=pod-0")
        #expect(seen[0].method == "POST")
        #expect(
            seen[0].headers == [
                "Authorization": "ak-CANARYKEY", "Content-Type": "application/json",
                "X-CloudZero-Shipper-ID": "pod-0", "X-CloudZero-Version": "1.0",
            ])
        #expect(seen[0].body == #"{"files":[{"reference_id":"\#(name)"}],"shipperId":"pod-0"}"#)
        #expect(seen[1].method == "PUT" && seen[1].url == UploadServer.url(name) && seen[1].headers.isEmpty)
        #expect(object(name) == Array("parquet number 1".utf8))
        #expect(try volume.names(volume.layout.uploaded) == [name])
        #expect(try volume.text(volume.layout.shipperID) == "pod-0")
    }

    @Test func anotherObjectForTheSameFileIsCounted() async throws {
        let name = try volume.addFile(1)
        let shipper = try shipper { $0.maxRetries = 0 }
        transport.answer { seen in
            seen.method == "PUT" ? .success(HTTPResponse(403)) : UploadServer.good(seen)
        }
        _ = await shipper.pass()
        #expect(shipper.metrics.movedObjects.value == 0)
        let other = "https://other.s3.amazonaws.com/\(name)?X-Amz-Date=20260701T200000Z&X-Amz-Expires=6000"
        transport.answer { seen in
            guard seen.path.hasSuffix("/upload") else { return .success(HTTPResponse(200)) }
            let date = ["date": "Wed, 01 Jul 2026 19:58:00 GMT"]
            return .success(HTTPResponse(200, UploadServer.map(seen.referenceIDs) { _ in other }, headers: date))
        }
        #expect(await shipper.service.pass(ignoringBackOff: true).uploaded == 1)
        #expect(shipper.metrics.movedObjects.value == 1)
        #expect(shipper.lines.all.contains { $0.contains("gave another object") && !$0.contains("X-Amz") })
        #expect(shipper.metrics.clockSkew.value >= 120)
    }

    @Test func allocatesInChunks() async throws {
        for number in 0..<25 { try volume.addFile(number) }
        let report = await (try shipper(chunk: 10)).pass()
        #expect(report.uploaded == 25)
        #expect(transport.allocations.map(\.referenceIDs.count) == [10, 10, 5])
        #expect(transport.puts.count == 25)
    }

    @Test func anEmptyMapDoesNotStarveLaterChunksAndSubsetsWait() async throws {
        let names = try (0..<6).map { try volume.addFile($0) }
        transport.answer { seen in
            guard seen.path.hasSuffix("/upload") else { return .success(HTTPResponse(200)) }
            if seen.referenceIDs.contains(names[0]) { return .success(HTTPResponse(200, "{}")) }
            return .success(HTTPResponse(200, UploadServer.map([seen.referenceIDs[0], "unknown_id"])))
        }
        let shipper = try shipper(chunk: 2)
        let report = await shipper.pass()
        #expect(transport.allocations.count == 3)
        #expect(Set(transport.puts.map { String($0.path.split(separator: "/").last!) }) == [names[2], names[4]])
        #expect(report.uploaded == 2 && report.unsent.files == 4)
        #expect(shipper.metrics.presignedURLErrors.value(.noURLs) == 1)
        transport.answer(UploadServer.good)
        #expect(await shipper.pass().uploaded == 4, "what was left out waits for the next cycle, not for a back-off")
    }

    @Test func aStoredURLIsUsedAgainUntilItNearlyEnds() async throws {
        let name = try volume.addFile(1)
        transport.answer { seen in
            seen.method == "PUT" ? .failure(TransportError(.connection, "reset")) : UploadServer.good(seen)
        }
        do {
            let shipper = try shipper { $0.maxRetries = 0 }
            #expect(await shipper.pass().failed == 1)
        }
        transport.answer(UploadServer.good)
        let shipper = try shipper()
        shipper.clock.advance(.seconds(530))
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.allocations.count == 1, "after a restart too")
        #expect(object(name) != nil)

        let second = try volume.addFile(2)
        transport.answer { seen in
            seen.method == "PUT" ? .failure(TransportError(.connection, "reset")) : UploadServer.good(seen)
        }
        let again = shipper
        _ = await again.pass()
        transport.answer(UploadServer.good)
        again.clock.advance(.seconds(11 + 900))
        #expect(await again.pass().uploaded == 1)
        #expect(transport.allocations.filter { $0.referenceIDs == [second] }.count == 2, "within the margin: a new one")
    }

    @Test(arguments: [
        HTTPResponse(403, AnswerRulesTests.xml("AccessDenied", "Request has expired")),
        HTTPResponse(400, AnswerRulesTests.xml("AccessDenied")),
    ])
    func anExpiredURLIsAllocatedAgainOnce(_ answer: HTTPResponse) async throws {
        let name = try volume.addFile(1)
        let fresh = SharedFlag()
        transport.answer { seen in
            if seen.path.hasSuffix("/upload") {
                let second = !fresh.setOnce()
                return .success(
                    HTTPResponse(
                        200, UploadServer.map([name]) { UploadServer.url($0, signature: second ? "NEW" : "OLD") }))
            }
            return .success(seen.url.hasSuffix("NEW") ? HTTPResponse(200) : answer)
        }
        let shipper = try shipper()
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.allocations.count == 2 && transport.puts.count == 2)
        #expect(shipper.metrics.presignedURLErrors.value(.expiredURL) == 1)
    }

    @Test func aFreshURLIsStoredBeforeItIsUsed() async throws {
        let name = try volume.addFile(1)
        let asked = SharedFlag()
        transport.answer { seen in
            if seen.path.hasSuffix("/upload") {
                let signature = asked.setOnce() ? "OLD" : "NEW"
                return .success(
                    HTTPResponse(200, UploadServer.map([name]) { UploadServer.url($0, signature: signature) }))
            }
            if seen.url.hasSuffix("NEW") { return .failure(TransportError(.connection, "reset")) }
            return .success(HTTPResponse(403, AnswerRulesTests.xml("ExpiredToken")))
        }
        do { #expect(await (try shipper { $0.maxRetries = 0 }).pass().failed == 1) }
        transport.answer(UploadServer.good)
        #expect(await (try shipper()).service.pass(ignoringBackOff: true).uploaded == 1)
        #expect(transport.puts.last?.url.hasSuffix("NEW") == true, "after a restart too")
        #expect(transport.allocations.count == 2)
    }

    @Test func aServerThatAlwaysSaysExpiredIsAskedABoundedNumberOfTimes() async throws {
        try volume.addFile(1)
        transport.answer { seen in
            seen.method == "PUT"
                ? .success(HTTPResponse(403, AnswerRulesTests.xml("AccessDenied", "Request has expired")))
                : UploadServer.good(seen)
        }
        let shipper = try shipper()
        #expect(await shipper.pass().failed == 1)
        #expect(transport.allocations.count == 2 && transport.puts.count == 2)
    }

    @Test(arguments: [401, 403])
    func aRefusedKeyIsNotTriedAgainInTheCycle(status: Int) async throws {
        for number in 0..<5 { try volume.addFile(number) }
        transport.answer { _ in .success(HTTPResponse(status, #"{"message":"User is not authorized"}"#)) }
        let shipper = try shipper(chunk: 2)
        let report = await shipper.pass()
        #expect(transport.seen.count == 1 && report.uploaded == 0)
        #expect(shipper.metrics.presignedURLErrors.value(.unauthorized) == 1)
        let failed = try await shipper.ledger.list(.states([.failed]))
        #expect(failed.count == 2 && failed[0].lastError?.code == "err-unauthorized")
        #expect(shipper.lines.all.contains { $0.contains("failed to ship the metrics") })
        // A new key is seen at once.
        try volume.fileSystem.publish(Array("ak-new".utf8), at: keyPath)
        transport.answer(UploadServer.good)
        #expect(await shipper.pass().uploaded == 5)
        #expect(transport.allocations.last?.headers["Authorization"] == "ak-new")
    }

    @Test(arguments: ["", " \n", "two\nlines", String(repeating: "k", count: 5_000)])
    func aKeyThatCannotBeOneIsNotSent(_ key: String) async throws {
        try volume.addFile(1)
        try volume.fileSystem.publish(Array(key.utf8), at: keyPath)
        let report = await (try shipper()).pass()
        #expect(transport.seen.isEmpty && report.failures.first?.contains("API key") == true)
    }

    @Test func retriesAreBoundedAndWait() async throws {
        try volume.addFile(1)
        transport.answer { _ in .success(HTTPResponse(503)) }
        let shipper = try shipper { $0.maxRetries = 4 }
        let start = shipper.clock.uptime
        #expect(await shipper.pass().uploaded == 0)
        #expect(transport.seen.count == 5)
        #expect(shipper.clock.uptime - start == .seconds(1 + 2 + 4 + 8))
    }

    @Test func retryAfterIsObeyed() async throws {
        try volume.addFile(1)
        let limited = SharedFlag()
        transport.answer { seen in
            if seen.method == "PUT", limited.setOnce() {
                return .success(HTTPResponse(429, headers: ["retry-after": "17"]))
            }
            return UploadServer.good(seen)
        }
        let shipper = try shipper()
        let start = shipper.clock.uptime
        #expect(await shipper.pass().uploaded == 1)
        #expect(shipper.clock.uptime - start == .seconds(17))
    }

    @Test func theCycleHasAnEnd() async throws {
        for number in 0..<3 { try volume.addFile(number) }
        transport.answer { _ in .failure(TransportError(.timedOut, "slow")) }
        let shipper = try shipper {
            $0.cycleTimeLimit = .seconds(10)
            $0.maxRetries = 1_000
        }
        let start = shipper.clock.uptime
        _ = await shipper.pass()
        #expect(shipper.clock.uptime - start < .seconds(10) && transport.seen.count == 4)
    }

    @Test func badFilesDoNotHoldUpGoodOnes() async throws {
        let names = try (0..<60).map { try volume.addFile($0) }
        let bad = Set(names.enumerated().filter { $0.offset % 2 == 0 }.map(\.element))
        transport.answer { seen in
            let isBad = seen.method == "PUT" && bad.contains(String(seen.path.split(separator: "/").last!))
            return isBad ? .success(HTTPResponse(500)) : UploadServer.good(seen)
        }
        let shipper = try shipper { $0.maxRetries = 2 }
        let report = await shipper.pass()
        #expect(report.uploaded == 30 && report.failed == 30)
        #expect(transport.puts.count == 30 + 30 * 3)
        let lastGood = try #require(
            transport.puts.lastIndex { !bad.contains(String($0.path.split(separator: "/").last!)) })
        #expect(lastGood < 60, "each good file went before any bad one's second attempt")
        #expect(try volume.names(volume.layout.outbox) == bad.sorted())
        let rows = try await shipper.ledger.list(.states([.failed]))
        #expect(rows.allSatisfy { $0.notBeforeMilliseconds > shipper.clock.wall && $0.attempts == 3 })
    }

    @Test func anOutageOfTheAPILeavesNoBackOffBehind() async throws {
        let name = try volume.addFile(1)
        transport.answer { _ in .success(HTTPResponse(503)) }
        let shipper = try shipper { $0.maxRetries = 0 }
        for _ in 0..<10 { #expect(await shipper.pass().failed == 1) }
        transport.answer { $0.method == "PUT" ? .success(HTTPResponse(500)) : UploadServer.good($0) }
        #expect(await shipper.pass().failed == 1 && transport.puts.count == 1)
        let row = try #require(try await shipper.ledger.row(name, "cloudzero"))
        #expect(row.failures == 1 && row.lastError != nil)
        #expect(row.notBeforeMilliseconds - shipper.clock.wall <= 10_000, "the first wait of a file")
    }

    @Test func anETagOfOtherBytesIsNotASuccess() async throws {
        try volume.addFile(1)
        transport.answer { seen in
            seen.method == "PUT"
                ? .success(HTTPResponse(200, headers: ["etag": "\"00000000000000000000000000000000\""]))
                : UploadServer.good(seen)
        }
        let shipper = try shipper { $0.maxRetries = 2 }
        #expect(await shipper.pass().uploaded == 0)
        #expect(transport.puts.count == 3)
        #expect(try volume.names(volume.layout.uploaded).isEmpty)
    }

    @Test func damagedBytesAreNeverPut() async throws {
        let name = try volume.addFile(1)
        try volume.overwrite("\(volume.layout.outbox)/\(name)", [0], at: 5)
        #expect(await (try shipper()).pass().quarantined == 1)
        #expect(transport.puts.isEmpty)
        #expect(try volume.names(volume.layout.quarantine) == [name])
    }

    @Test(arguments: ["http://bucket.s3.amazonaws.com/k", "https://169.254.169.254/k", "https://evil.com/k", ""])
    func aHostileURLIsNotContacted(_ url: String) async throws {
        try volume.addFile(1)
        transport.answer { seen in
            .success(HTTPResponse(200, UploadServer.map(seen.referenceIDs) { _ in url + "?X-Amz-Signature=CANARY" }))
        }
        let shipper = try shipper()
        let report = await shipper.pass()
        #expect(transport.puts.isEmpty && report.unsent.files == 1)
        #expect(shipper.metrics.presignedURLErrors.value(.noURLs) >= 1)
    }

    @Test(arguments: [
        "", "[]", "null", "{\"a\":1}", "{\"a\":{\"b\":\"c\"}}", "not json", String(repeating: "{\"a\":", count: 50_000),
    ])
    func aBodyThatIsNoMapFailsTheChunk(_ body: String) async throws {
        try volume.addFile(1)
        transport.answer { _ in .success(HTTPResponse(200, body)) }
        let shipper = try shipper()
        #expect(await shipper.pass().uploaded == 0)
        #expect(shipper.metrics.presignedURLErrors.value(.invalidBody) == 1 && transport.seen.count == 1)
    }

    @Test func aCrashBetweenThePUTAndTheRowPutsTheSameBytesToTheSameKey() async throws {
        let name = try volume.addFile(1)
        do { _ = await (try shipper()).pass() }
        try volume.fileSystem.rename("\(volume.layout.uploaded)/\(name)", to: "\(volume.layout.outbox)/\(name)")
        let database = try RawDatabase(volume.layout.ledger)
        let url = "url='\(UploadServer.url(name))', url_expires_ms=1782936600000"
        try database.run("UPDATE shipment SET state='uploading', uploaded_ms=NULL, \(url)")
        let shipper = try shipper()
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.puts.count == 2 && transport.objects.count == 1 && transport.allocations.count == 1)
        #expect(Set(transport.puts.map(\.path)).count == 1)
    }

    @Test func aSkewedClockDoesNotWedge() async throws {
        let name = try volume.addFile(1)
        transport.answer { seen in
            var answer = try! UploadServer.good(seen).get()
            answer = HTTPResponse(
                status: answer.status, headers: ["date": "Wed, 01 Jul 2026 20:00:00 GMT"], body: answer.body)
            return .success(answer)
        }
        let shipper = try shipper()
        shipper.clock.advance(.seconds(7_200))
        #expect(await shipper.pass().uploaded == 1)
        #expect(object(name) != nil)
    }

    @Test func digestsAreSentOnRequest() async throws {
        try volume.addFile(1)
        transport.answer { seen in
            seen.method == "PUT" ? .success(HTTPResponse(404)) : UploadServer.good(seen)
        }
        let shipper = try shipper(sendsDigests: true)
        _ = await shipper.pass()
        #expect(transport.allocations[0].body.contains("\"size\":16"))
        _ = await shipper.service.pass(ignoringBackOff: true)
        #expect(transport.allocations[1].body.contains("\"sha_256\":\""), "once the file was read")
    }

    @Test func noSecretReachesALogAnErrorOrTheHistory() async throws {
        let names = try (0..<4).map { try volume.addFile($0) }
        transport.answer { seen in
            if seen.path.hasSuffix("/upload") {
                return .success(
                    HTTPResponse(
                        200, UploadServer.map(seen.referenceIDs) { UploadServer.url($0, signature: "CANARYSIGNATURE") })
                )
            }
            let text = "could not reach \(seen.url) with ak-none"
            if seen.path.contains(names[0]) { return .failure(TransportError(.connection, RedactedURL.scrubbed(text))) }
            if seen.path.contains(names[1]) { return .success(HTTPResponse(403, AnswerRulesTests.xml("X", text))) }
            if seen.path.contains(names[2]) { return .success(HTTPResponse(500, text)) }
            return .success(HTTPResponse(200))
        }
        let shipper = try shipper { $0.maxRetries = 1 }
        let report = await shipper.pass()
        var words = shipper.lines.all + ["\(report)", shipper.registry.exposition()]
        for row in try await shipper.ledger.list(.all) {
            words.append("\(row)")
            words += try await shipper.ledger.history(row.file, row.destination).map { "\($0)" }
        }
        words.append("\(try await shipper.ledger.destinations())")
        for text in words { #expect(!text.contains("CANARY"), "\(text)") }
        #expect(words.count > 10)
    }
}
