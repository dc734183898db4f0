import HTTPServer
import NIOCore
import NIOPosix
import Synchronization
import Testing

private let token = "t0p-secret_token"
private let password = "prometheus:pass:wörd"
/// `printf prometheus:pass:wörd | base64`
private let passwordInBase64 = "cHJvbWV0aGV1czpwYXNzOnfDtnJk"

/// Credentials through real sockets: who gets in, and what is read of those who do not.
@Suite(.timeLimit(.minutes(5)))
struct AccessTests {
    private static func control(bearer: Bool = true, basic: Bool = false) -> AccessControl {
        AccessControl(credentials(bearer: bearer, basic: basic), requiresCertificate: false, openPaths: ["/livez"])
    }

    private static func credentials(bearer: Bool, basic: Bool) -> AccessControl.Credentials {
        AccessControl.Credentials(
            tokens: bearer ? [Array("another".utf8), Array(token.utf8)] : nil,
            passwords: basic ? [Array("else:x".utf8), Array(password.utf8)] : nil)
    }

    private func request(_ headers: [String], _ method: String = "GET", _ path: String = "/echo") -> String {
        "\(method) \(path) HTTP/1.1\r\nHost: h\r\n\(headers.map { $0 + "\r\n" }.joined())\r\n"
    }

    @Test(arguments: [
        (true, false, [], 401), (true, false, ["Authorization: Bearer \(token)"], 200),
        (true, false, ["authorization: bEARER   \(token)"], 200), (true, false, ["Authorization: Bearer another"], 200),
        (true, false, ["Authorization: Bearer \(token)x"], 403), (true, false, ["Authorization: Bearer t0p"], 403),
        (true, false, ["Authorization: Bearer"], 403), (true, false, ["Authorization: Bearer \(token) \(token)"], 403),
        (true, false, ["Authorization: \(token)"], 401), (true, false, ["Authorization: Digest \(token)"], 401),
        (true, false, ["Authorization: Basic \(passwordInBase64)"], 401),
        (true, false, ["Authorization: Bearer \(token)", "Authorization: Bearer \(token)"], 403),
        (false, true, [], 401), (false, true, ["Authorization: Basic \(passwordInBase64)"], 200),
        (false, true, ["Authorization: basic \(passwordInBase64)"], 200),
        (false, true, ["Authorization: Basic \(password)"], 403), (false, true, ["Authorization: Basic ===="], 403),
        (false, true, ["Authorization: Basic \(passwordInBase64.lowercased())"], 403),
        (false, true, ["Authorization: Bearer \(passwordInBase64)"], 401),
        (true, true, ["Authorization: Bearer \(token)"], 200),
        (true, true, ["Authorization: Basic \(passwordInBase64)"], 200),
        (true, true, ["Authorization: Bearer \(passwordInBase64)"], 403),
        (false, false, [], 200), (false, false, ["Authorization: Bearer whatever"], 200),
    ])
    func credentials(bearer: Bool, basic: Bool, headers: [String], status: Int) async throws {
        let refusals = Mutex(0)
        let access = ServerAccess(control: Self.control(bearer: bearer, basic: basic)) { refusal in
            #expect(refusal == .auth)
            refusals.withLock { $0 += 1 }
        }
        try await withServer(access: access) { server, client in
            try await client.send(request(headers))
            let response = try await client.response()
            #expect(response.status == status)
            #expect(!response.body.contains(token))
            #expect(server.handler.log == (status == 200 ? ["admit 0", "handle"] : []))
            #expect(refusals.withLock { $0 } == (status == 200 ? 0 : 1))
            if status == 401 {
                // Of two headers of a name the client keeps the last.
                #expect(response.headers["www-authenticate"]?.hasPrefix(basic ? "Basic " : "Bearer ") == true)
            }
            #expect(response.headers["connection"] == nil, "without a body the connection lives")
        }
    }

