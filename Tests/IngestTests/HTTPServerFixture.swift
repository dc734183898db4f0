import HTTPServer
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization
import Testing

func get(_ path: String) -> String { "GET \(path) HTTP/1.1\r\nHost: h\r\n\r\n" }

func post(_ path: String, _ body: String) -> String {
    "POST \(path) HTTP/1.1\r\nHost: h\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
}

struct Fixture: Sendable {
    let server: HTTPServer
    let handler: RecordingHandler
    let group: any EventLoopGroup
}

/// A server on loopback whose times outlast a test that waits long for its turn, save those that `change` makes short.
func patient(_ change: (inout HTTPServerOptions) -> Void = { _ in }) -> HTTPServerOptions {
    var options = HTTPServerOptions(
        address: "127.0.0.1", port: 0, headerTimeout: .minutes(5), idleTimeout: .minutes(5), drainTimeout: .minutes(5))
    change(&options)
    return options
}

func withServer(
    limit: Int = 100, options: HTTPServerOptions = patient(), access: ServerAccess = ServerAccess(),
    _ body: (Fixture, RawClient) async throws -> Void
) async throws {
    let group = MultiThreadedEventLoopGroup.singleton
    let handler = RecordingHandler(limit: limit)
    let server = try await HTTPServer.start(options, access: access, handler: handler, group: group)
    let client = try await RawClient(port: server.port, group: group)
    let result: Result<Void, any Error>
    do { result = .success(try await body(Fixture(server: server, handler: handler, group: group), client)) } catch {
        result = .failure(error)
    }
    await client.close()
    await server.stop()
    try result.get()
}

final class RecordingHandler: HTTPHandler {
    struct Secret: Error {}

    private struct State {
        var log: [String] = []
        var held: EventLoopPromise<HTTPResponse>?
        var waiters: [(isMet: (State) -> Bool, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let limit: Int
    private let state = Mutex(State())

    init(limit: Int) { self.limit = limit }

    var log: [String] { state.withLock { $0.log } }

    func waitUntilHeld() async { await wait { $0.held != nil } }
    func waitUntilAdmitted() async { await wait { $0.log.contains { $0.hasPrefix("admit") } } }
    func waitUntilAbandoned() async { await wait { $0.log.contains("abandoned") } }

    func release() {
        let promise = state.withLock { state in
            defer { state.held = nil }
            return state.held
        }
        promise?.succeed(HTTPResponse(status: .ok, body: ByteBuffer(string: "held")))
    }

    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        change { $0.log.append("admit " + (declaredLength.map(String.init) ?? "chunked")) }
        return head.uri == "/refuse" ? .text(.serviceUnavailable, "refused") : nil
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int { limit }

    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        let promise = eventLoop.makePromise(of: HTTPResponse.self)
        change { state in
            state.log.append("handle")
            if request.path == "/held" { state.held = promise }
        }
        switch request.path {
        case "/held": break
        case "/empty": promise.succeed(.empty(.noContent))
        case "/fail": promise.fail(Secret())
        case "/hangup": promise.succeed(.hangUp)
        case "/inject": promise.succeed(HTTPResponse(status: .ok, headers: ["x": "a\r\ny: b"]))
        default:
            let text = "\(request.method) \(request.path) \(request.query ?? "") \(String(buffer: request.body))"
            promise.succeed(HTTPResponse(status: .ok, body: ByteBuffer(string: text)))
        }
        return promise.futureResult
    }

    func abandoned(_ head: HTTPRequestHead, admitted: Int) {
        change { $0.log.append("abandoned") }
    }

    private func change(_ body: (inout State) -> Void) {
        let met = state.withLock { state in
            body(&state)
            let now = state
            state.waiters = now.waiters.filter { !$0.isMet(now) }
            return now.waiters.filter { $0.isMet(now) }.map(\.continuation)
        }
        for waiter in met { waiter.resume() }
    }

    private func wait(_ isMet: @escaping @Sendable (State) -> Bool) async {
        await withCheckedContinuation { continuation in
            let isNow = state.withLock { state in
                if isMet(state) { return true }
                state.waiters.append((isMet: isMet, continuation: continuation))
                return false
            }
            if isNow { continuation.resume() }
        }
    }
}
