internal import JSON
internal import NIOCore
internal import NIOPosix

/// Asks a running service over its control socket.
enum ControlClient {
    /// The answer; nil when nobody listens at `path`.
    static func request(path: String, _ command: ControlCommand, timeout: TimeAmount = .seconds(5)) async
        -> ControlReply?
    {
        // A socket of a killed process, or one that went away: the files tell the rest.
        try? await answer(path: path, command, timeout: timeout)
    }

    /// The answer of a service that has the volume.
    /// - Throws: `Silence`.
    static func answer(
        path: String, _ command: ControlCommand, timeout: TimeAmount
    ) async throws(Silence) -> ControlReply {
        do {
            let line = Array((try JSONValue(encoding: command).text() + "\n").utf8)
            let loop = MultiThreadedEventLoopGroup.singleton.any()
            let promise = loop.makePromise(of: [UInt8].self)
            let timer = loop.scheduleTask(in: timeout) { promise.fail(ChannelError.connectTimeout(timeout)) }
            let channel = try await ClientBootstrap(group: loop)
                .channelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture {
                        try channel.pipeline.syncOperations.addHandler(Collector(promise))
                    }
                }
                .connect(unixDomainSocketPath: path).flatMapError { error in
                    promise.fail(error)
                    return loop.makeFailedFuture(error)
                }.get()
            // Also when nobody answers in time.
            promise.futureResult.whenComplete { _ in channel.close(promise: nil) }
            try await channel.writeAndFlush(ByteBuffer(bytes: line)).get()
            let bytes = try await promise.futureResult.get()
            timer.cancel()
            return try JSONValue(parsing: bytes).decode(ControlReply.self)
        } catch {
            throw Silence(path: path, reason: WriteConnection.reason(error))
        }
    }

    /// Why a socket gave no answer.
    struct Silence: Error, CustomStringConvertible {
        let path: String
        let reason: String

        var description: String { "cannot ask through \(path): \(reason)" }
    }

    /// Gathers the answer until the service closes.
    private final class Collector: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer

        private let promise: EventLoopPromise<[UInt8]>
        private var bytes: [UInt8] = []

        init(_ promise: EventLoopPromise<[UInt8]>) { self.promise = promise }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            bytes += unwrapInboundIn(data).readableBytesView
        }

        func channelInactive(context: ChannelHandlerContext) { promise.succeed(bytes) }

        func errorCaught(context: ChannelHandlerContext, error: any Error) { promise.fail(error) }
    }
}