    @Test(arguments: ["Content-Length: 1000000000", "Transfer-Encoding: chunked"], ["", "Expect: 100-continue"])
    func strangersAreAnsweredBeforeTheirBody(framing: String, expect: String) async throws {
        try await withServer(access: ServerAccess(control: Self.control())) { server, client in
            try await client.send(request([framing, expect].filter { !$0.isEmpty }, "POST"))
            let response = try await client.response()
            #expect(response.status == 401, "not 100")
            #expect(response.headers["connection"] == "close")
            #expect(await client.closed() == "")
            #expect(server.handler.log == [])
        }
    }

    @Test(arguments: [
        ("GET", "/livez", 200), ("GET", "/livez?verbose", 200), ("HEAD", "/livez", 200), ("POST", "/livez", 401),
        ("GET", "/livez/", 401), ("GET", "/LIVEZ", 401), ("GET", "//livez", 401), ("GET", "/livez%3F", 401),
        ("GET", "/livez/../echo", 401), ("GET", "http://h/livez", 401), ("GET", "/metrics?/livez", 401),
    ])
    func onlyProbesAreOpen(method: String, path: String, status: Int) async throws {
        try await withServer(access: ServerAccess(control: Self.control())) { _, client in
            try await client.send(request([], method, path))
            #expect(try await client.response(hasBody: method != "HEAD").status == status)
        }
    }

    @Test func newCredentialsHoldFromTheNextRequest() async throws {
        let control = Self.control()
        try await withServer(access: ServerAccess(control: control)) { _, client in
            let old = request(["Authorization: Bearer \(token)"])
            try await client.send(old)
            #expect(try await client.response().status == 200)
            control.replace(with: AccessControl.Credentials(tokens: [Array("new".utf8)], passwords: nil))
            try await client.send(old)
            #expect(try await client.response().status == 403)
            try await client.send(request(["Authorization: Bearer new"]))
            #expect(try await client.response().status == 200)
        }
    }

    @Test func aCertificateIsAskedOfEveryoneButProbes() async throws {
        let control = AccessControl(
            AccessControl.Credentials(tokens: nil, passwords: nil), requiresCertificate: true, openPaths: ["/livez"])
        try await withServer(access: ServerAccess(control: control)) { _, client in
            for (path, status) in [("/echo", 403), ("/livez", 200)] {
                try await client.send(get(path))
                #expect(try await client.response().status == status)
            }
        }
    }

    @Test func connectionsOfOneAddressAreLimited() async throws {
        let refused = Mutex<[AccessRefusal]>([])
        let access = ServerAccess { refusal in refused.withLock { $0.append(refusal) } }
        try await withServer(options: patient { $0.connectionsPerAddressLimit = 2 }, access: access) { server, first in
            func connect() async throws -> RawClient {
                try await RawClient(port: server.server.port, group: server.group)
            }
            let second = try await connect()
            for client in [first, second] {
                try await client.send(get("/echo"))
                #expect(try await client.response().status == 200)
            }
            for _ in 0..<5 {
                let third = try await connect()
                let response = try await third.response()
                #expect(response.status == 503)
                #expect((1...5).contains(Int(response.headers["retry-after"] ?? "") ?? 0), "spread at random")
                #expect(response.headers["connection"] == "close")
                #expect(await third.closed() == "")
            }
            #expect(refused.withLock { $0 } == Array(repeating: .address, count: 5))
            // One that leaves makes room; the refused ones never took any.
            await second.close()
            while server.server.connectionCount > 1 { await Task.yield() }
            let next = try await connect()
            try await next.send(get("/echo"))
            #expect(try await next.response().status == 200)
        }
    }

    #if TLS
        @Test func filesThatAreNotPEMAreNamed() throws {
            let junk = PEMFile(path: "/etc/tls.crt", bytes: Array("-----BEGIN CERTIFICATE-----\nAAAA\n".utf8))
            let material = TLSMaterial(certificates: junk, key: PEMFile(path: "/k", bytes: []), clientAuthorities: nil)
            let error = try #require(throws: TLSError.self) { _ = try ServerTLS(material) }
            #expect(error.reason == .certificates)
            #expect(error.description.hasPrefix("cannot use certificate /etc/tls.crt: "))
        }
    #endif
}
