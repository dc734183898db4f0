import HTTPServer
import NIOCore
import NIOEmbedded
import NIOHTTP1
import Synchronization

/// Bytes of a connection, whole and cut in pieces: byte 0 are options, byte 1 the seed of the cuts.
func fuzzHTTP(_ input: UnsafeRawBufferPointer) {
    guard input.count >= 2 else { return }
    let (flags, seed) = (input[0], input[1])
    let bytes = [UInt8](input.dropFirst(2))
    // Bytes of a refused body to drop: with few, where the cuts are decides when the connection ends.
    let hasSmallLimits = flags & 1 != 0
    let options = HTTPServerOptions(
        port: 0, headerByteLimit: hasSmallLimits ? 256 : 1 << 16,
        discardByteLimit: hasSmallLimits ? 100 : 1 << 20, reconnectFrequency: flags & 2 != 0 ? 2 : 0)
    let cut = Connection(options, isQuiesced: flags & 4 != 0, answersLater: flags & 8 != 0)
    cut.feed(bytes, seed: seed)
    guard !hasSmallLimits, flags & 4 == 0 else { return }
    let whole = Connection(options, isQuiesced: false, answersLater: false)
    whole.feed(bytes, seed: 0)
    require(cut.handled == whole.handled, "cuts change what was asked: \(cut.handled) \(whole.handled)")
    require(cut.statuses == whole.statuses, "cuts change the answers: \(cut.statuses) \(whole.statuses)")
}

private let longestBody = 64

private final class Connection {
    private let channel = EmbeddedChannel()
    private let handler = CountingHandler()
    private let isQuiesced: Bool
    private let answersLater: Bool
    private(set) var statuses: [Substring] = []

    var handled: [String] { handler.state.withLock { $0.handled } }

    init(_ options: HTTPServerOptions, isQuiesced: Bool, answersLater: Bool) {
        self.isQuiesced = isQuiesced
        self.answersLater = answersLater
        handler.state.withLock { $0.answersLater = answersLater }
        do {
            try channel.pipeline.syncOperations.addHandlers(
                HTTPServer.connectionHandlers(options, handler: handler))
            try channel.connect(to: SocketAddress(ipAddress: "127.0.0.1", port: 1)).wait()
        } catch {
            fatalError("no connection: \(error)")
        }
    }

    func feed(_ bytes: [UInt8], seed: UInt8) {
        var state = UInt32(seed)
        var rest = bytes[...]
        while !rest.isEmpty, channel.isActive {
            var length = rest.count
            if seed > 0 {
                state = state &* 1_103_515_245 &+ 12345
                length = min(length, 1 + Int(state >> 16) % (seed > 128 ? 8 : 64))
            }
            // What the pipeline throws it has answered: a real channel drops it.
            _ = try? channel.writeInbound(ByteBuffer(bytes: rest.prefix(length)))
            rest = rest.dropFirst(length)
            if isQuiesced, rest.count < bytes.count / 2 {
                channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
            }
            handler.checkBalance(isOpen: true)
            handler.release()
            channel.embeddedEventLoop.run()
        }
        while handler.release() { channel.embeddedEventLoop.run() }
        collect()
        // Errors that nobody took, and bytes that nobody read: neither is a fault here.
        _ = try? channel.finish(acceptAlreadyClosed: true)
        channel.embeddedEventLoop.run()
        handler.checkBalance(isOpen: false)
        require(statuses.count <= handler.state.withLock { $0.heads } + 1, "more answers than requests")
    }

    private func collect() {
        while true {
            let buffer: ByteBuffer?
            do { buffer = try channel.readOutbound() } catch { fatalError("not bytes: \(error)") }
            guard let buffer else { return }
            let text = String(buffer: buffer)
            require(text.hasPrefix("HTTP/1.1 "), "an answer that is none: \(text)")
            let status = text.dropFirst(9).prefix(3)
            if status != "100" { statuses.append(status) }
        }
    }
}

/// Counts what an intake's budget counts: each request admitted is handled or abandoned, once.
private final class CountingHandler: HTTPHandler {
    struct State {
        var heads = 0
        var admitted = 0
        var abandoned = 0
        /// Bytes of bodies let in and not given back.
        var budget = 0
        var handled: [String] = []
        var held: EventLoopPromise<HTTPResponse>?
        var answersLater = false
    }

    let state = Mutex(State())

    func admit(_ head: HTTPRequestHead, declaredLength: Int?) -> HTTPResponse? {
        state.withLock { state in
            state.heads += 1
            guard !head.uri.hasPrefix("/r") else { return .text(.serviceUnavailable, "refused") }
            state.admitted += 1
            state.budget += BodySteps.first(declaredLength)
            return nil
        }
    }

    func admitMore(_ head: HTTPRequestHead, from before: Int, to after: Int) -> HTTPResponse? {
        require(before < after, "nothing more to let in")
        state.withLock { $0.budget += after - before }
        return nil
    }

    func bodyLimit(for head: HTTPRequestHead) -> Int { longestBody }

    func handle(_ request: HTTPRequest, on eventLoop: any EventLoop) -> EventLoopFuture<HTTPResponse> {
        require(request.body.readableBytes <= longestBody, "a body over the limit")
        let declared = request.headers.first(name: "content-length").flatMap { Int($0) }
        require(declared ?? request.body.readableBytes == request.body.readableBytes, "a cut body")
        require(request.body.readableBytes <= request.admitted, "more than was let in")
        let promise = eventLoop.makePromise(of: HTTPResponse.self)
        let isHeld = state.withLock { state in
            require(state.held == nil, "two requests at once")
            state.budget -= request.admitted
            state.handled.append(
                "\(request.method) \(request.path) \(request.query ?? "") \(request.body.readableBytesView.map { $0 })")
            if state.answersLater { state.held = promise }
            return state.answersLater
        }
        if !isHeld { Self.answer(promise, request.path) }
        return promise.futureResult
    }

    private static func answer(_ promise: EventLoopPromise<HTTPResponse>, _ path: String) {
        promise.succeed(HTTPResponse(status: .ok, headers: ["x-path": path], body: ByteBuffer(string: path)))
    }

    func abandoned(_ head: HTTPRequestHead, admitted: Int) {
        state.withLock { state in
            state.abandoned += 1
            state.budget -= admitted
        }
    }

    /// Answers the request that waits; whether there was one.
    @discardableResult
    func release() -> Bool {
        let held = state.withLock { state in
            defer { state.held = nil }
            return state.held
        }
        held?.succeed(HTTPResponse(status: .ok))
        return held != nil
    }

    func checkBalance(isOpen: Bool) {
        let (admitted, ended, budget) = state.withLock { ($0.admitted, $0.handled.count + $0.abandoned, $0.budget) }
        require(budget >= 0 && (isOpen || budget == 0), "a budget of \(budget) bytes is left")
        require(ended == admitted || (isOpen && ended + 1 == admitted), "\(admitted) admitted, \(ended) ended")
    }
}
