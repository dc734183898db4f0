internal import DiskIO
internal import Glibc

/// A secret in a file of its own: the upload API's key, an access key, a token. It is read again for every use, so that
/// a new one works at once. Symbolic links are followed: Kubernetes swaps a secret by one.
struct SecretFile: Sendable {
    let path: String
    /// "the API key", for messages.
    let what: String
    /// What names the file.
    let key: String

    var byteLimit = 4_096

    /// The secret, without white space around it. Never logged.
    func read() throws(ShipFailure) -> String {
        let text: String
        do throws(IOError) { text = try Self.contents(path, limit: byteLimit) } catch {
            throw failure(Errno.text(error.code), "check \(key) and the file's mode")
        }
        let secret = text.trimmed
        guard !secret.isEmpty else { throw failure("it is empty", "write the secret into it") }
        guard text.utf8.count < byteLimit, secret.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw failure("it holds more than one line of plain characters", "write the secret alone into it")
        }
        return secret
    }

    /// A whole file of others; nil when there is none.
    static func contentsIfAny(_ path: String, limit: Int) throws(ShipFailure) -> String? {
        do throws(IOError) {
            return try contents(path, limit: limit)
        } catch {
            if error.code == ENOENT || error.code == ENOTDIR { return nil }
            throw ShipFailure(.unauthorized, "cannot read \(path): \(Errno.text(error.code)); check the file's mode")
        }
    }

    /// At most `limit` bytes. Not by the disk seam, which follows no symbolic link.
    private static func contents(_ path: String, limit: Int) throws(IOError) -> String {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IOError(.open, path, code: errno) }
        defer { _ = close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: limit)
        var filled = 0
        while filled < limit {
            // SAFETY: read writes at most the rest of the array.
            let count = unsafe bytes.withUnsafeMutableBytes {
                unsafe Glibc.read(descriptor, $0.baseAddress! + filled, limit - filled)
            }
            guard count >= 0 else { throw IOError(.read, path, code: errno) }
            if count == 0 { break }
            filled += count
        }
        return String(decoding: bytes[..<filled], as: UTF8.self)
    }

    private func failure(_ cause: String, _ advice: String) -> ShipFailure {
        ShipFailure(.unauthorized, "cannot read \(what) \(path): \(cause); \(advice)")
    }
}
