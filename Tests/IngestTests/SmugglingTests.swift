import HTTPServer
import Testing

/// Requests that two programs in a row could read differently (reliability: "header floods, smuggling"). Each is
/// followed by one more request: the first is refused and the connection ends, or both are read, and nothing else.
@Suite(.timeLimit(.minutes(5)))
struct SmugglingTests {
    enum Outcome: Sendable {
        /// 400, `Connection: close`, and nothing after it is read as a request.
        case refused
        /// The body read, then the next request is read too.
        case served(body: String)
        /// The body read; the connection ends with the answer.
        case servedLast(body: String)
    }

    struct Case: Sendable, CustomTestStringConvertible {
        let name: String
        let bytes: String
        let outcome: Outcome
        var testDescription: String { name }

        init(_ name: String, _ bytes: String, _ outcome: Outcome = .refused) {
            (self.name, self.bytes, self.outcome) = (name, bytes, outcome)
        }
    }

    /// `POST /first` with these header lines and what follows them.
    private static func first(_ headers: String, _ body: String = "", version: String = "1.1") -> String {
        "POST /first HTTP/\(version)\r\nHost: h\r\n\(headers)\r\n\(body)"
    }

    private static let lengths = [
        Case("length and chunked", first("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n")),
        Case("chunked and length", first("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n")),
        Case("two lengths", first("Content-Length: 5\r\nContent-Length: 6\r\n", "hello")),
        Case("the same length twice", first("Content-Length: 5\r\nContent-Length: 5\r\n", "hello")),
        Case("a list of lengths", first("Content-Length: 5, 5\r\n", "hello")),
        Case("a negative length", first("Content-Length: -1\r\n")),
        Case("a signed length", first("Content-Length: +5\r\n", "hello")),
        Case("a hexadecimal length", first("Content-Length: 0x5\r\n", "hello")),
        Case("a length with a point", first("Content-Length: 5.0\r\n", "hello")),
        Case("a length with an exponent", first("Content-Length: 5e0\r\n", "hello")),
        Case("a length with a space in it", first("Content-Length: 1 0\r\n", "hello")),
        Case("an empty length", first("Content-Length: \r\n")),
        Case("a length beyond 63 bits", first("Content-Length: 9223372036854775808\r\n")),
        Case("a length beyond 64 bits", first("Content-Length: 18446744073709551621\r\n", "hello")),
        Case("a length in other digits", first("Content-Length: \u{665}\r\n", "hello")),
        Case("a length with a space before its colon", first("Content-Length : 5\r\n", "hello")),
        Case("leading zeros", first("Content-Length: 005\r\n", "hello"), .served(body: "hello")),
        Case("spaces around a length", first("Content-Length:   5  \r\n", "hello"), .served(body: "hello")),
        Case("a length in capitals", first("CONTENT-LENGTH: 5\r\n", "hello"), .served(body: "hello")),
        Case("a name that looks like a length", first("Content_Length: 5\r\n"), .served(body: "")),
        Case("a tunnel with a length", "CONNECT h:1 HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"),
        Case(
            "a tunnel in chunks",
            "CONNECT h:1 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"),
    ]

    private static let codings = [
        Case("an unknown coding", first("Transfer-Encoding: gzip\r\n", "0\r\n\r\n")),
        Case("chunked, then another coding", first("Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n")),
        Case("identity alone", first("Transfer-Encoding: identity\r\n", "0\r\n\r\n")),
        Case("a coding that ends in chunked", first("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n")),
        Case("a coding that begins with chunked", first("Transfer-Encoding: chunkedx\r\n", "0\r\n\r\n")),
        Case("a quoted coding", first("Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n")),
        Case("a vertical tab before a coding", first("Transfer-Encoding: \u{B}chunked\r\n", "0\r\n\r\n")),
        Case("an empty coding", first("Transfer-Encoding: \r\n", "0\r\n\r\n")),
        Case("a coding with a space before its colon", first("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")),
        Case("a folded coding", first("Transfer-Encoding:\r\n chunked\r\n", "0\r\n\r\n")),
        Case(
            "two codings, the last not chunked",
            first("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n", "0\r\n\r\n")),
        Case(
            "chunked in capitals", first("Transfer-Encoding: CHUNKED\r\n", "5\r\nhello\r\n0\r\n\r\n"),
            .served(body: "hello")),
        Case(
            "chunked over HTTP/1.0",
            first(
                "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n", "5\r\nhello\r\n0\r\n\r\n", version: "1.0"),
            .servedLast(body: "hello")),
    ]

