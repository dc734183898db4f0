import Digest
import DiskIO
import Ship
import Testing

/// Files that go in parts.
extension S3ShippingTests {
    /// A bucket that puts parts together.
    static func parts(_ seen: StubTransport.Seen) -> HTTPResponse {
        if seen.url.hasSuffix("?uploads=") {
            return HTTPResponse(200, "<R><UploadId>id/1+</UploadId></R>")
        }
        if seen.method == "POST" {
            return HTTPResponse(200, "<CompleteMultipartUploadResult><ETag>x</ETag></CompleteMultipartUploadResult>")
        }
        return HTTPResponse(200, headers: ["etag": "\"part\(seen.url.split(separator: "partNumber=").last!.first!)\""])
    }

    @Test func aLargeFileGoesInParts() async throws {
        let name = try volume.addFile(0, bytes: Array("0123456789".utf8))
        transport.answer { .success(Self.parts($0)) }
        let shipper = try shipper(adjust: { $0.partByteCount = 4 })
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.seen.map(\.method) == ["POST", "PUT", "PUT", "PUT", "POST"])
        #expect(transport.seen[1].url.contains("?partNumber=1&uploadId=id%2F1%2B"))
        #expect(transport.seen[1].headers["x-amz-content-sha256"] == hex(Digest.of(Array("0123".utf8), .sha256)))
        #expect(transport.seen[3].headers["x-amz-content-sha256"] == hex(Digest.of(Array("89".utf8), .sha256)))
        let body = transport.seen[4].body
        #expect(body.contains("<Part><PartNumber>3</PartNumber><ETag>&quot;part3&quot;</ETag></Part>"))
        #expect(try volume.names(volume.layout.uploaded) == [name])
        let database = try RawDatabase(volume.layout.ledger)
        #expect(try database.integer("SELECT (SELECT COUNT(*) FROM multipart) + COUNT(*) FROM multipart_part") == 0)
    }

    @Test func anotherProcessGoesOnWithTheParts() async throws {
        try volume.addFile(0, bytes: Array("0123456789".utf8))
        transport.answer { seen in
            if seen.url.contains("partNumber=3") { return .failure(TransportError(.connection, "reset")) }
            return .success(Self.parts(seen))
        }
        do {
            let shipper = try shipper(adjust: { $0.partByteCount = 4 }, options: { $0.maxRetries = 0 })
            #expect(await shipper.pass().failed == 1)
        }
        transport.answer { .success(Self.parts($0)) }
        let before = transport.seen.count
        let shipper = try shipper(adjust: { $0.partByteCount = 4 })
        #expect(await shipper.service.pass(ignoringBackOff: true).uploaded == 1)
        let after = transport.seen.dropFirst(before).map { "\($0.method) \($0.url.contains("partNumber=3"))" }
        #expect(after == ["PUT true", "POST false"])
    }

    @Test func whatCannotSucceedIsAborted() async throws {
        try volume.addFile(0, bytes: Array("0123456789".utf8))
        transport.answer { seen in
            if seen.url.contains("partNumber=2") { return .success(HTTPResponse(405)) }
            return .success(Self.parts(seen))
        }
        #expect(await (try shipper(adjust: { $0.partByteCount = 4 })).pass().failed == 1)
        #expect(transport.seen.last?.method == "DELETE" && transport.seen.last?.url.contains("uploadId=id") == true)
    }

    @Test func a200WithAnErrorIsNoEnd() async throws {
        try volume.addFile(0, bytes: Array("0123456789".utf8))
        let failed = SharedFlag()
        transport.answer { seen in
            if seen.method == "POST", !seen.url.hasSuffix("?uploads="), failed.setOnce() {
                return .success(HTTPResponse(200, AnswerRulesTests.xml("InternalError")))
            }
            return .success(Self.parts(seen))
        }
        #expect(await (try shipper(adjust: { $0.partByteCount = 4 })).pass().uploaded == 1)
        #expect(transport.seen.filter { $0.method == "PUT" }.count == 3, "the parts are there already")
    }

    @Test func anUploadThatIsGoneWasCompletedOrBeginsAnew() async throws {
        let bytes = Array("0123456789".utf8)
        try volume.addFile(0, bytes: bytes)
        let digests = [bytes[0..<4], bytes[4..<8], bytes[8...]].flatMap { Digest.of(Array($0), .md5) }
        let etag = hex(Digest.of(digests, .md5)) + "-3"
        let lost = SharedFlag()
        transport.answer { seen in
            if seen.method == "HEAD" {
                return .success(HTTPResponse(200, headers: ["content-length": "10", "etag": "\"\(etag)\""]))
            }
            if seen.method == "POST", !seen.url.hasSuffix("?uploads=") {
                if lost.setOnce() { return .failure(TransportError(.timedOut, "the answer was lost")) }
                return .success(HTTPResponse(404, AnswerRulesTests.xml("NoSuchUpload")))
            }
            return .success(Self.parts(seen))
        }
        #expect(await (try shipper(adjust: { $0.partByteCount = 4 })).pass().uploaded == 1)
        #expect(transport.seen.filter { $0.method == "PUT" }.count == 3 && transport.seen.last?.method == "HEAD")
    }

    /// An attempt without a ledger put it there, in parts or whole; or somebody else something else.
    @Test(arguments: [("parts", 1), ("whole", 1), ("other", 0)])
    func partsOfAnObjectThatExistsAreDropped(there: String, uploaded: Int) async throws {
        let bytes = Array("0123456789".utf8)
        try volume.addFile(0, bytes: bytes)
        let digests = [bytes[0..<4], bytes[4..<8], bytes[8...]].flatMap { Digest.of(Array($0), .md5) }
        let etags = ["parts": hex(Digest.of(digests, .md5)) + "-3", "whole": hex(Digest.of(bytes, .md5))]
        let etag = etags[there] ?? String(repeating: "0", count: 32)
        transport.answer { seen in
            if seen.method == "HEAD" {
                return .success(HTTPResponse(200, headers: ["content-length": "10", "etag": "\"\(etag)\""]))
            }
            let isEnd = seen.method == "POST" && !seen.url.hasSuffix("?uploads=")
            return .success(isEnd ? HTTPResponse(412) : Self.parts(seen))
        }
        let shipper = try shipper(adjust: {
            $0.partByteCount = 4
            $0.refusesOverwrites = true
        })
        #expect(await shipper.pass().uploaded == uploaded)
        #expect(transport.seen.map(\.method) == ["POST", "PUT", "PUT", "PUT", "POST", "HEAD", "DELETE"])
        #expect(try await shipper.states("s3") == [uploaded == 1 ? .uploaded : .failed])
    }

    @Test func partsOfAnUploadThatCannotBeDroppedAreNotTakenForAnothers() async throws {
        try volume.addFile(0, bytes: Array("0123456789".utf8))
        func attempt(_ partByteCount: UInt64, _ answer: @escaping StubTransport.Script) async throws -> [String] {
            transport.answer(answer)
            let before = transport.seen.count
            let shipper = try shipper(adjust: { $0.partByteCount = partByteCount }, options: { $0.maxRetries = 0 })
            _ = await shipper.service.pass(ignoringBackOff: true)
            return transport.seen.dropFirst(before).map(\.method)
        }
        let reset = Result<HTTPResponse, TransportError>.failure(TransportError(.connection, "reset"))
        _ = try await attempt(4) { $0.url.contains("partNumber=3") ? reset : .success(Self.parts($0)) }
        _ = try await attempt(5) { seen in
            if seen.method == "DELETE" { return .success(HTTPResponse(403)) }
            return seen.method == "PUT" ? reset : .success(Self.parts(seen))
        }
        #expect(try await attempt(5) { .success(Self.parts($0)) } == ["PUT", "PUT", "POST"])
    }
}
