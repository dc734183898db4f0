internal import Glibc

/// An empty directory of this process alone (mode 0700), removed with what is in it.
struct TemporaryDirectory: ~Copyable {
    let path: String

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
            path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
            return
        }
        throw CommandFailure(
            .error, "cannot make a temporary directory in TMPDIR, /tmp or /dev/shm", try: "TMPDIR=DIR czctl status")
    }

    deinit {
        // What cannot be removed stays, in a place that the system empties; the command's answer is not touched by it.
        // SAFETY: the paths are NUL-terminated copies during the calls.
        for name in HostFile.names(path) { unsafe unlink("\(path)/\(name)") }
        unsafe rmdir(path)
    }
}
