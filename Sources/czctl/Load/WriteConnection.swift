internal import DiskIO
internal import NIOCore
internal import NIOHTTP1
internal import NIOPosix

/// Where bodies are posted.
struct WriteURL: Equatable, Sendable {
    var host: String
    var port: Int
    /// Path and query.
    var target: String
    let isSecure: Bool

    /// Nil for what is not `http[s]://host[:port][/path]`.
    init?(_ text: String) {
        let scheme = text.lowercased().hasPrefix("https://") ? "https://" : "http://"
        guard text.lowercased().hasPrefix(scheme) else { return nil }
        isSecure = scheme == "https://"
        let rest = text.dropFirst(scheme.count)
        let end = rest.firstIndex { "/?#".contains($0) } ?? rest.endIndex
        var authority = rest[..<end]
        target = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
        port = isSecure ? 443 : 80
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]") {
            guard let number = Int(authority[authority.index(after: colon)...]), (1...65_535).contains(number) else {
                return nil
            }
            port = number
            authority = authority[..<colon]
        }
        host = String(
            authority.hasPrefix("[") && authority.hasSuffix("]") ? authority.dropFirst().dropLast() : authority)
        guard !host.isEmpty, !text.utf8.contains(where: { $0 <= 0x20 || $0 == 0x7F }) else { return nil }
    }

    /// The `Host` header.
    var authority: String {
        (host.contains(":") ? "[\(host)]" : host) + (port == (isSecure ? 443 : 80) ? "" : ":\(port)")
    }

    var text: String { (isSecure ? "https://" : "http://") + authority + target }
}

/// What a receiver answered.
struct WriteResponse: Sendable {
    var status: Int
    /// `X-Prometheus-Remote-Write-Samples-Written`.
    var samplesWritten: Int?
    /// Seconds of `Retry-After`.
    var retryAfter: Int?
    /// Its beginning: `textLimit`, and the length of a secret that may stand across it.
    var text = ""
    var keepsOpen: Bool
}

/// One connection of a load, one request at a time.
struct WriteConnection: Sendable {
    enum Failure: Error, CustomStringConvertible {
        case closed
        case timedOut

        var description: String {
            switch self {
            case .closed: "the connection was closed without an answer"
            case .timedOut: "no answer in time"
            }
        }
    }

    /// What is read of the words of an answer.
    static let textLimit = 1024

    private let channel: any Channel
    private let url: WriteURL
    private let authorization: String?

    static func open(
        _ url: WriteURL, authorization: String?, group: any EventLoopGroup
    ) async throws -> WriteConnection {
        let textLimit = Self.textLimit + (authorization?.utf8.count ?? 0)
        let channel = try await ClientBootstrap(group: group)
            .connectTimeout(.seconds(5))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(AnswerCollector(textLimit: textLimit))
                }
            }
            .connect(host: url.host, port: url.port).get()
        return WriteConnection(channel: channel, url: url, authorization: authorization)
    }

    /// Those of every request with `body`, whatever carries it.
    static func headers(_ body: WriteBody, authorization: String?) -> [(name: String, value: String)] {
        let common = [
            (name: "content-type", value: body.version.contentType), (name: "content-encoding", value: "snappy"),
            (name: "x-prometheus-remote-write-version", value: body.version.header),
        ]
        return common + (authorization.map { [(name: "authorization", value: $0)] } ?? [])
    }

    /// Posts `body` and waits for the whole answer, 60 s at most.
    func post(_ body: WriteBody) async throws -> WriteResponse {
        var head = HTTPRequestHead(version: .http1_1, method: .POST, uri: url.target)
        head.headers = [
            "host": url.authority, "content-length": String(body.bytes.count), "user-agent": "czctl",
        ]
        for (name, value) in Self.headers(body, authorization: authorization) {
            head.headers.add(name: name, value: value)
        }
        let answer = channel.eventLoop.makePromise(of: WriteResponse.self)
        let timeout = channel.eventLoop.scheduleTask(in: .seconds(60)) { answer.fail(Failure.timedOut) }
        defer { timeout.cancel() }
        // A connection that died while it was idle has no handlers any more: only the write itself can say so.
        channel.writeAndFlush(
            AnswerCollector.Post(head: head, body: ByteBuffer(bytes: body.bytes), answer: answer)
        ).whenFailure { answer.fail($0) }
        return try await answer.futureResult.get()
    }

    func close() { channel.close(promise: nil) }

    /// The words for an error of `open` or `post`.
    static func reason(_ error: any Error) -> String {
        let cause = (error as? NIOConnectionError)?.connectionErrors.first?.error ?? error
        if let cause = cause as? NIOCore.IOError { return Errno.text(cause.errnoCode) }
        return "\(cause)"
    }
}

/// Turns a `Post` into the parts of a request, and the parts of its answer into a value.
private final class AnswerCollector: ChannelDuplexHandler {
    struct Post: Sendable {
        var head: HTTPRequestHead
        var body: ByteBuffer
        var answer: EventLoopPromise<WriteResponse>
    }

    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = Post
    typealias OutboundOut = HTTPClientRequestPart

    private let textLimit: Int
    private var answer: EventLoopPromise<WriteResponse>?
    private var response: WriteResponse?

    init(textLimit: Int) { self.textLimit = textLimit }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let post = unwrapOutboundIn(data)
        guard context.channel.isActive else { return post.answer.fail(WriteConnection.Failure.closed) }
        answer = post.answer
        context.write(wrapOutboundOut(.head(post.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(post.body))), promise: nil)
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            func number(_ name: String) -> Int? { head.headers.first(name: name).flatMap { Int($0) } }
            response = WriteResponse(
                status: Int(head.status.code), samplesWritten: number("x-prometheus-remote-write-samples-written"),
                retryAfter: number("retry-after"), keepsOpen: head.isKeepAlive)
        case .body(let bytes):
            let room = textLimit - (response?.text.utf8.count ?? 0)
            if room > 0 {
                response?.text += String(
                    buffer: bytes.getSlice(at: bytes.readerIndex, length: min(room, bytes.readableBytes)) ?? bytes)
            }
        case .end:
            guard let response else { return }
            self.response = nil
            finish(.success(response))
            if !response.keepsOpen { context.close(promise: nil) }
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish(.failure(WriteConnection.Failure.closed))
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        finish(.failure(error))
        context.close(promise: nil)
    }

    private func finish(_ result: Result<WriteResponse, any Error>) {
        answer?.completeWith(result)
        answer = nil
    }
}
