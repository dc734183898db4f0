internal import Bytes
internal import Configuration
internal import DiskIO
internal import Glibc
internal import Ship

extension Doctor {
    mutating func checkDestinations(_ settings: Settings) async {
        let kinds = Set(settings.destinations.map(\.kind))
        for destination in settings.destinations {
            switch destination.kind {
            case .directory: checkDirectory(destination)
            case .cloudzero:
                if wants(.proxy, .api, .clock, .key) { await checkUploadAPI(settings) }
            case .s3:
                if wants(.proxy, .api, .clock, .key, .bucket) { await checkBucket(destination, settings) }
            }
        }
        if !kinds.contains(.directory) { diagnosis.add(.destination, .skip, "no directory among the destinations") }
        if kinds == [.directory] {
            for check in [DoctorCheck.proxy, .api, .clock, .key] {
                diagnosis.add(check, .skip, "nothing leaves this machine")
            }
        }
        if !kinds.contains(.s3) { diagnosis.add(.bucket, .skip, "no bucket among the destinations") }
    }

    /// The shipper makes the directory and those above it: what is there of them must let it.
    private mutating func checkDirectory(_ destination: DestinationSettings) {
        let path = destination.path
        var existing = path
        while RealPath.of(existing) == nil, errno == ENOENT, existing.count > 1 {
            existing = PosixFileSystem.parent(of: existing)
        }
        guard let real = RealPath.of(existing), isDirectory(real) else {
            return diagnosis.add(
                .destination, .fail,
                "\(destination.name): \(existing) is no directory, and files are to be copied to \(path)",
                try: "ls -ld \(existing); move it away, or set destination.path")
        }
        let code = Permission.error(real, isDirectory: true)
        guard code == 0 else {
            let owner = Permission.owner(of: real).map { " (\($0.text))" } ?? ""
            return diagnosis.add(
                .destination, .fail,
                "\(destination.name): uid \(geteuid()) may not write \(existing)\(owner): \(Errno.text(code))",
                try: "chown \(geteuid()) \(existing)")
        }
        diagnosis.add(
            .destination, .ok, "\(destination.name): \(path)" + (existing == path ? "" : " (made by the first file)"))
    }

    private func isDirectory(_ path: String) -> Bool {
        // What cannot be looked at is no directory of use.
        (try? fileSystem.status(path))?.isDirectory == true
    }
}

/// One question to the upload API, and what its answer or its silence says.
extension Doctor {
    private static let skewWarning: Int64 = 30_000
    /// Presigned URLs and signatures are refused from 15 minutes on.
    private static let skewLimit: Int64 = 300_000

    mutating func checkUploadAPI(_ settings: Settings) async {
        let (scheme, authority, path) = Self.place(settings.cloudzero)
        let url = "\(scheme)://\(authority)\(path)/v2/insights"
        let key = SecretText.read(settings.cloudzero.apiKeyPath ?? "")
        guard await checkWay(settings, scheme: scheme, authority: authority) else {
            diagnosis.skip(.clock, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api)
            if case .success = key { diagnosis.skip(.key, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api) }
            return report(key)
        }
        var headers: [(name: String, value: String)] = []
        if case .success(let secret) = key { headers.append(("Authorization", secret)) }
        let request = HTTPRequest(.get, RedactedURL(url), headers: headers, body: .none, timeout: timeout)
        let asked = Clocks.system.wallMilliseconds()
        do throws(TransportError) {
            let response = try await transport.sendDiscreetly(request)
            report(response, authority, at: (asked + Clocks.system.wallMilliseconds()) / 2, key)
        } catch {
            report(error, authority)
            diagnosis.skip(.clock, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api)
            if case .success = key { diagnosis.skip(.key, needs: diagnosis.hasFailed(.proxy) ? .proxy : .api) }
        }
        report(key)
    }

    /// As the shipper reaches the outside.
    var transport: CurlTransport {
        CurlTransport(
            userAgent: "cirrus/\(Version.number)", connectTimeout: timeout, network: network, fileSystem: fileSystem)
    }

    /// Scheme, host with port, and path of `cloudzero.host`; `use_http` alone decides the scheme.
    private static func place(_ settings: CloudZeroSettings) -> (scheme: String, authority: String, path: String) {
        var host = settings.host
        for scheme in ["https://", "http://"] where host.lowercased().hasPrefix(scheme) {
            host.removeFirst(scheme.count)
        }
        while host.hasSuffix("/") { host.removeLast() }
        let slash = host.firstIndex(of: "/") ?? host.endIndex
        return (settings.usesHTTP ? "http" : "https", String(host[..<slash]), String(host[slash...]))
    }

    /// False when the proxy, or without one the host itself, cannot be connected to.
    mutating func checkWay(_ settings: Settings, scheme: String, authority: String) async -> Bool {
        let target = NetworkPlace(authority, defaultPort: scheme == "https" ? 443 : 80)
        if let proxy = ProxyChoice.of(settings.http, scheme: scheme, host: target.host) {
            guard let cause = await NetworkPlace(proxy.authority, defaultPort: 1080).connectError(timeout) else {
                diagnosis.add(.proxy, .ok, "\(proxy.shown) (\(proxy.origin))")
                return true
            }
            diagnosis.add(
                .proxy, .fail, "cannot reach the proxy \(proxy.shown) (\(proxy.origin)): \(cause)",
                try: "curl -v -x \(proxy.shown) \(scheme)://\(authority)/, or correct \(proxy.origin)")
            diagnosis.skip(.api, needs: .proxy)
            return false
        }
        diagnosis.add(.proxy, .ok, "none")
        guard let cause = await target.connectError(timeout) else { return true }
        diagnosis.add(
            .api, .fail, "cannot reach \(authority): \(cause)",
            try: "curl -v \(scheme)://\(authority)/, from here; is port \(target.port) open to the outside?")
        return false
    }

