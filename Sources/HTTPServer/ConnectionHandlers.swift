package import NIOCore
internal import NIOHTTP1

extension HTTPServer {
    /// The handlers of a connection that no server accepted, in their order: for a channel without a socket.
    package static func connectionHandlers(
        _ options: HTTPServerOptions, handler: any HTTPHandler
    ) -> [any ChannelHandler] {
        connectionHandlers(
            options, access: ServerAccess(), hasCertificate: { false }, handler: handler,
            connections: ConnectionRegistry(limit: 1, limitPerAddress: 1), buffers: BodyBuffers())
    }

    static func connectionHandlers(
        _ options: HTTPServerOptions, access: ServerAccess, hasCertificate: @escaping () -> Bool,
        handler: any HTTPHandler, connections: ConnectionRegistry, buffers: BodyBuffers
    ) -> [any ChannelHandler] {
        var limits = NIOHTTPDecoderLimitConfiguration()
        limits.maxHeaderFieldSize = options.headerByteLimit
        limits.maxHeaderListSize = options.headerByteLimit
        return [
            ByteToMessageHandler(HTTPRequestDecoder(limitConfiguration: limits)),
            HTTPConnection(
                options: options, access: access, hasCertificate: hasCertificate, handler: handler,
                connections: connections, buffers: buffers),
        ]
    }
}
