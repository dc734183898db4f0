import HTTPServer
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

/// Real loopback sockets, raw bytes.
@Suite(.timeLimit(.minutes(5)))
struct HTTPServerTests {
    @Test func keepAliveServesOneRequestAfterAnother() async throws {
        try await withServer { server, client in
            for body in ["one", "", "three"] {
                try await client.send(
                    "POST /echo?a=b?c HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.count)\r\n\r\n\(body)")
                let response = try await client.response()
                #expect(response.status == 200)
                #expect(response.headers["connection"] == nil)
                #expect(response.body == "POST /echo a=b?c \(body)")
            }
            #expect(server.handler.log == ["admit 3", "handle", "admit 0", "handle", "admit 5", "handle"])
        }
    }

    @Test func bodyMayArriveByteByByte() async throws {
        try await withServer { _, client in
            for byte in "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello".utf8 {
                try await client.send([byte])
            }
            #expect(try await client.response().body == "POST /echo  hello")
        }
    }

    @Test func largeBodyArrivesWhole() async throws {
        try await withServer(limit: 1 << 20) { _, client in
            let body = String(repeating: "0123456789", count: 60_000)
            try await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n" + body)
            #expect(try await client.response().body == "POST /echo  " + body)
        }
    }

    @Test func chunkedBodyIsJoined() async throws {
        try await withServer { server, client in
            try await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n")
            try await client.send("4;x=y\r\ndefg\r\n0\r\n\r\n")
            #expect(try await client.response().body == "POST /echo  abcdefg")
            try await client.send(get("/echo"))
            #expect(try await client.response().status == 200)
            #expect(server.handler.log.first == "admit chunked")
        }
    }

    @Test func pipelinedRequestsAreAnsweredInOrder() async throws {
        try await withServer { server, client in
            try await client.send(get("/held") + post("/echo", "2") + get("/three"))
            await server.handler.waitUntilHeld()
            #expect(server.handler.log == ["admit 0", "handle"], "the second waits for the first's answer")
            server.handler.release()
            for expected in ["held", "POST /echo  2", "GET /three  "] {
                #expect(try await client.response().body == expected)
            }
        }
    }