    private static func chunked(_ body: String) -> String { first("Transfer-Encoding: chunked\r\n", body) }

    private static let chunks = [
        Case("a chunk size beyond 64 bits", chunked("10000000000000005\r\nhello\r\n0\r\n\r\n")),
        Case("a chunk size of many digits", chunked(String(repeating: "f", count: 100) + "\r\nhello\r\n0\r\n\r\n")),
        Case("a negative chunk size", chunked("-5\r\nhello\r\n0\r\n\r\n")),
        Case("a chunk size with a prefix", chunked("0x5\r\nhello\r\n0\r\n\r\n")),
        Case("an empty chunk size", chunked("\r\nhello\r\n0\r\n\r\n")),
        Case("a space before a chunk size", chunked(" 5\r\nhello\r\n0\r\n\r\n")),
        Case("a chunk longer than its size", chunked("3\r\nhello\r\n0\r\n\r\n")),
        Case("a chunk that ends in a line feed", chunked("5\r\nhello\n0\r\n\r\n")),
        Case("a chunk size that ends in a line feed", chunked("5\nhello\r\n0\r\n\r\n")),
        Case("a carriage return in a chunk size", chunked("5\r\rhello\r\n0\r\n\r\n")),
        Case("a line feed in a chunk extension", chunked("5;a\nb\r\nhello\r\n0\r\n\r\n")),
        Case("a chunk extension", chunked("5;name=\"value\"\r\nhello\r\n0\r\n\r\n"), .served(body: "hello")),
        Case("a chunk size with leading zeros", chunked("0005\r\nhello\r\n0\r\n\r\n"), .served(body: "hello")),
        Case(
            "a length in the trailer", chunked("5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n")),
    ]

    private static let lines = [
        Case("a header ended by a line feed", first("A: b\nContent-Length: 5\r\n", "hello")),
        Case("a head ended by line feeds", "GET /first HTTP/1.1\nHost: h\n\n"),
        Case("a carriage return in a value", first("A: b\rContent-Length: 5\r\n", "hello")),
        Case("a NUL in a value", first("A: b\0c\r\n")),
        Case("a NUL in a name", first("A\0: b\r\n")),
        Case("a folded header", first("A: b\r\n Content-Length: 5\r\n")),
        Case("a folded first header", "POST /first HTTP/1.1\r\n Host: h\r\n\r\n"),
        Case("a header without a colon", first("Content-Length 5\r\n", "hello")),
        Case("a header without a name", first(": 5\r\n")),
        Case("a space in a name", first("Content Length: 5\r\n", "hello")),
        Case("no spaces in the request line", "POST/firstHTTP/1.1\r\nHost: h\r\n\r\n"),
        Case("a space in the target", "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n"),
        Case("HTTP/2.0", "GET /first HTTP/2.0\r\nHost: h\r\n\r\n"),
        Case("HTTP/1.10", "GET /first HTTP/1.10\r\nHost: h\r\n\r\n"),
        Case("HTTP/0.9", "GET /first\r\n\r\n"),
        Case("the preface of HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        Case("a TLS handshake", "\u{16}\u{3}\u{1}\u{2}\u{0}\u{1}"),
        Case("an unknown method", "SMUGGLE /first HTTP/1.1\r\nHost: h\r\n\r\n"),
        Case("a line before the request line", "\r\nPOST /first HTTP/1.1\r\nHost: h\r\n\r\n", .served(body: "")),
        Case(
            "a body that GET has", "GET /first HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello",
            .served(body: "hello")),
    ]

    @Test(arguments: lengths + codings + chunks + lines)
    func readsOneWay(_ tried: Case) async throws {
        try await withServer { server, client in
            try await client.send(tried.bytes + get("/next"))
            let response = try await client.response()
            switch tried.outcome {
            case .refused:
                #expect(response.status == 400)
                #expect(response.headers["connection"] == "close")
                #expect(await client.closed() == "")
                #expect(!server.handler.log.contains("handle"))
            case .served(let body):
                #expect(response.status == 200)
                #expect(response.body.hasSuffix(" /first  " + body))
                #expect(try await client.response().body == "GET /next  ")
            case .servedLast(let body):
                #expect(response.body.hasSuffix(" /first  " + body))
                #expect(response.headers["connection"] == "close")
                #expect(await client.closed() == "")
            }
        }
    }

    @Test func thereAreEnoughCases() {
        #expect(Self.lengths.count + Self.codings.count + Self.chunks.count + Self.lines.count >= 40)
    }
}
