internal import NIOCore
internal import NIOHTTP1

/// One connection: reads requests one at a time, answers them in order.
///
/// A pipelined request waits in `queue` as decoded parts; while any waits nothing more is read, so the queue holds at
/// most one burst of reads, and `queueLimit` bounds what tiny requests could make of it.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private enum State {
        /// Between requests.
        case waiting
        /// A head was admitted; its body arrives.
        case reading
        /// The handler works; what arrives is queued.
        case responding
        /// The answer is sent; the rest of the body is dropped, `remaining` bytes of it at most.
        case discarding(remaining: Int)
        /// The last answer is on its way, or out: what arrives is dropped until the channel closes.
        case closing(isAnswered: Bool)
    }

    private enum Inbound {
        case part(HTTPServerRequestPart)
        case malformed(HTTPResponse)
    }

    private struct Current {
        var head: HTTPRequestHead
        var framing: RequestFraming
        var bodyLimit: Int
    }

    private static let queueLimit = 1024
    /// How long the client may take to read the last answer while its unread body is dropped.
    private static let lingerTimeout = TimeAmount.seconds(2)

    private let options: HTTPServerOptions
    private let handler: any HTTPHandler
    private let connections: ConnectionRegistry
    private let buffers: BodyBuffers
    private var remoteAddress: String?

    private var state = State.waiting
    private var stateSince = NIODeadline.now()
    private var current: Current?
    private var body = ByteBuffer()
    /// `body` is of `buffers`, not a slice of what one read brought.
    private var isBodyGathered = false
    private var bytesReceived = 0
    private var queue = CircularBuffer<Inbound>()
    private var isPumping = false
    private var isQuiescing = false
    private var requestCount = 0
    private var timer: Scheduled<Void>?

    init(
        options: HTTPServerOptions, handler: any HTTPHandler, connections: ConnectionRegistry, buffers: BodyBuffers
    ) {
        self.options = options
        self.handler = handler
        self.connections = connections
        self.buffers = buffers
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        remoteAddress = context.remoteAddress?.ipAddress
        move(to: .waiting)
        scheduleTimer(context)
        if connections.add(context.channel) {
            context.read()
        } else {
            var response = HTTPResponse.text(.serviceUnavailable, "too many connections; try again later")
            response.headers.add(name: "retry-after", value: "5")
            sendLast(response, bodyUnread: true, context)
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
        abandonCurrent()
        queue.removeAll()
        move(to: .closing(isAnswered: true))
        connections.remove(context.channel)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        receive(.part(unwrapInboundIn(data)), context)
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        readIfWanted(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        pump(context)
        readIfWanted(context)
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is ChannelShouldQuiesceEvent else { return context.fireUserInboundEventTriggered(event) }
        isQuiescing = true
        if case .waiting = state, queue.isEmpty { close(context) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error as? HTTPParserError {
        case nil: context.close(promise: nil)
        case .headerOverflow:
            let text = "cannot read request: its headers are over the limit of \(options.headerByteLimit) bytes"
            receive(.malformed(.text(.requestHeaderFieldsTooLarge, text)), context)
        case .some(let error): receive(.malformed(.text(.badRequest, "cannot read request: \(error)")), context)
        }
    }

    // MARK: Requests

    private func receive(_ inbound: Inbound, _ context: ChannelHandlerContext) {
        if case .closing = state { return }
        guard queue.count < Self.queueLimit else { return close(context) }
        queue.append(inbound)
        pump(context)
    }

    /// Takes parts until the handler works, the client does not read its answers, or none is left.
    private func pump(_ context: ChannelHandlerContext) {
        // An answer that is ready at once comes back here: the outer loop goes on, the stack does not grow.
        if isPumping { return }
        isPumping = true
        defer { isPumping = false }
        while !isBlocked(context), let inbound = queue.popFirst() {
            switch inbound {
            case .part(.head(let head)): begin(head, context)
            case .part(.body(let bytes)): take(bytes, context)
            case .part(.end): end(context)
            case .malformed(let response): refuseMalformed(response, context)
            }
        }
    }

    private func isBlocked(_ context: ChannelHandlerContext) -> Bool {
        switch state {
        case .responding: true
        case .waiting: !context.channel.isWritable
        default: false
        }
    }

    private func begin(_ head: HTTPRequestHead, _ context: ChannelHandlerContext) {
        guard case .waiting = state else { return }
        let framing = RequestFraming(head)
        requestCount &+= 1
        bytesReceived = 0
        var request = Current(head: head, framing: framing, bodyLimit: 0)
        if framing.isMalformed {
            return refuseMalformed(
                .text(.badRequest, "cannot read request: bad content-length or transfer-encoding"), context)
        }
        if let refusal = handler.admit(head, declaredLength: framing.declaredLength) {
            return refuse(request, refusal, context)
        }
        request.bodyLimit = handler.bodyLimit(for: head)
        current = request
        move(to: .reading)
        if let length = framing.declaredLength, length > request.bodyLimit { return refuseOversize(request, context) }
        if framing.expectsContinue {
            context.writeAndFlush(
                wrapOutboundOut(ByteBuffer(staticString: "HTTP/1.1 100 Continue\r\n\r\n")), promise: nil)
        }
    }

    private func take(_ bytes: ByteBuffer, _ context: ChannelHandlerContext) {
        bytesReceived += bytes.readableBytes
        switch state {
        case .reading:
            guard let current else { return }
            if bytesReceived > current.bodyLimit { return refuseOversize(current, context) }
            append(bytes, declared: current.framing.declaredLength, context)
        case .discarding(let remaining):
            guard bytes.readableBytes <= remaining else { return close(context) }
            // Not a new state: its clock runs on.
            state = .discarding(remaining: remaining - bytes.readableBytes)
        default: break
        }
    }

    /// A body that came in one read is used where it is; any other is gathered in one buffer of its declared length.
    private func append(_ bytes: ByteBuffer, declared: Int?, _ context: ChannelHandlerContext) {
        if body.readableBytes == 0 {
            if bytes.readableBytes == declared {
                body = bytes
                return
            }
            body = buffers.take(capacity: declared ?? bytes.readableBytes, context.channel.allocator)
            isBodyGathered = true
        }
        body.writeImmutableBuffer(bytes)
    }

    private func end(_ context: ChannelHandlerContext) {
        switch state {
        case .reading:
            guard let current else { return }
            answer(current, context)
        case .discarding:
            move(to: .waiting)
            if isQuiescing { close(context) }
        default: break
        }
    }

    private func answer(_ request: Current, _ context: ChannelHandlerContext) {
        let (path, query) = HTTPRequest.split(target: request.head.uri)
        let whole = HTTPRequest(
            method: request.head.method, path: path, query: query, headers: request.head.headers, body: body,
            declaredLength: request.framing.declaredLength, remoteAddress: remoteAddress)
        current = nil
        move(to: .responding)
        let answer = handler.handle(whole, on: context.eventLoop)
        dropBody()
        answer.hop(to: context.eventLoop).assumeIsolated().whenComplete { result in
            // Left while the handler worked: there is nobody to answer.
            guard case .responding = self.state else { return }
            let response =
                switch result {
                case .success(let response): response
                case .failure: HTTPResponse.text(.internalServerError, "internal error; see the server's log")
                }
            self.send(response, to: request, bodyUnread: false, context)
        }
    }

    // MARK: Answers

    private func refuse(_ request: Current, _ response: HTTPResponse, _ context: ChannelHandlerContext) {
        send(response, to: request, bodyUnread: true, context)
    }

    private func refuseOversize(_ request: Current, _ context: ChannelHandlerContext) {
        abandonCurrent()
        refuse(request, handler.oversize(limit: request.bodyLimit), context)
    }

    private func refuseMalformed(_ response: HTTPResponse, _ context: ChannelHandlerContext) {
        // A body cut by bytes that are no HTTP, after its answer was sent: no second answer.
        if case .discarding = state { return close(context) }
        abandonCurrent()
        sendLast(response, bodyUnread: true, context)
    }

    private func send(
        _ response: HTTPResponse, to request: Current, bodyUnread: Bool, _ context: ChannelHandlerContext
    ) {
        let unread = request.framing.declaredLength.map { $0 - bytesReceived } ?? 0
        let canSkip = !bodyUnread || (unread <= options.discardByteLimit && !request.framing.expectsContinue)
        let mustReconnect = options.reconnectFrequency > 0 && requestCount % options.reconnectFrequency == 0
        guard request.framing.allowsNext, canSkip, !response.closesConnection, !response.hangsUp, !mustReconnect,
            !isQuiescing
        else { return sendLast(response, to: request.head, bodyUnread: bodyUnread, context) }
        let bytes = response.encoded(to: request.head, keepsOpen: true, allocator: context.channel.allocator)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: nil)
        move(to: bodyUnread ? .discarding(remaining: options.discardByteLimit) : .waiting)
        pump(context)
        readIfWanted(context)
    }

    /// Sends an answer and closes. A body still unread is dropped for a moment first: closing on unread bytes makes the
    /// kernel reset the connection, and the client may lose the answer.
    private func sendLast(
        _ response: HTTPResponse, to head: HTTPRequestHead? = nil, bodyUnread: Bool, _ context: ChannelHandlerContext
    ) {
        if response.hangsUp { return close(context) }
        queue.removeAll()
        move(to: .closing(isAnswered: false))
        let bytes = response.encoded(to: head, keepsOpen: false, allocator: context.channel.allocator)
        let written = context.eventLoop.makePromise(of: Void.self)
        context.writeAndFlush(wrapOutboundOut(bytes), promise: written)
        written.futureResult.assumeIsolated().whenComplete { _ in
            self.move(to: .closing(isAnswered: true))
            context.close(mode: bodyUnread ? .output : .all, promise: nil)
        }
        readIfWanted(context)
    }

    private func close(_ context: ChannelHandlerContext) {
        abandonCurrent()
        queue.removeAll()
        move(to: .closing(isAnswered: true))
        context.close(promise: nil)
    }

    private func abandonCurrent() {
        guard let request = current else { return }
        current = nil
        dropBody()
        handler.abandoned(request.head, declaredLength: request.framing.declaredLength)
    }

    private func dropBody() {
        var dropped = ByteBuffer()
        swap(&dropped, &body)
        if isBodyGathered { buffers.give(dropped) }
        isBodyGathered = false
    }

    // MARK: Reading and time

    private func move(to next: State) {
        state = next
        stateSince = .now()
    }

    /// Also while the handler works, which shows a client that left, and saves two `epoll_ctl` a request.
    private func readIfWanted(_ context: ChannelHandlerContext) {
        if queue.isEmpty { context.read() }
    }

    private var deadline: NIODeadline {
        switch state {
        case .waiting: stateSince + (requestCount == 0 ? options.headerTimeout : options.idleTimeout)
        case .reading, .discarding:
            stateSince + options.headerTimeout + .milliseconds(Int64(bytesReceived * 1000 / options.bodyRateMinimum))
        case .responding: .distantFuture
        case .closing(let isAnswered): stateSince + (isAnswered ? Self.lingerTimeout : options.idleTimeout)
        }
    }

    private func scheduleTimer(_ context: ChannelHandlerContext) {
        let interval = min(options.headerTimeout, options.idleTimeout, Self.lingerTimeout * 2)
        let delay = TimeAmount.nanoseconds(max(interval.nanoseconds / 2, 10_000_000))
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.checkDeadline(context) }
    }

    private func checkDeadline(_ context: ChannelHandlerContext) {
        guard NIODeadline.now() >= deadline else { return scheduleTimer(context) }
        if case .reading = state {
            abandonCurrent()
            sendLast(.text(.requestTimeout, "cannot read request body: it comes too slowly"), bodyUnread: true, context)
            scheduleTimer(context)
        } else {
            close(context)
        }
    }
}
