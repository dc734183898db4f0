internal import NIOCore
internal import NIOHTTP1

/// One connection: reads requests one at a time, answers them in order.
///
/// A pipelined request waits in `queue` as decoded parts; while any waits nothing more is read, so the queue holds at
/// most one burst of reads, and `queueLimit` bounds what tiny requests could make of it.
final class HTTPConnection: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = ByteBuffer

    private enum Inbound {
        case part(HTTPServerRequestPart)
        case malformed(HTTPResponse)
    }

    private struct Current {
        var head: HTTPRequestHead
        var framing: RequestFraming
        var bodyLimit: Int
        /// Bytes of the body that the handler has let in.
        var admitted = 0
    }

    private static let queueLimit = 1024
    /// What is taken for a body at first, whatever its declared length.
    private static let capacityLimit = 1 << 20
    /// How long the client may take to read the last answer while its unread body is dropped.
    private static let lingerTimeout = TimeAmount.seconds(2)

    private let options: HTTPServerOptions
    private let access: ServerAccess
    /// Whether the client has shown a certificate that holds.
    private let hasCertificate: () -> Bool
    private let handler: any HTTPHandler
    private let connections: ConnectionRegistry
    private let buffers: BodyBuffers
    private var remoteAddress: String?

    private var state = ConnectionState.waiting
    private var stateSince = NIODeadline.now()
    private var current: Current?
    private var body = ByteBuffer()
    /// `body` is of `buffers`, not a slice of what one read brought.
    private var isBodyGathered = false
    private var bytesReceived = 0
    private var pace: BodyPace
    private var queue = CircularBuffer<Inbound>()
    private var isPumping = false
    private var isQuiescing = false
    private var requestCount = 0
    /// When the head of the request in work was read.
    private var requestSince = NIODeadline.now()
    private var timer: Scheduled<Void>?

    init(
        options: HTTPServerOptions, access: ServerAccess, hasCertificate: @escaping () -> Bool,
        handler: any HTTPHandler, connections: ConnectionRegistry, buffers: BodyBuffers
    ) {
        self.options = options
        pace = BodyPace(options)
        self.access = access
        self.hasCertificate = hasCertificate
        self.handler = handler
        self.connections = connections
        self.buffers = buffers
    }

    // MARK: Channel events

    func channelActive(context: ChannelHandlerContext) {
        remoteAddress = context.remoteAddress?.ipAddress
        move(to: .waiting)
        scheduleTimer(context)
        switch connections.add(context.channel, from: remoteAddress) {
        case .accepted: context.read()
        case .cut: close(context)
        case .refused(let reason):
            access.onRefusal(reason)
            let limit =
                reason == .address
                ? "limits.connections_per_address is \(connections.limitPerAddress)"
                : "limits.connections is \(connections.limit)"
            var response = HTTPResponse.text(
                .serviceUnavailable, "cannot accept connection: \(limit), or shutting down; try later")
            response.headers.add(name: "retry-after", value: "\(Int.random(in: 1...5))")
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
        if ServerTLS.isHandshakeFailure(error) { access.onRefusal(.handshake) }
        switch error as? HTTPParserError {
        case nil: context.close(promise: nil)
        case .headerOverflow:
            let text = "cannot read request: its headers are over limits.header_bytes, \(options.headerByteLimit) bytes"
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
        requestSince = .now()
        bytesReceived = 0
        pace.start()
        var request = Current(head: head, framing: framing, bodyLimit: 0)
        if framing.isMalformed {
            return refuseMalformed(
                .text(.badRequest, "cannot read request: bad content-length or transfer-encoding"), context)
        }
        if let refusal = access.control?.refusal(
            head, declaredLength: framing.declaredLength, hasCertificate: hasCertificate)
        {
            access.onRefusal(.auth)
            return refuse(request, refusal, context)
        }
        if let refusal = handler.admit(head, declaredLength: framing.declaredLength) {
            return refuse(request, refusal, context)
        }
        request.bodyLimit = handler.bodyLimit(for: head)
        request.admitted = BodySteps.first(framing.declaredLength)
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
            if bytesReceived > current.admitted, let refusal = admitMore(current) {
                abandonCurrent()
                return refuse(current, refusal, context)
            }
            append(bytes, declared: current.framing.declaredLength, context)
        case .discarding(let remaining):
            guard bytes.readableBytes <= remaining else { return close(context) }
            // Not a new state: its clock runs on.
            state = .discarding(remaining: remaining - bytes.readableBytes)
        default: break
        }
    }

    private func admitMore(_ request: Current) -> HTTPResponse? {
        let next = BodySteps.next(bytesReceived, request.framing.declaredLength)
        if let refusal = handler.admitMore(request.head, from: request.admitted, to: next) { return refusal }
        current?.admitted = next
        return nil
    }

    /// A body that came in one read is used where it is; any other is gathered in one buffer of its declared length.
    private func append(_ bytes: ByteBuffer, declared: Int?, _ context: ChannelHandlerContext) {
        if body.readableBytes == 0 {
            if bytes.readableBytes == declared {
                body = bytes
                return
            }
            let capacity = min(declared ?? bytes.readableBytes, Self.capacityLimit)
            body = buffers.take(capacity: capacity, context.channel.allocator)
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
            admitted: request.admitted, remoteAddress: remoteAddress)
        current = nil
        move(to: .responding)
        let answer = handler.handle(whole, on: context.eventLoop)
        answer.hop(to: context.eventLoop).assumeIsolated().whenComplete { result in
            // Not before: while the handler holds the body, its storage cannot be the next one's.
            self.dropBody()
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
        report(response, to: request.head)
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
        report(response, to: head)
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

    private func report(_ response: HTTPResponse, to head: HTTPRequestHead?) {
        let duration = head == nil ? .zero : NIODeadline.now() - requestSince
        options.onAnswer(HTTPExchange(method: head?.method, status: response.status, duration: duration))
    }

    private func close(_ context: ChannelHandlerContext) {
        abandonCurrent()
        queue.removeAll()
        move(to: .closing(isAnswered: true))
        // Over TLS the close waits for the client's word, which somebody must read.
        context.read()
        context.close(promise: nil)
    }

    private func abandonCurrent() {
        guard let request = current else { return }
        current = nil
        dropBody()
        handler.abandoned(request.head, admitted: request.admitted)
    }

    private func dropBody() {
        var dropped = ByteBuffer()
        swap(&dropped, &body)
        if isBodyGathered { buffers.give(dropped) }
        isBodyGathered = false
    }

    // MARK: Reading and time

    private func move(to next: ConnectionState) {
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
            max(stateSince, pace.since) + options.headerTimeout
        case .responding: .distantFuture
        case .closing(isAnswered: true): stateSince + Self.lingerTimeout
        // One that is refused before its first request may still be in its handshake.
        case .closing(isAnswered: false):
            stateSince + (requestCount == 0 ? options.headerTimeout : options.idleTimeout)
        }
    }

    private func scheduleTimer(_ context: ChannelHandlerContext) {
        let interval = min(options.headerTimeout, options.idleTimeout, Self.lingerTimeout * 2)
        let delay = TimeAmount.nanoseconds(max(interval.nanoseconds / 2, 10_000_000))
        timer = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { self.checkDeadline(context) }
    }

    private func checkDeadline(_ context: ChannelHandlerContext) {
        pace.check(bytesReceived)
        guard NIODeadline.now() >= deadline else { return scheduleTimer(context) }
        if case .reading = state {
            abandonCurrent()
            let text =
                "cannot read request body: slower than limits.body_rate, \(options.bodyRateMinimum) bytes a second"
            sendLast(.text(.requestTimeout, text), bodyUnread: true, context)
            scheduleTimer(context)
        } else {
            close(context)
        }
    }
}
