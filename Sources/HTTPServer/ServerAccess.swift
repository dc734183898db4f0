/// Who may use a server; everyone, when nothing is set.
package struct ServerAccess: Sendable {
    package var tls: ServerTLS?
    package var control: AccessControl?
    /// Counts what is refused before the handler sees it. On the connection's event loop.
    package var onRefusal: @Sendable (AccessRefusal) -> Void

    package init(
        tls: ServerTLS? = nil, control: AccessControl? = nil,
        onRefusal: @escaping @Sendable (AccessRefusal) -> Void = { _ in }
    ) {
        self.tls = tls
        self.control = control
        self.onRefusal = onRefusal
    }
}

/// Why someone did not get as far as the handler.
package enum AccessRefusal: String, CaseIterable, Sendable {
    /// A request without the right credentials or certificate.
    case auth
    /// A connection over `connectionLimit`.
    case connections
    /// A connection over `connectionsPerAddressLimit`.
    case address
    /// A connection whose TLS handshake failed: no common version, or a client certificate that is not accepted.
    case handshake
}
