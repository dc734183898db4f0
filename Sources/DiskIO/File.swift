/// Owner of one open file: closed exactly once, on every path.
package struct File: ~Copyable, Sendable {
    package let path: String
    private let fileSystem: any FileSystem
    private let id: FileID

    package init(_ path: String, _ mode: OpenMode, in fileSystem: any FileSystem) throws(IOError) {
        self.path = path
        self.fileSystem = fileSystem
        self.id = try fileSystem.open(path, mode)
    }

    deinit { fileSystem.close(id) }

    package func size() throws(IOError) -> UInt64 { try fileSystem.size(id) }
    package func reserve(_ length: UInt64) throws(IOError) { try fileSystem.reserve(id, length: length) }
    package func setSize(_ length: UInt64) throws(IOError) { try fileSystem.setSize(id, to: length) }
    package func syncData() throws(IOError) { try fileSystem.syncData(id) }
    package func sync() throws(IOError) { try fileSystem.sync(id) }

    package func write(_ bytes: [UInt8], at offset: UInt64) throws(IOError) {
        try fileSystem.write(id, bytes.span, at: offset)
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
        var span = buffer.mutableSpan
        return try fileSystem.read(id, at: offset, into: &span)
    }

    /// `fsync`, then closed: the honourable end of a file that was written.
    package consuming func seal() throws(IOError) { try fileSystem.sync(id) }
}
