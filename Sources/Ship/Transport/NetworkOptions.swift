internal import Bytes

/// How the outside is reached (`http.*`).
package struct NetworkOptions: Sendable {
    /// URL of a proxy, perhaps with user and password: never printed. Nil: the environment's.
    package var proxy: String?
    /// Hosts, domains and address ranges that go around it.
    package var noProxy: [String]
    /// A file of authorities in PEM form, or a directory of such files, trusted besides the system's.
    package var authoritiesPath: String?
    package var clientCertificatePath: String?
    package var clientKeyPath: String?
    /// Of all uploads together; nil is unlimited.
    package var uploadBytesPerSecond: Int?
    /// HTTP_PROXY, which libcurl reads in lower case only, since a server's CGI may have got it from a request.
    package var environmentProxy: String?
    /// Whether libcurl finds a proxy of its own there.
    package var environmentNamesProxy: Bool

    package init(
        proxy: String? = nil, noProxy: [String] = [], authoritiesPath: String? = nil,
        clientCertificatePath: String? = nil, clientKeyPath: String? = nil, uploadBytesPerSecond: Int? = nil,
        environmentProxy: String? = nil, environmentNamesProxy: Bool = false
    ) {
        self.proxy = proxy
        self.noProxy = noProxy
        self.authoritiesPath = authoritiesPath
        self.clientCertificatePath = clientCertificatePath
        self.clientKeyPath = clientKeyPath
        self.uploadBytesPerSecond = uploadBytesPerSecond
        self.environmentProxy = environmentProxy
        self.environmentNamesProxy = environmentNamesProxy
    }

    /// Whether a proxy may stand between us and anybody.
    var usesProxy: Bool { proxy != nil || environmentProxy != nil || environmentNamesProxy }

    /// The proxy may carry a password, which libcurl may quote.
    func scrubbed(_ text: String) -> String {
        guard let proxy, let at = proxy.lastIndex(of: "@"), let start = proxy.firstRange(of: "://") else { return text }
        return text.replacing(proxy[start.upperBound..<at], with: "…")
    }
}
