internal import Glibc
internal import Synchronization

/// An empty directory of this process alone (mode 0700), removed with what is in it.
struct TemporaryDirectory: ~Copyable {
    let path: String

    /// Those of this process, for an exit at which nothing is released.
    private static let present = Mutex<Set<String>>([])

    /// Before the program ends where it stands: its reader has gone, or a command has failed.
    static func removeAll() {
        for path in present.withLock({ $0 }) { remove(path) }
    }

    /// In `TMPDIR`, `/tmp`, or memory: the containers' root is read-only.
    /// - Throws: `.error` when none of them takes one.
    init() throws {
        let places = [ProcessEnvironment.variables["TMPDIR"], "/tmp", "/dev/shm"]
        for case let place? in places where !place.isEmpty {
            var template = Array("\(place)/czctl-XXXXXX".utf8CString)
            // SAFETY: the template is NUL-terminated and mkdtemp writes inside it.
            guard unsafe template.withUnsafeMutableBufferPointer({ unsafe mkdtemp($0.baseAddress!) }) != nil else {
                continue
            }
            let made = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            _ = Self.present.withLock { $0.insert(made) }
            path = made
            return
        }
        throw CommandFailure(
            .error, "cannot make a temporary directory in TMPDIR, /tmp or /dev/shm", try: "TMPDIR=DIR czctl status")
    }

    deinit { Self.remove(path) }

    private static func remove(_ path: String) {
        // What cannot be removed stays, in a place that the system empties; the command's answer is not touched by it.
        // SAFETY: the paths are NUL-terminated copies during the calls.
        for name in HostFile.names(path) { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
        _ = present.withLock { $0.remove(path) }
    }
}
