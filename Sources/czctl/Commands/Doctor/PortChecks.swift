internal import Configuration
internal import DiskIO
internal import Glibc
internal import HTTPServer
internal import NIOCore

extension Doctor {
    private static let certificateWarning = 7 * 86_400

    mutating func checkPorts(_ settings: Settings, _ live: [LiveStatus]) {
        guard !diagnosis.hasFailed(.lock) else { return diagnosis.skip(.port, needs: .lock) }
        let address = settings.server.address
        let port = Self.port(of: role.rawValue, settings)
        if let owner = live.first(where: { $0.port == port }) {
            return diagnosis.add(.port, .ok, "\(port): \(owner.role), pid \(owner.pid)")
        }
        switch PortProbe.bindError(address: address, port: port) {
        case 0: diagnosis.add(.port, .ok, "\(port) is free")
        case EADDRINUSE:
            let holder = PortProbe.holder(of: port).map { " by \($0)" } ?? ""
            diagnosis.add(
                .port, .fail, "\(port) is taken\(holder)",
                try: "ss -ltnp 'sport = :\(port)'; stop that, or set"
                    + " \(role == .shipper ? "server.shipper_port" : "server.port")")
        case EACCES:
            diagnosis.add(
                .port, .fail, "uid \(geteuid()) may not listen at \(port)", try: "set server.port to 1024 or more")
        case let code:
            diagnosis.add(
                .port, .fail, "cannot listen at \(address) port \(port): \(Errno.text(code))",
                try: "set server.address to an address of this machine, or to ::")
        }
    }

    /// The files of `tls.*`, `auth.*` and `http.client_*`.
    mutating func checkAccessFiles(_ settings: Settings) {
        let before = diagnosis.findings.count
        checkCertificate("tls.cert_file", settings.tls)
        var client = settings.tls
        client.certificatePath = settings.http.clientCertificatePath
        client.keyPath = settings.http.clientKeyPath
        client.clientCAPath = nil
        checkCertificate("http.client_cert_file", client)
        do throws(CommandFailure) {
            _ = try AccessFiles.credentials(settings.auth)
        } catch {
            diagnosis.add(.tls, .fail, error.message, try: "czctl config explain auth")
        }
        if diagnosis.findings.count == before { diagnosis.add(.tls, .ok, "not asked for") }
    }

    private mutating func checkCertificate(_ key: String, _ settings: TLSSettings) {
        guard let path = settings.certificatePath else { return }
        do {
            guard let material = try AccessFiles.material(settings) else { return }
            let left = try ServerTLS(material).notAfter - Int(Clocks.system.wallMilliseconds() / 1000)
            let age = HumanText.duration(milliseconds: Int64(left.magnitude) * 1000)
            let renew = "openssl x509 -noout -subject -dates -in \(path); replace it and its key"
            if left <= 0 {
                diagnosis.add(.tls, .fail, "\(key): the certificate \(path) has expired \(age) ago", try: renew)
            } else if left < Self.certificateWarning {
                diagnosis.add(.tls, .warn, "\(key): the certificate \(path) expires in \(age)", try: renew)
            } else {
                diagnosis.add(.tls, .ok, "\(key): good for \(age)")
            }
        } catch let failure as CommandFailure {
            diagnosis.add(.tls, .fail, failure.message, try: "ls -l \(path)")
        } catch {
            diagnosis.add(.tls, .fail, "\(error)", try: "openssl x509 -noout -text -in \(path)")
        }
    }
}

/// Looks at a port without listening there: nobody can connect meanwhile.
enum PortProbe {
    /// `errno`, or 0 when a service could take the port.
    static func bindError(address: String, port: Int) -> Int32 {
        // A name that nobody knows is no address of this machine.
        guard let found = try? SocketAddress.makeAddressResolvingHost(address, port: port) else { return EADDRNOTAVAIL }
        let descriptor = socket(found.protocol.rawValue, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        guard descriptor >= 0 else { return errno }
        defer { _ = close(descriptor) }
        var on: Int32 = 1
        // SAFETY: setsockopt reads the four bytes of `on`.
        unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &on, socklen_t(MemoryLayout<Int32>.size))
        // SAFETY: bind reads the address, of the length given with it.
        let result = unsafe found.withSockAddr { unsafe bind(descriptor, $0, socklen_t($1)) }
        return result == 0 ? 0 : errno
    }

    /// Who listens, as `pid 812 (nginx)`; nil where this user may not see it.
    static func holder(of port: Int) -> String? {
        let inodes = listening(at: port)
        guard !inodes.isEmpty else { return nil }
        // Processes come and go while they are looked at, and those of others cannot be: they are passed over.
        for name in HostFile.names("/proc") where Int(name) != nil {
            for descriptor in HostFile.names("/proc/\(name)/fd") {
                let target = HostFile.target(ofLink: "/proc/\(name)/fd/\(descriptor)")
                guard let target, inodes.contains(target) else { continue }
                return "pid \(name) (\(command(of: name)))"
            }
        }
        return nil
    }

    /// `socket:[12345]` of each socket that listens at `port`.
    private static func listening(at port: Int) -> Set<String> {
        var found: Set<String> = []
        let digits = String(port, radix: 16, uppercase: true)
        let wanted = ":" + String(repeating: "0", count: max(0, 4 - digits.count)) + digits
        for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
            let text = HostFile.text(table) ?? ""
            for line in text.split(separator: "\n").dropFirst() {
                let words = line.split(separator: " ")
                // 0A: it listens.
                guard words.count > 9, words[1].hasSuffix(wanted), words[3] == "0A" else { continue }
                found.insert("socket:[\(words[9])]")
            }
        }
        return found
    }

    private static func command(of pid: String) -> String {
        let text = HostFile.text("/proc/\(pid)/comm")
        return HumanText.line((text ?? "").filter { $0 != "\n" })
    }
}
