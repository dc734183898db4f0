package import NIOCore
package import NIOHTTP1

/// Where a server listens, and what it allows a connection.
package struct HTTPServerOptions: Sendable {
    /// An IP address or host name; `::` takes IPv4 too, and falls back to `0.0.0.0` where the kernel has no IPv6.
    package var address: String
    /// 0 takes any free port.
    package var port: Int
    /// Connections open at once; one more is answered 503 and closed.
    package var connectionLimit: Int
    /// Of one client address; as above.
    package var connectionsPerAddressLimit: Int
    /// Bytes of a request's line and headers.
    package var headerByteLimit: Int
    /// From accept to the end of the first request's head.
    package var headerTimeout: TimeAmount
    /// From an answer to the end of the next request's head, and for a client that does not read its answers.
    package var idleTimeout: TimeAmount
    /// Bytes a second a body must bring, in each `headerTimeout`; 0 any.
    package var bodyRateMinimum: Int
    /// Bytes of a refused body that are read and dropped to keep the connection; past them it is closed.
    package var discardByteLimit: Int
    /// Every so many requests a connection is closed, so that senders meet new replicas. 0 never.
    package var reconnectFrequency: Int
    /// How long `drain` waits for requests in flight.
    package var drainTimeout: TimeAmount
    /// Told of every answer, on its event loop.
    package var onAnswer: @Sendable (HTTPExchange) -> Void = { _ in }

    package init(
        address: String = "::", port: Int, connectionLimit: Int = 1024, connectionsPerAddressLimit: Int = 256,
        headerByteLimit: Int = 64 * 1024, headerTimeout: TimeAmount = .seconds(10),
        idleTimeout: TimeAmount = .seconds(60), bodyRateMinimum: Int = 4096, discardByteLimit: Int = 16 * 1024 * 1024,
        reconnectFrequency: Int = 0, drainTimeout: TimeAmount = .seconds(30)
    ) {
        self.address = address
        self.port = port
        self.connectionLimit = connectionLimit
        self.connectionsPerAddressLimit = connectionsPerAddressLimit
        self.headerByteLimit = headerByteLimit
        self.headerTimeout = headerTimeout
        self.idleTimeout = idleTimeout
        self.bodyRateMinimum = bodyRateMinimum
        self.discardByteLimit = discardByteLimit
        self.reconnectFrequency = reconnectFrequency
        self.drainTimeout = drainTimeout
    }
}

/// One answer, for metrics.
package struct HTTPExchange: Sendable {
    /// nil when no request could be read.
    package let method: HTTPMethod?
    package let status: HTTPResponseStatus
    /// From the request's head to its answer.
    package let duration: TimeAmount
}
