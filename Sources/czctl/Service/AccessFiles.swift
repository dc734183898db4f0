internal import Configuration
internal import DiskIO
internal import Glibc
internal import HTTPServer

/// The files that decide who may use our ports: what they must look like, and what they hold. Nothing of a credential
/// is ever in a message.
enum AccessFiles {
    private static let byteLimit = 1 << 20
    private static let lineLimit = 1000

    /// nil without `tls.cert_file`.
    /// - Throws: `CommandFailure` when a file cannot be read.
    static func material(_ settings: TLSSettings) throws(CommandFailure) -> TLSMaterial? {
        guard let certificates = settings.certificatePath, let key = settings.keyPath else { return nil }
        var authorities: PEMFile?
        if let path = settings.clientCAPath {
            authorities = PEMFile(path: path, bytes: try read(path, "tls.client_ca_file"))
        }
        return TLSMaterial(
            certificates: PEMFile(path: certificates, bytes: try read(certificates, "tls.cert_file")),
            key: PEMFile(path: key, bytes: try read(key, "tls.key_file")), clientAuthorities: authorities)
    }

    /// - Throws: `CommandFailure` when a file cannot be read, or is not what it must be.
    static func credentials(_ settings: AuthSettings) throws(CommandFailure) -> AccessControl.Credentials {
        var tokens: [[UInt8]]?
        if let path = settings.bearerPath {
            tokens = try lines(path, "auth.bearer_file", advice: "write one token a line, of plain characters") {
                line in
                line.allSatisfy { (0x21...0x7E).contains($0) }
            }
        }
        var passwords: [[UInt8]]?
        if let path = settings.basicPath {
            passwords = try lines(path, "auth.basic_file", advice: "write user:password lines") { line in
                line.dropFirst().contains(UInt8(ascii: ":"))
            }
        }
        return AccessControl.Credentials(tokens: tokens, passwords: passwords)
    }

    /// The lines of a file that are not empty, at least one.
    private static func lines(
        _ path: String, _ key: String, advice: String, where isSound: ([UInt8]) -> Bool
    ) throws(CommandFailure) -> [[UInt8]] {
        var found: [[UInt8]] = []
        for (index, part) in try read(path, key).split(separator: 0x0A, omittingEmptySubsequences: false).enumerated() {
            let line = part.last == 0x0D ? Array(part.dropLast()) : Array(part)
            if line.isEmpty { continue }
            guard isSound(line) else { throw failure(key, path, "line \(index + 1) cannot be used; \(advice)") }
            found.append(line)
        }
        guard !found.isEmpty else { throw failure(key, path, "it is empty; \(advice)") }
        guard found.count <= lineLimit else { throw failure(key, path, "it has more than \(lineLimit) lines") }
        return found
    }

    /// A whole file, through symbolic links: Kubernetes swaps a secret by one.
    private static func read(_ path: String, _ key: String) throws(CommandFailure) -> [UInt8] {
        guard let real = RealPath.of(path) else { throw failure(key, path, Errno.text(errno)) }
        let bytes: [UInt8]
        do throws(DiskIO.IOError) {
            bytes = try PosixFileSystem().contents(of: real, limit: byteLimit + 1)
        } catch {
            throw failure(key, path, "\(Errno.text(error.code)); check the file's mode and owner", because: error)
        }
        guard bytes.count <= byteLimit else { throw failure(key, path, "it is longer than \(byteLimit) bytes") }
        return bytes
    }

    private static func failure(
        _ key: String, _ path: String, _ cause: String, because error: DiskIO.IOError? = nil
    ) -> CommandFailure {
        CommandFailure(.usage, "cannot use \(key) \(path): \(cause)", because: error)
    }
}
