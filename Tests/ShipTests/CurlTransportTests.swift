import Digest
import DiskIO
import Ship
import Synchronization
import Testing

@Suite(.timeLimit(.minutes(5))) struct CurlTransportTests {
    let transport = CurlTransport(userAgent: "cirrus/test", fileSystem: PosixFileSystem())

    static let ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nETag: \"x\"\r\nX-Thing:  a b \r\n\r\nhi"

    func request(
        _ method: HTTPRequest.Method, _ url: String, _ body: HTTPRequest.Body = .none, timeout: Duration = .seconds(20)
    ) -> HTTPRequest {
        HTTPRequest(method, RedactedURL(url), headers: [("X-One", "1")], body: body, timeout: timeout)
    }

    @Test func postsBytesAndReadsTheAnswer() async throws {
        let server = try LoopbackServer { _ in Self.ok }
        defer { server.stop() }
        let response = try await transport.send(request(.post, server.url + "/a?b=c", .bytes(Array("body".utf8))))
        #expect(response.status == 200 && response.body == Array("hi".utf8))
        #expect(response.headers["etag"] == "\"x\"" && response.headers["x-thing"] == "a b")
        let seen = try #require(server.requests.first)
        #expect(seen.head.hasPrefix("POST /a?b=c HTTP/1.1\r\n") && seen.body == Array("body".utf8))
        #expect(seen.head.contains("X-One: 1") && seen.head.contains("User-Agent: cirrus/test"))
        #expect(!seen.head.contains("Expect"))
    }

    private static func file(
        in volume: TestVolume, byteCount: Int
    ) throws -> (body: HTTPRequest.Body, bytes: [UInt8]) {
        let bytes = (0..<byteCount).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        let path = volume.layout.root + "/file"
        try volume.fileSystem.publish(bytes, at: path)
        let digest = hex(Digest.of(bytes, .sha256))
        return (.file(path: path, byteCount: UInt64(byteCount), digest: digest), bytes)
    }

    @Test(arguments: [1, 1_000, 3_000_000])
    func putsAFileWithItsLength(byteCount: Int) async throws {
        let server = try LoopbackServer { _ in Self.ok }
        defer { server.stop() }
        let volume = try TestVolume()
        let (body, bytes) = try Self.file(in: volume, byteCount: byteCount)
        let response = try await transport.send(
            HTTPRequest(.put, RedactedURL(server.url + "/k"), headers: [], body: body, timeout: .seconds(20)))
        #expect(response.status == 200)
        let seen = try #require(server.requests.first)
        #expect(seen.body == bytes && seen.head.contains("Content-Length: \(byteCount)"))
        for word in ["Transfer-Encoding", "Content-Type", "Expect", "Authorization"] {
            #expect(!seen.head.contains(word))
        }
    }

    /// As a store that closes idle connections. Each time that bytes leave is an attempt, which the ledger counts:
    /// nothing is sent again unasked.
    @Test(arguments: [1, 300_000])
    func aKeptConnectionThatIsClosedIsAFailureOfTheAttempt(byteCount: Int) async throws {
        let number = Mutex(0)
        let server = try LoopbackServer(keepsConnections: true) { _ in
            number.withLock { number in
                number += 1
                return number == 2 ? nil : Self.ok
            }
        }
        defer { server.stop() }
        let volume = try TestVolume()
        let (body, _) = try Self.file(in: volume, byteCount: byteCount)
        #expect(try await transport.send(request(.put, server.url, body)).status == 200)
        let error = await #expect(throws: TransportError.self) {
            try await transport.send(request(.put, server.url, body))
        }
        #expect(error?.reason == .connection && error?.text.contains("the server closed the connection") == true)
        // libcurl may open another connection, and leaves it empty.
        #expect(server.requests.count { !$0.body.isEmpty } == 2)
    }

    @Test(arguments: [1, 300_000])
    func otherBytesNeverLeaveWhole(byteCount: Int) async throws {
        let server = try LoopbackServer { _ in Self.ok }
        defer { server.stop() }
        let volume = try TestVolume()
        let path = volume.layout.root + "/file"
        try volume.fileSystem.publish([UInt8](repeating: 1, count: byteCount), at: path)
        let digest = hex(Digest.of([UInt8](repeating: 2, count: byteCount), .sha256))
        for length in [UInt64(byteCount), UInt64(byteCount) + 1] {
            let body = HTTPRequest.Body.file(path: path, byteCount: length, digest: digest)
            let error = await #expect(throws: TransportError.self) {
                try await transport.send(request(.put, server.url, body))
            }
            #expect(error?.reason == .digestMismatch)
        }
        #expect(server.requests.allSatisfy { $0.body.count < byteCount })
    }

    static let bad: [(String, TransportError.Reason)] = [
        ("http://127.0.0.1:1/", .connection), ("ftp://127.0.0.1/", .unusableRequest), ("http://", .unusableRequest),
        ("file:///etc/passwd", .unusableRequest),
    ]

    @Test(arguments: bad)
    func saysWhyThereIsNoAnswer(url: String, reason: TransportError.Reason) async throws {
        let error = await #expect(throws: TransportError.self) { try await transport.send(request(.get, url)) }
        #expect(error?.reason == reason)
    }

    @Test(arguments: ["gopher://user:canary-1@127.0.0.1:1", "http://user:canary-2@127.0.0.1:port:1"])
    func aProxyThatIsNoneIsNotQuoted(proxy: String) async throws {
        let transport = CurlTransport(
            userAgent: "test", network: NetworkOptions(environmentProxy: proxy), fileSystem: PosixFileSystem())
        let error = await #expect(throws: TransportError.self) {
            try await transport.send(request(.get, "http://127.0.0.1:1/"))
        }
        let text = try #require(error).text
        #expect(text.contains("proxy") && !text.contains("canary"))
    }

    @Test func aFileThatIsGoneIsSaid() async throws {
        let body = HTTPRequest.Body.file(path: "/nowhere/at/all", byteCount: 1, digest: "")
        let error = await #expect(throws: TransportError.self) {
            try await transport.send(request(.put, "http://127.0.0.1:1/", body))
        }
        #expect(error?.reason == .fileUnreadable)
    }

    @Test func aGiantAnswerIsCutOff() async throws {
        let server = try LoopbackServer { _ in
            "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + String(repeating: "x", count: HTTPResponse.bodyLimit + 1)
        }
        defer { server.stop() }
        let error = await #expect(throws: TransportError.self) { try await transport.send(request(.get, server.url)) }
        #expect(error?.reason == .responseTooLarge)
    }

    @Test func redirectsAreNotFollowed() async throws {
        let server = try LoopbackServer { _ in
            "HTTP/1.1 307 Go\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        }
        defer { server.stop() }
        #expect(try await transport.send(request(.get, server.url)).status == 307)
    }

    @Test func anInterimAnswerIsSkipped() async throws {
        let server = try LoopbackServer { _ in "HTTP/1.1 103 Early\r\nX-Early: 1\r\n\r\n" + Self.ok }
        defer { server.stop() }
        let response = try await transport.send(request(.get, server.url))
        #expect(response.status == 200 && response.headers["x-early"] == nil)
    }

    /// A name of somebody else may resolve to an address of ours.
    @Test func aNameThatLeadsToAPrivateAddressIsNotContacted() async throws {
        let server = try LoopbackServer { _ in Self.ok }
        defer { server.stop() }
        let url = server.url.replacing("127.0.0.1", with: "localhost")
        #expect(try await transport.send(request(.get, url)).status == 200)
        let count = server.requests.count
        await #expect(throws: TransportError.self) {
            try await transport.send(
                HTTPRequest(
                    .get, RedactedURL(url), headers: [], body: .none, timeout: .seconds(20), reach: .publicAddresses))
        }
        #expect(server.requests.count == count)
    }

    @Test func aSilentServerTimesOut() async throws {
        let server = try LoopbackServer { _ in nil }
        defer { server.stop() }
        let error = await #expect(throws: TransportError.self) {
            try await transport.send(request(.get, server.url, timeout: .milliseconds(50)))
        }
        #expect(error?.reason == .timedOut)
    }

    @Test func cancellingCutsTheRequest() async throws {
        let server = try LoopbackServer { _ in nil }
        defer { server.stop() }
        let task = Task { try await transport.send(request(.get, server.url)) }
        while server.requests.isEmpty { await Task.yield() }
        task.cancel()
        let error = await #expect(throws: TransportError.self) { try await task.value }
        #expect(error?.reason == .cancelled)
    }

    @Test func cancelledBeforeItStarts() async throws {
        let task = Task {
            withUnsafeCurrentTask { $0?.cancel() }
            return try await transport.send(request(.get, "http://127.0.0.1:1/"))
        }
        let error = await #expect(throws: TransportError.self) { try await task.value }
        #expect(error?.reason == .cancelled)
    }

    @Test func manyAtOnce() async throws {
        let server = try LoopbackServer { _ in Self.ok }
        defer { server.stop() }
        let statuses = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<50 { group.addTask { try await transport.send(request(.get, server.url)).status } }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        #expect(statuses == [Int](repeating: 200, count: 50))
    }
}

