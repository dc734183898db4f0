internal import JSON
internal import NIOCore
internal import NIOPosix

/// The control socket of a running service: mode 0600 in the storage path (the directory is 0700).
final class ControlServer: Sendable {
    private static let lineByteLimit = 4096
    typealias Answer = @Sendable (ControlCommand) async -> ControlReply

    private let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    /// A socket left by a killed process is replaced: the directory lock says that nobody lives behind it.
    static func start(
        path: String, group: any EventLoopGroup, answer: @escaping Answer
    ) async throws -> ControlServer {
        let channel = try await ServerBootstrap(group: group)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(LineHandler(limit: lineByteLimit, answer: answer))
                }
            }
            .bind(unixDomainSocketPath: path, cleanupExistingSocketFile: true).get()
        return ControlServer(channel: channel)
    }

    func stop() async {
        // A socket closed twice is closed.
        try? await channel.close().get()
    }

    private final class LineHandler: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        typealias OutboundOut = ByteBuffer

        private let limit: Int
        private let answer: Answer
        private var received = ByteBuffer()

        init(limit: Int, answer: @escaping Answer) {
            self.limit = limit
            self.answer = answer
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            var buffer = unwrapInboundIn(data)
            received.writeBuffer(&buffer)
            guard received.readableBytesView.contains(UInt8(ascii: "\n")) else {
                if received.readableBytes > limit { context.close(promise: nil) }
                return
            }
            let line = Array(received.readableBytesView.prefix { $0 != UInt8(ascii: "\n") })
            received.clear()
            let channel = context.channel
            let answer = answer
            let reply = context.eventLoop.makeFutureWithTask {
                let reply: ControlReply
                do {
                    reply = await answer(try JSONValue(parsing: line).decode(ControlCommand.self))
                } catch {
                    reply = ControlReply(error: "cannot read command: \(error)")
                }
                return Array(try JSONValue(encoding: reply).text().utf8)
            }
            reply.whenComplete { result in
                if case .success(let data) = result {
                    channel.writeAndFlush(ByteBuffer(bytes: data + [UInt8(ascii: "\n")]), promise: nil)
                }
                channel.close(promise: nil)
            }
        }
    }
}
