internal import Bytes
internal import Configuration
internal import NIOCore
internal import NIOPosix

/// A host and a port.
struct NetworkPlace: Equatable, Sendable {
    let host: String
    let port: Int

    /// - Parameter authority: `host`, `host:port`, `[::1]:port`.
    init(_ authority: String, defaultPort: Int) {
        var host = authority[...]
        var port = defaultPort
        if let colon = authority.lastIndex(of: ":"), !authority[colon...].contains("]"),
            authority.hasPrefix("[") || authority.firstIndex(of: ":") == colon,
            let number = Int(authority[authority.index(after: colon)...])
        {
            (host, port) = (authority[..<colon], number)
        }
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        self.host = String(host)
        self.port = port
    }

    /// Connects, and closes at once.
    /// - Returns: why not, or nil.
    func connectError(_ timeout: Duration) async -> String? {
        guard (1...65_535).contains(port) else { return "\(port) is no port" }
        do {
            let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .connectTimeout(TimeAmount(timeout)).connect(host: host, port: port).get()
            channel.close(promise: nil)
            return nil
        } catch let error as NIOConnectionError where error.connectionErrors.isEmpty {
            return "nobody knows the name \(host) (DNS)"
        } catch {
            return WriteConnection.reason(error)
        }
    }
}

/// The proxy that libcurl takes for a URL, by the configuration or by the environment.
struct ProxyChoice: Equatable, Sendable {
    /// `host[:port]`.
    let authority: String
    /// Without user and password.
    let shown: String
    /// What names it.
    let origin: String

    static func of(
        _ settings: HTTPClientSettings, scheme: String, host: String,
        environment: [String: String] = ProcessEnvironment.variables
    ) -> ProxyChoice? {
        func variable(_ names: String...) -> (value: String, name: String)? {
            names.lazy.compactMap { name in environment[name].flatMap { $0.isEmpty ? nil : ($0, name) } }.first
        }
        let named =
            settings.proxy.map { ($0, "http.proxy") } ?? variable("\(scheme)_proxy", "\(scheme.uppercased())_PROXY")
            ?? variable("all_proxy", "ALL_PROXY")
        guard let (url, origin) = named else { return nil }
        let listed = variable("no_proxy", "NO_PROXY")?.value ?? ""
        let around =
            settings.noProxy.isEmpty
            ? listed.split(whereSeparator: { $0 == "," || $0 == " " }).map(String.init) : settings.noProxy
        guard !around.contains(where: { goesAround($0, host) }) else { return nil }
        let mark = url.firstRange(of: "://")
        let kind = mark.map { String(url[..<$0.lowerBound]) } ?? "http"
        let rest = url[(mark?.upperBound ?? url.startIndex)...].prefix { $0 != "/" }
        let authority = String(rest.lastIndex(of: "@").map { rest[rest.index(after: $0)...] } ?? rest)
        return ProxyChoice(authority: authority, shown: "\(kind)://\(authority)", origin: origin)
    }

    /// `*`, the host itself, or a domain above it. Ranges of addresses are left to libcurl.
    private static func goesAround(_ rule: String, _ host: String) -> Bool {
        let domain = rule.hasPrefix(".") ? String(rule.dropFirst()) : rule
        return rule == "*" || host == domain || host.hasSuffix("." + domain)
    }
}
