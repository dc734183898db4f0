internal import Glibc

/// An exclusive `flock` on a lock file: one collector and one shipper a volume. The kernel frees it at death, so a
/// crash leaves nothing to wait for. The file holds its owner's words, for the message of the one who is refused.
package struct DirectoryLock: ~Copyable, Sendable {
    private let descriptor: Int32

    /// - Throws: `.lock` with `EWOULDBLOCK` when another process holds it; `owner(of:)` says who.
    package init(_ path: String, owner: String) throws(IOError) {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe Glibc.open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw IOError(.lock, path, code: errno) }
        while flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
            let code = errno
            // Whoever only asks `isHeld` has it for an instant, and shared: that is nobody to give way to.
            if code == EWOULDBLOCK, flock(descriptor, LOCK_SH | LOCK_NB) == 0 { continue }
            _ = Glibc.close(descriptor)
            throw IOError(.lock, path, code: code)
        }
        self.descriptor = descriptor
        // The owner's words are a courtesy: a full disk must not stop the start.
        let text = Array((owner + "\n").utf8)
        _ = ftruncate(descriptor, 0)
        // SAFETY: write reads text.count bytes of the array.
        _ = unsafe text.withUnsafeBytes { unsafe pwrite(descriptor, $0.baseAddress, $0.count, 0) }
    }

    deinit { _ = Glibc.close(descriptor) }

    /// What the holder of the lock at `path` says of itself, as `run pid 12`; empty when it says nothing.
    package static func owner(of path: String) -> String {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return "" }
        defer { _ = Glibc.close(descriptor) }
        var bytes = [UInt8](repeating: 0, count: 200)
        // SAFETY: read writes at most bytes.count bytes of the array.
        let count = unsafe bytes.withUnsafeMutableBytes { unsafe Glibc.read(descriptor, $0.baseAddress, $0.count) }
        let line = bytes.prefix(max(0, count)).prefix { $0 != UInt8(ascii: "\n") }
        return String(decoding: line, as: UTF8.self)
    }

    /// Whether some process holds the lock at `path`; false when there is no such file.
    package static func isHeld(_ path: String) -> Bool {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return false }
        defer { _ = Glibc.close(descriptor) }
        return flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK
    }
}
