internal import Digest
internal import DiskIO

/// What a file's bytes are, by reading all of them.
struct FileWitness: Equatable, Sendable {
    /// 64 hex digits.
    let sha256: String
    /// 32 hex digits: what S3 answers as the ETag of a plain PUT.
    let md5: String
    let byteCount: UInt64

    /// Reads the file at `path`; `each` sees every chunk with its offset (a copy is made that way).
    static func read(
        _ path: String, in fileSystem: any FileSystem, each: ([UInt8], UInt64) throws(IOError) -> Void
    ) throws(IOError) -> FileWitness {
        let file = try File(path, .read, in: fileSystem)
        let running = RunningWitness()
        try file.forEachChunk { (chunk, offset) throws(IOError) in
            running.update(chunk)
            try each(chunk, offset)
        }
        return running.finish()
    }

    static func read(_ path: String, in fileSystem: any FileSystem) throws(IOError) -> FileWitness {
        try read(path, in: fileSystem) { (_, _) throws(IOError) in }
    }
}

/// The witness of bytes that come in pieces. A class, so that closures may feed it.
final class RunningWitness {
    private var sha256 = Digest(.sha256)
    private var md5 = Digest(.md5)
    private(set) var byteCount: UInt64 = 0

    func update(_ bytes: [UInt8]) {
        // SAFETY: UInt8 has no padding.
        sha256.update(unsafe bytes.span.bytes)
        md5.update(unsafe bytes.span.bytes)
        byteCount += UInt64(bytes.count)
    }

    /// The witness of all updates; begins anew.
    func finish() -> FileWitness {
        var sha256 = Digest(.sha256)
        var md5 = Digest(.md5)
        swap(&sha256, &self.sha256)
        swap(&md5, &self.md5)
        defer { byteCount = 0 }
        return FileWitness(sha256: hex(sha256.finish()), md5: hex(md5.finish()), byteCount: byteCount)
    }
}
