internal import Digest
package import DiskIO
internal import Parquet

/// A Parquet file being written in `staging/`: buffered, hashed on its way.
final class StagedFile: ByteSink {
    private static let bufferBytes = 1 << 20

    private var file: File
    private var digest: Digest?
    private var buffer: [UInt8] = []
    private(set) var byteCount: UInt64 = 0
    private var written: UInt64 = 0

    init(_ path: String, in fileSystem: any FileSystem) throws(IOError) {
        if try fileSystem.exists(path) { try fileSystem.remove(path) }
        file = try File(path, .create, in: fileSystem)
        digest = Digest(.sha256)
        buffer.reserveCapacity(Self.bufferBytes)
    }

    func write(_ bytes: [UInt8]) throws {
        byteCount += UInt64(bytes.count)
        if buffer.count + bytes.count > Self.bufferBytes { try flush() }
        if bytes.count > Self.bufferBytes { try put(bytes) } else { buffer.append(contentsOf: bytes) }
    }

    /// Everything on disk; returns the SHA-256.
    func finish() throws -> [UInt8] {
        try flush()
        try file.sync()
        guard let digest = digest.take() else { preconditionFailure("finished once") }
        return digest.finish()
    }

    private func flush() throws {
        guard !buffer.isEmpty else { return }
        try put(buffer)
        buffer.removeAll(keepingCapacity: true)
    }

    private func put(_ bytes: [UInt8]) throws {
        // SAFETY: UInt8 has no padding.
        digest?.update(unsafe bytes.span.bytes)
        try file.write(bytes, at: written)
        written += UInt64(bytes.count)
    }
}

/// A file on disk, read by the Parquet reader.
package final class StoredFile: ByteSource {
    private let file: File
    package let count: Int

    package init(_ path: String, in fileSystem: any FileSystem) throws(IOError) {
        file = try File(path, .read, in: fileSystem)
        count = Int(try file.size())
    }

    package func read(at offset: Int, count: Int) throws -> [UInt8] { try file.read(at: UInt64(offset), count: count) }

    /// SHA-256 of the whole file.
    func sha256() throws -> [UInt8] {
        var digest = Digest(.sha256)
        try file.forEachChunk { (bytes, _) throws(IOError) in
            // SAFETY: UInt8 has no padding.
            digest.update(unsafe bytes.span.bytes)
        }
        return digest.finish()
    }
}
