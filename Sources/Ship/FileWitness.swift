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
        var sha256 = Digest(.sha256)
        var md5 = Digest(.md5)
        var byteCount: UInt64 = 0
        try file.forEachChunk { (chunk, offset) throws(IOError) in
            // SAFETY: UInt8 has no padding.
            sha256.update(unsafe chunk.span.bytes)
            md5.update(unsafe chunk.span.bytes)
            try each(chunk, offset)
            byteCount += UInt64(chunk.count)
        }
        return FileWitness(sha256: hex(sha256.finish()), md5: hex(md5.finish()), byteCount: byteCount)
    }

    static func read(_ path: String, in fileSystem: any FileSystem) throws(IOError) -> FileWitness {
        try read(path, in: fileSystem) { (_, _) throws(IOError) in }
    }
}
