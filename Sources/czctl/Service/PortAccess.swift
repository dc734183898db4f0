internal import Configuration
internal import HTTPServer
internal import Logging
internal import Metrics

/// Who may use the ports of this process: TLS and credentials from files, kept up to date.
final class PortAccess: Sendable {
    /// Between two looks at the files.
    static let checkInterval = Duration.seconds(10)

    let server: ServerAccess
    private let watches: [FileWatch]

    /// - Parameter countRefusal: of a request without the right credentials.
    /// - Throws: `CommandFailure`: a file that cannot be used stops the start.
    init(_ settings: Settings, _ registry: MetricsRegistry, _ logger: Logger, refusedRequests: Counter) throws {
        var watches: [FileWatch] = []
        var server = ServerAccess(onRefusal: Self.counting(registry, refusedRequests))
        if let material = try AccessFiles.material(settings.tls) {
            let tls: ServerTLS
            do throws(TLSError) { tls = try ServerTLS(material) } catch {
                throw CommandFailure(.usage, "\(error)", because: error)
            }
            server.tls = tls
            registry.gauge(
                "cirrus_tls_certificate_not_after_timestamp_seconds", "When the certificate in use ends."
            ) { Double(tls.notAfter) }
            let paths = [settings.tls.certificatePath, settings.tls.keyPath, settings.tls.clientCAPath]
            watches.append(
                try FileWatch(
                    "TLS certificate and key", paths.compactMap { $0 },
                    isGood: registry.gauge(
                        "cirrus_tls_last_reload_successful", "1 while the files of tls.* hold what is in use."),
                    logger: logger,
                    use: {
                        guard let material = try AccessFiles.material(settings.tls) else { return }
                        try tls.replace(with: material)
                    }))
        }
        let paths = [settings.auth.bearerPath, settings.auth.basicPath].compactMap { $0 }
        let asksCertificate = settings.tls.clientCAPath != nil
        if !paths.isEmpty || asksCertificate {
            let control = AccessControl(
                try AccessFiles.credentials(settings.auth), requiresCertificate: asksCertificate,
                openPaths: OperatorRoutes.probes)
            server.control = control
            if !paths.isEmpty {
                watches.append(
                    try FileWatch(
                        "credentials", paths,
                        isGood: registry.gauge(
                            "cirrus_auth_last_reload_successful", "1 while the files of auth.* hold what is in use."),
                        logger: logger, use: { control.replace(with: try AccessFiles.credentials(settings.auth)) }))
            }
        }
        self.server = server
        self.watches = watches
    }

    private static func counting(
        _ registry: MetricsRegistry, _ requests: Counter
    ) -> @Sendable (AccessRefusal) -> Void {
        var counters: [AccessRefusal: Counter] = [.auth: requests]
        for refusal in AccessRefusal.allCases where refusal != .auth {
            counters[refusal] = registry.counter(
                "cirrus_connections_refused_total", "Connections refused before a request.",
                ["reason": refusal.rawValue])
        }
        return { [counters] refusal in counters[refusal]?.add() }
    }

    /// Uses files that have changed; blocks.
    /// - Parameter anyway: also those that look the same.
    /// - Returns: what cannot be used.
    @discardableResult func check(anyway: Bool) -> [String] {
        watches.compactMap { $0.check(anyway: anyway) }
    }
}