@Suite(.timeLimit(.minutes(5))) struct StopTests {
    /// A transport whose PUT never ends by itself.
    struct Hanging: HTTPTransport {
        let started: Signal
        func send(_ request: HTTPRequest) async throws(TransportError) -> HTTPResponse {
            guard request.method == .put, case .file(let path, _, _, _) = request.body else {
                guard case .bytes(let bytes) = request.body else { return HTTPResponse(404) }
                let text = String(decoding: bytes, as: UTF8.self)
                let ids = text.split(separator: "\"").filter { $0.hasSuffix(".parquet") }.map(String.init)
                return HTTPResponse(200, UploadServer.map(ids))
            }
            _ = path
            started.raise()
            await Signal().wait()
            throw TransportError(.cancelled, "cut")
        }
    }

    @Test func anUploadThatHangsIsCutAndSentAgainLater() async throws {
        let volume = try TestVolume()
        let name = try volume.addFile(1)
        let key = volume.layout.root + "/key"
        try volume.fileSystem.publish(Array("k".utf8), at: key)
        let destination = DestinationOptions.cloudZero(CloudZeroOptions(apiKeyPath: key))
        let started = Signal()
        do {
            let shipper = try TestShipper(volume, [destination], transport: Hanging(started: started))
            await withTaskGroup(of: Void.self) { group in
                group.addTask { try? await shipper.service.run() }
                await started.wait()
                shipper.service.stop()
            }
            #expect(try await shipper.ledger.row(name, "cloudzero")?.state == .uploading)
        }
        let transport = StubTransport(UploadServer.good)
        let shipper = try TestShipper(volume, [destination], transport: transport)
        #expect(await shipper.pass().uploaded == 1)
        #expect(transport.allocations.isEmpty, "the stored URL is used again")
    }

    @Test func signalWakesEveryWaiterAndCancelledOnes() async {
        let signal = Signal()
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<10 { group.addTask { await signal.wait() } }
            signal.raise()
        }
        await signal.wait()
        signal.lower()
        let task = Task { await signal.wait() }
        task.cancel()
        await task.value
        #expect(!signal.isRaised)
    }
}