    mutating func report(_ error: TransportError, _ authority: String) {
        let text = error.text.lowercased()
        if text.contains("proxy") || text.contains("connect tunnel") {
            return diagnosis.add(
                .proxy, .fail, "the proxy does not let us through to \(authority): \(error.text)",
                try: "check user, password and rules of the proxy")
        }
        let advice =
            if text.contains("expired") || text.contains("not yet valid") {
                "date -u; openssl s_client -connect \(authority) </dev/null | openssl x509 -noout -dates"
            } else if text.contains("certificate") || text.contains("ssl") {
                "name the authority of a proxy that opens TLS: http.ca_file"
            } else {
                "curl -v https://\(authority)/, from here"
            }
        diagnosis.add(.api, .fail, "\(authority) does not answer: \(error.text)", try: advice)
    }

    private mutating func report(
        _ response: HTTPResponse, _ authority: String, at now: Int64, _ key: Result<String, SecretText.Fault>
    ) {
        if response.status == 407 {
            diagnosis.add(
                .proxy, .fail, "the proxy asks for a user and a password (407)",
                try: "give them: http.proxy: http://USER:PASSWORD@HOST:PORT")
            diagnosis.skip(.api, .clock, .key, needs: .proxy)
            return
        }
        if (500...599).contains(response.status) {
            diagnosis.add(
                .api, .fail, "\(authority) answers \(response.status): \(Self.begin(of: response))",
                try: "wait: files are kept and sent again; then czctl doctor --only api")
        } else {
            diagnosis.add(.api, .ok, "\(authority) answers")
        }
        checkClock(response.headers["date"], authority, at: now)
        guard case .success(let secret) = key else { return }
        switch response.status {
        case 200..<300: diagnosis.add(.key, .ok, "\(authority) takes it")
        case 401, 403:
            diagnosis.add(
                .key, .fail,
                "\(authority) refuses the key of \(secret.utf8.count) bytes with \(response.status):"
                    + " \(Self.begin(of: response))",
                try: "write the key of this account into the file; it is read again for every call")
        case 500...599: diagnosis.skip(.key, needs: .api)
        default:
            diagnosis.add(
                .key, .warn, "\(authority) answers \(response.status): it does not say whether the key is good")
        }
    }

    mutating func checkClock(_ date: String?, _ authority: String, at now: Int64) {
        guard let date, let server = UTCTime.milliseconds(httpDate: date) else {
            return diagnosis.add(.clock, .skip, "\(authority) does not say what time it is")
        }
        // The header has whole seconds.
        let skew = now - server - 500
        let distance = HumanText.duration(milliseconds: Int64(skew.magnitude) + 500)
        let text = "\(distance) \(skew < 0 ? "behind" : "ahead of") \(authority)"
        let state: Finding.State =
            skew.magnitude >= Self.skewLimit ? .fail : skew.magnitude >= Self.skewWarning ? .warn : .ok
        diagnosis.add(
            .clock, state, state == .ok ? text : "this machine's clock is \(text): signatures and URLs are refused",
            try: state == .ok ? nil : "chronyc tracking, or timedatectl: synchronise the node's clock")
    }

    /// The first words of an answer, which a server wrote.
    private static func begin(of response: HTTPResponse) -> String {
        let text = String(decoding: response.body.prefix(200), as: UTF8.self)
        return text.isEmpty ? "no text" : text
    }
}

extension Doctor {
    private mutating func report(_ key: Result<String, SecretText.Fault>) {
        if case .failure(let fault) = key { diagnosis.add(.key, .fail, fault.text, try: fault.advice) }
    }
}

/// A secret in a file of its own, as the shipper reads it.
enum SecretText {
    /// Why there is none.
    struct Fault: Error {
        let text: String
        let advice: String
    }

    private static let byteLimit = 4096

    static func read(_ path: String) -> Result<String, Fault> {
        func fault(_ cause: String, _ advice: String) -> Result<String, Fault> {
            .failure(Fault(text: "the key file \(path) \(cause)", advice: advice))
        }
        guard let real = RealPath.of(path) else {
            return fault("cannot be read: \(Errno.text(errno))", "ls -l \(path); correct the path in the configuration")
        }
        let bytes: [UInt8]
        do throws(DiskIO.IOError) {
            bytes = try PosixFileSystem().contents(of: real, limit: byteLimit)
        } catch {
            let owner = Permission.owner(of: real).map { " (\($0.text))" } ?? ""
            return fault(
                "cannot be read\(owner) by uid \(geteuid()): \(Errno.text(error.code))",
                "ls -l \(path); in Kubernetes: defaultMode 0440 of the secret's volume, and fsGroup")
        }
        let trimmed = bytes.drop { $0 <= 0x20 }.reversed().drop { $0 <= 0x20 }.reversed()
        guard !trimmed.isEmpty else { return fault("is empty", "write the key into it") }
        guard bytes.count < byteLimit, trimmed.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            return fault("holds more than one line of plain characters", "write the key alone into it")
        }
        return .success(String(decoding: trimmed, as: UTF8.self))
    }
}
