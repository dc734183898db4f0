internal import Glibc
package import NIOCore
internal import NIOPosix

/// An HTTP/1.1 server: keep-alive, pipelining answered in order, chunked bodies, `Expect: 100-continue`, TLS.
package final class HTTPServer: Sendable {
    private let listener: any Channel
    private let connections: ConnectionRegistry
    private let drainTimeout: TimeAmount
    /// The port listened on; never 0.
    package let port: Int

    private init(listener: any Channel, connections: ConnectionRegistry, drainTimeout: TimeAmount, port: Int) {
        self.listener = listener
        self.connections = connections
        self.drainTimeout = drainTimeout
        self.port = port
    }

    /// Listens. The caller owns `group` and shuts it down after `stop`.
    /// - Throws: `HTTPServerError`.
    package static func start(
        _ options: HTTPServerOptions, access: ServerAccess = ServerAccess(), handler: any HTTPHandler,
        group: any EventLoopGroup
    ) async throws(HTTPServerError) -> HTTPServer {
        let connections = ConnectionRegistry(
            limit: options.connectionLimit, limitPerAddress: options.connectionsPerAddressLimit)
        let bootstrap = bootstrap(options, access, handler: handler, group: group, connections: connections)
        let listener: any Channel
        do {
            listener = try await bind(bootstrap, options)
        } catch {
            throw HTTPServerError(reason: reason(of: error), address: options.address, port: options.port)
        }
        return HTTPServer(
            listener: listener, connections: connections, drainTimeout: options.drainTimeout,
            port: listener.localAddress?.port ?? options.port)
    }

    /// Connections open now.
    package var connectionCount: Int { connections.count }

    /// Accepts no more, lets requests in flight finish, closes each connection after its answer. Returns when none is
    /// left or `drainTimeout` has passed; what is left then is cut.
    package func drain() async {
        await closeListener()
        connections.quiesce()
        let timeout = listener.eventLoop.scheduleTask(in: drainTimeout) { [connections] in connections.closeAll() }
        await connections.waitUntilEmpty()
        timeout.cancel()
    }

    /// Closes the listener and every connection at once.
    package func stop() async {
        await closeListener()
        connections.closeAll()
        await connections.waitUntilEmpty()
    }

    private func closeListener() async {
        // A listener that was closed before fails this close: what is asked for holds.
        try? await listener.close().get()
    }

    private static func bootstrap(
        _ options: HTTPServerOptions, _ access: ServerAccess, handler: any HTTPHandler, group: any EventLoopGroup,
        connections: ConnectionRegistry
    ) -> ServerBootstrap {
        let buffers = BodyBuffers()
        return ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 512)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelOption(.autoRead, value: false)
            // What one connection may queue before the others are served: 4 reads of at most 64 KiB.
            .childChannelOption(.maxMessagesPerRead, value: 4)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let hasCertificate = try access.tls?.secure(channel)
                    try channel.pipeline.syncOperations.addHandlers(
                        connectionHandlers(
                            options, access: access, hasCertificate: hasCertificate ?? { false }, handler: handler,
                            connections: connections, buffers: buffers))
                }
            }
    }

    private static func bind(_ bootstrap: ServerBootstrap, _ options: HTTPServerOptions) async throws -> any Channel {
        do {
            return try await bootstrap.bind(host: options.address, port: options.port).get()
        } catch let error as IOError
            where options.address == "::" && [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.errnoCode)
        {
            return try await bootstrap.bind(host: "0.0.0.0", port: options.port).get()
        }
    }

    private static func reason(of error: any Error) -> HTTPServerError.Reason {
        switch (error as? IOError)?.errnoCode {
        case EADDRINUSE: .addressInUse
        case EACCES: .permissionDenied
        case EADDRNOTAVAIL: .addressNotAvailable
        default: .other("\(error)")
        }
    }
}
