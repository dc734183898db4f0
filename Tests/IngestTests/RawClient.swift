import NIOCore
import NIOPosix
import Synchronization

/// One answer as it came: names in lower case.
struct RawResponse: Equatable, Sendable {
    var status: Int
    var headers: [String: String]
    var body: String
}

/// A client that sends exactly the bytes it is given and reads answers one by one.
final class RawClient: Sendable {
    struct ConnectionClosed: Error {}

    private let channel: any Channel
    private let inbox: Inbox

    /// `greeting` leaves on the event loop as soon as there is a connection: however long the test waits for its turn,
    /// the server's timeouts do not see it.
    init(port: Int, group: any EventLoopGroup, greeting: String = "") async throws {
        let inbox = Inbox()
        self.inbox = inbox
        channel = try await ClientBootstrap(group: group)
            .channelInitializer { $0.pipeline.addHandler(InboxHandler(inbox, greeting: greeting)) }
            .connect(host: "127.0.0.1", port: port).get()
    }

    func send(_ text: String) async throws { try await send([UInt8](text.utf8)) }

    func send(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes)).get()
    }

    /// The next answer; `100 Continue` counts as one. `hasBody` is false after HEAD.
    func response(hasBody: Bool = true) async throws -> RawResponse {
        while true {
            let (bytes, isClosed) = inbox.contents
            if let (response, length) = Self.parse(bytes, hasBody: hasBody) {
                inbox.drop(length)
                return response
            }
            if isClosed { throw ConnectionClosed() }
            await inbox.wait(past: bytes.count)
        }
    }

    /// Returns when the server has closed, with what was not read as an answer.
    func closed() async -> String {
        while true {
            let (bytes, isClosed) = inbox.contents
            if isClosed { return String(decoding: bytes, as: UTF8.self) }
            await inbox.wait(past: bytes.count)
        }
    }

    func close() async {
        // Fails when the server was first.
        try? await channel.close().get()
    }

    private static func parse(_ bytes: [UInt8], hasBody: Bool) -> (RawResponse, Int)? {
        let end = [UInt8]("\r\n\r\n".utf8)
        guard let headEnd = bytes.indices.first(where: { bytes[$0...].starts(with: end) }) else { return nil }
        let lines = String(decoding: bytes[..<headEnd], as: UTF8.self).split(separator: "\r\n")
        var response = RawResponse(status: Int(lines[0].split(separator: " ")[1]) ?? 0, headers: [:], body: "")
        for line in lines.dropFirst() {
            let parts = line.split(separator: ":", maxSplits: 1)
            response.headers[parts[0].lowercased()] = String(parts[1].drop { $0 == " " })
        }
        let length = hasBody ? response.headers["content-length"].flatMap { Int($0) } ?? 0 : 0
        let total = headEnd + 4 + length
        guard bytes.count >= total else { return nil }
        response.body = String(decoding: bytes[(headEnd + 4)..<total], as: UTF8.self)
        return (response, total)
    }
}

private final class Inbox: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isClosed = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())

    var contents: ([UInt8], isClosed: Bool) { state.withLock { ($0.bytes, $0.isClosed) } }

    func drop(_ count: Int) { state.withLock { $0.bytes.removeFirst(count) } }

    func change(_ bytes: [UInt8], isClosed: Bool) {
        let waiters = state.withLock { state in
            state.bytes += bytes
            state.isClosed = state.isClosed || isClosed
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    func wait(past count: Int) async {
        await withCheckedContinuation { waiter in
            let isDone = state.withLock { state in
                let isDone = state.isClosed || state.bytes.count > count
                if !isDone { state.waiters.append(waiter) }
                return isDone
            }
            if isDone { waiter.resume() }
        }
    }
}

private final class InboxHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = ByteBuffer
    private let inbox: Inbox
    private let greeting: String

    init(_ inbox: Inbox, greeting: String) {
        self.inbox = inbox
        self.greeting = greeting
    }

    func channelActive(context: ChannelHandlerContext) {
        if !greeting.isEmpty { context.writeAndFlush(NIOAny(ByteBuffer(string: greeting)), promise: nil) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        inbox.change(Array(unwrapInboundIn(data).readableBytesView), isClosed: false)
    }

    func channelInactive(context: ChannelHandlerContext) { inbox.change([], isClosed: true) }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }
}