    @Test func thousandsOfPipelinedRequestsDoNotGrowTheStack() async throws {
        try await withServer { _, client in
            try await client.send(String(repeating: get("/x"), count: 2_000))
            for _ in 0..<2_000 { #expect(try await client.response().status == 200) }
        }
    }

    @Test func queueOfPipelinedRequestsIsBounded() async throws {
        try await withServer { server, client in
            try await client.send(get("/held"))
            await server.handler.waitUntilHeld()
            try await client.send(String(repeating: get("/x"), count: 2_000))
            #expect(await client.closed() == "")
            server.handler.release()
        }
    }

    @Test func continueIsSentOnlyAfterAdmission() async throws {
        try await withServer { _, client in
            let head = "HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n"
            try await client.send("POST /echo " + head)
            #expect(try await client.response().status == 100)
            try await client.send("ok")
            #expect(try await client.response().body == "POST /echo  ok")
            // Whether its body follows nobody can know: the connection ends.
            try await client.send("POST /refuse " + head)
            let refused = try await client.response()
            #expect(refused.status == 503)
            #expect(refused.headers["connection"] == "close")
        }
    }

    @Test(arguments: [true, false])
    func oversizeBodyIsRefusedAndTheNextRequestWorks(isDeclared: Bool) async throws {
        try await withServer(limit: 10) { server, client in
            if isDeclared {
                try await client.send(post("/echo", "12345678901"))
            } else {
                try await client.send(
                    "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n12345678\r\n")
                try await client.send("8\r\n12345678\r\n8\r\n12345678\r\n0\r\n\r\n")
            }
            let refused = try await client.response()
            #expect(refused.status == 400)
            #expect(refused.body.contains("10 bytes"))
            #expect(refused.headers["connection"] == nil)
            try await client.send(post("/echo", "1234567890"))
            #expect(try await client.response().body == "POST /echo  1234567890")
            let admitted = isDeclared ? "admit 11" : "admit chunked"
            #expect(server.handler.log == [admitted, "abandoned", "admit 10", "handle"])
        }
    }

    @Test func bodyTooLargeToDropClosesAfterTheAnswer() async throws {
        try await withServer(
            limit: 10, options: patient { $0.discardByteLimit = 1000 }
        ) { _, client in
            try await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 1001\r\n\r\n12345")
            let refused = try await client.response()
            #expect(refused.status == 400)
            #expect(refused.headers["connection"] == "close")
            #expect(await client.closed() == "")
        }
    }

    @Test func refusedRequestWithBodyKeepsTheConnection() async throws {
        try await withServer { server, client in
            try await client.send(post("/refuse", "dropped"))
            #expect(try await client.response().status == 503)
            try await client.send(get("/echo"))
            #expect(try await client.response().status == 200)
            #expect(server.handler.log == ["admit 7", "admit 0", "handle"])
        }
    }

    @Test func clientThatLeavesInTheBodyIsAbandonedOnce() async throws {
        try await withServer { server, client in
            try await client.send("POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhalf")
            await server.handler.waitUntilAdmitted()
            await client.close()
            await server.handler.waitUntilAbandoned()
            #expect(server.handler.log == ["admit 50", "abandoned"])
        }
    }

    @Test(arguments: [
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5, 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 9223372036854775808\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        "POST / HTTP/2.0\r\nHost: h\r\n\r\n",
        "GET / HTTP/1.1\r\nBad Header: x\r\n\r\n",
        "not http at all\r\n\r\n",
        "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}",
    ])
    func smuggledOrBrokenRequestEndsTheConnection(request: String) async throws {
        try await withServer { server, client in
            try await client.send(request + get("/smuggled"))
            let response = try await client.response()
            #expect(response.status == 400)
            #expect(response.headers["connection"] == "close")
            #expect(await client.closed() == "")
            #expect(!server.handler.log.contains("handle"))
        }
    }

    @Test func brokenRequestAfterAGoodOneComesSecond() async throws {
        try await withServer { server, client in
            try await client.send(get("/held") + "garbage\r\n\r\n")
            await server.handler.waitUntilHeld()
            server.handler.release()
            #expect(try await client.response().body == "held")
            #expect(try await client.response().status == 400)
            #expect(await client.closed() == "")
        }
    }

    @Test func headersOverTheLimitAreRefused() async throws {
        try await withServer(options: patient { $0.headerByteLimit = 1000 }) {
            _, client in
            try await client.send("GET / HTTP/1.1\r\nHost: h\r\nA: \(String(repeating: "a", count: 1000))\r\n\r\n")
            #expect(try await client.response().status == 431)
            #expect(await client.closed() == "")
        }
    }

    @Test func headHasNoBody() async throws {
        try await withServer { _, client in
            try await client.send("HEAD /echo HTTP/1.1\r\nHost: h\r\n\r\n")
            let response = try await client.response(hasBody: false)
            #expect(response.headers["content-length"] == "12")
            try await client.send(get("/echo"))
            #expect(try await client.response().body == "GET /echo  ")
        }
    }

    @Test func noContentHasNoLength() async throws {
        try await withServer { _, client in
            try await client.send(get("/empty"))
            let response = try await client.response()
            #expect(response.status == 204)
            #expect(response.headers["content-length"] == nil)
        }
    }

    @Test(arguments: [
        ("GET /echo HTTP/1.0\r\n\r\n", "close"),
        ("GET /echo HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", "keep-alive"),
        ("POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "close"),
        ("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", "close"),
        ("GET /echo HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", "close"),
    ])
    func connectionHeaderFollowsTheClient(request: String, connection: String) async throws {
        try await withServer { _, client in
            try await client.send(request)
            #expect(try await client.response().headers["connection"] == connection)
            if connection == "close" { #expect(await client.closed() == "") }
        }
    }

    @Test func everyNthRequestEndsTheConnection() async throws {
        try await withServer(options: patient { $0.reconnectFrequency = 3 }) {
            _, client in
            var connections: [String?] = []
            for _ in 0..<3 {
                try await client.send(get("/echo"))
                connections.append(try await client.response().headers["connection"])
            }
            #expect(connections == [nil, nil, "close"])
        }
    }

    @Test func failedHandlerAnswersWithoutItsText() async throws {
        try await withServer { _, client in
            try await client.send(get("/fail"))
            let response = try await client.response()
            #expect(response.status == 500)
            #expect(!response.body.contains("secret"))
        }
    }

    @Test func headerValueCannotSplitTheAnswer() async throws {
        try await withServer { _, client in
            try await client.send(get("/inject"))
            #expect(try await client.response().headers == ["x": "", "content-length": "0"])
        }
    }

    @Test func hangUpSendsNothing() async throws {
        try await withServer { _, client in
            try await client.send(post("/hangup", "x"))
            #expect(await client.closed() == "")
        }
    }

    @Test func silentClientsAreClosed() async throws {
        let short = TimeAmount.seconds(1)
        try await withServer(options: patient { $0.headerTimeout = short }) {
            server, _ in
            let client = try await RawClient(
                port: server.server.port, group: server.group, greeting: "GET / HTTP/1.1\r\nHo")
            #expect(await client.closed() == "")
        }
        try await withServer(options: patient { $0.idleTimeout = short }) {
            server, _ in
            let client = try await RawClient(port: server.server.port, group: server.group, greeting: get("/echo"))
            #expect(try await client.response().status == 200)
            #expect(await client.closed() == "")
        }
        try await withServer(options: patient { $0.headerTimeout = short }) {
            server, _ in
            let client = try await RawClient(
                port: server.server.port, group: server.group,
                greeting: "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 50\r\n\r\nhalf")
            #expect(try await client.response().status == 408)
            #expect(await client.closed() == "")
            #expect(server.handler.log == ["admit 50", "abandoned"])
        }
    }

    @Test func connectionsOverTheLimitAreTurnedAway() async throws {
        try await withServer(options: patient { $0.connectionLimit = 1 }) {
            server, client in
            try await client.send(get("/echo"))
            #expect(try await client.response().status == 200)
            let second = try await RawClient(port: server.server.port, group: server.group)
            #expect(try await second.response().status == 503)
            #expect(await second.closed() == "")
            try await client.send(get("/echo"))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func drainFinishesWhatIsInFlight() async throws {
        try await withServer { server, client in
            let idle = try await RawClient(port: server.server.port, group: server.group)
            try await idle.send(get("/echo"))
            #expect(try await idle.response().status == 200)
            try await client.send(get("/held"))
            await server.handler.waitUntilHeld()
            async let drained: Void = server.server.drain()
            #expect(await idle.closed() == "", "idle connections are closed at once")
            await #expect(throws: (any Error).self) {
                try await RawClient(port: server.server.port, group: server.group)
            }
            server.handler.release()
            let response = try await client.response()
            #expect(response.body == "held")
            #expect(response.headers["connection"] == "close")
            await drained
            #expect(server.server.connectionCount == 0)
        }
    }

    @Test func drainCutsWhatDoesNotEnd() async throws {
        try await withServer(options: patient { $0.drainTimeout = .milliseconds(20) }) { server, client in
            try await client.send(get("/held"))
            await server.handler.waitUntilHeld()
            await server.server.drain()
            #expect(await client.closed() == "")
            server.handler.release()
        }
    }

    @Test func portInUseIsSaidSo() async throws {
        try await withServer { server, _ in
            let options = HTTPServerOptions(address: "127.0.0.1", port: server.server.port)
            let error = try await #require(throws: HTTPServerError.self) {
                _ = try await HTTPServer.start(options, handler: server.handler, group: server.group)
            }
            #expect(error.reason == .addressInUse)
            #expect(
                error.description.hasPrefix(
                    "cannot listen on 127.0.0.1:\(server.server.port): address already in use; "))
        }
    }

    @Test func dualStackListensOnBoth() async throws {
        try await withServer(options: patient { $0.address = "::" }) { _, client in
            try await client.send(get("/echo"))
            #expect(try await client.response().status == 200)
        }
    }
}
