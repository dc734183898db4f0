internal import DiskIO
internal import Glibc

/// The upload API's key, in a file. It is read again for every call, so that a new key works at once; a call is made a
/// few times a cycle. Symbolic links are followed: Kubernetes swaps a secret by one.
struct APIKeyFile: Sendable {
    let path: String

    static let byteLimit = 4_096

    /// The key, without white space around it. Never logged.
    func read() throws(ShipFailure) -> String {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw failure(Errno.text(errno), "check cloudzero.api_key_path and the file's mode")
        }
        defer { _ = close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: Self.byteLimit)
        // SAFETY: read writes at most byteLimit bytes into the array.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        guard count >= 0 else { throw failure(Errno.text(errno), "check cloudzero.api_key_path") }
        let key = String(decoding: bytes[..<count], as: UTF8.self).trimmed
        guard !key.isEmpty else { throw failure("it is empty", "write the key into it") }
        guard count < Self.byteLimit, key.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw failure("it holds more than one line of plain characters", "write the key alone into it")
        }
        return key
    }

    private func failure(_ cause: String, _ advice: String) -> ShipFailure {
        ShipFailure(.unauthorized, "cannot read the API key \(path): \(cause); \(advice)")
    }
}
