/// Owner of one open file: closed exactly once, on every path.
///
/// Interrupted calls are repeated, short transfers continued and failed reads tried again here; never a sync: the
/// kernel may have dropped the pages of one that failed (I10).
package struct File: ~Copyable, Sendable {
    /// Interruptions in a row after which a call counts as failed.
    private static let interruptionLimit = 100
    /// A read that fails for the medium's sake is made so often: a second look often succeeds, and what is taken for
    /// damaged costs data.
    private static let readAttemptLimit = 5
    private static let chunkByteLimit: UInt64 = 1 << 20

    package let path: String
    private let fileSystem: any FileSystem
    private let id: FileID

    package init(_ path: String, _ mode: OpenMode, in fileSystem: any FileSystem) throws(IOError) {
        self.path = path
        self.fileSystem = fileSystem
        self.id = try Self.uninterrupted { () throws(IOError) in try fileSystem.open(path, mode) }
    }

    deinit { fileSystem.close(id) }

    package func size() throws(IOError) -> UInt64 { try fileSystem.size(id) }
    package func reserve(_ length: UInt64) throws(IOError) {
        try Self.uninterrupted { () throws(IOError) in try fileSystem.reserve(id, length: length) }
    }
    package func setSize(_ length: UInt64) throws(IOError) {
        try Self.uninterrupted { () throws(IOError) in try fileSystem.setSize(id, to: length) }
    }
    package func syncData() throws(IOError) { try fileSystem.syncData(id) }
    package func sync() throws(IOError) { try fileSystem.sync(id) }
    package func dropCache() throws(IOError) { try fileSystem.dropCache(id) }

    /// All of `bytes`.
    package func write(_ bytes: [UInt8], at offset: UInt64) throws(IOError) {
        var done = 0
        while done < bytes.count {
            let put = try Self.uninterrupted { () throws(IOError) in
                try fileSystem.write(id, bytes.span.extracting(done..<bytes.count), at: offset + UInt64(done))
            }
            guard put > 0 else { throw IOError(.write, path, code: Errno.inputOutput) }
            done += put
        }
    }

    /// Up to `count` bytes at `offset`; fewer only at the end of the file.
    package func read(at offset: UInt64, count: Int) throws(IOError) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        let got = try read(at: offset, into: &bytes)
        bytes.removeLast(count - got)
        return bytes
    }

    /// Fills `buffer`, keeping its length; returns how many bytes there were.
    package func read(at offset: UInt64, into buffer: inout [UInt8]) throws(IOError) -> Int {
        let count = buffer.count
        var span = buffer.mutableSpan
        var done = 0
        var failures = 0
        while done < count {
            do throws(IOError) {
                let got = try Self.uninterrupted { () throws(IOError) in
                    var rest = span._mutatingExtracting(done..<count)
                    return try fileSystem.read(id, at: offset + UInt64(done), into: &rest)
                }
                if got == 0 { break }
                done += got
                failures = 0
            } catch {
                failures += 1
                guard error.code == Errno.inputOutput, failures < Self.readAttemptLimit else { throw error }
            }
        }
        return done
    }

    /// Every byte, in chunks of at most 1 MiB, each with its offset.
    package func forEachChunk(_ body: ([UInt8], UInt64) throws(IOError) -> Void) throws(IOError) {
        let size = try size()
        var chunk = [UInt8](repeating: 0, count: Int(min(size, Self.chunkByteLimit)))
        var offset: UInt64 = 0
        while offset < size {
            let got = try read(at: offset, into: &chunk)
            if got == 0 { return }
            chunk.removeLast(chunk.count - got)
            try body(chunk, offset)
            offset += UInt64(got)
        }
    }

    private static func uninterrupted<T>(_ call: () throws(IOError) -> T) throws(IOError) -> T {
        var interruptions = 0
        while true {
            do throws(IOError) {
                return try call()
            } catch {
                guard error.code == Errno.interrupted, interruptions < interruptionLimit else { throw error }
                interruptions += 1
            }
        }
    }

    /// `fsync`, then closed: the honourable end of a file that was written.
    package consuming func seal() throws(IOError) { try fileSystem.sync(id) }
}
