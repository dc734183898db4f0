import DiskIO
import TestKit

/// The simulated disk for everything but the ledger, which SQLite keeps in a real file of the same name.
struct SplitFileSystem: FileSystem {
    let simulated: SimulatedDisk
    private let real = PosixFileSystem()

    init(_ simulated: SimulatedDisk) { self.simulated = simulated }

    static func isReal(_ path: String) -> Bool { path.hasSuffix("/ledger.sqlite") || path.hasSuffix("-journal") }

    private func side(_ path: String) -> any FileSystem { Self.isReal(path) ? real : simulated }
    /// A simulated descriptor is beyond every real one.
    private func side(_ file: FileID) -> any FileSystem { file.rawValue < 1 << 20 ? real : simulated }

    func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID { try side(path).open(path, mode) }
    func close(_ file: FileID) { side(file).close(file) }
    func read(_ file: FileID, at offset: UInt64, into buffer: inout MutableSpan<UInt8>) throws(IOError) -> Int {
        try side(file).read(file, at: offset, into: &buffer)
    }
    func write(_ file: FileID, _ bytes: Span<UInt8>, at offset: UInt64) throws(IOError) -> Int {
        try side(file).write(file, bytes, at: offset)
    }
    func size(_ file: FileID) throws(IOError) -> UInt64 { try side(file).size(file) }
    func reserve(_ file: FileID, length: UInt64) throws(IOError) { try side(file).reserve(file, length: length) }
    func setSize(_ file: FileID, to length: UInt64) throws(IOError) { try side(file).setSize(file, to: length) }
    func syncData(_ file: FileID) throws(IOError) { try side(file).syncData(file) }
    func sync(_ file: FileID) throws(IOError) { try side(file).sync(file) }
    func dropCache(_ file: FileID) throws(IOError) { try side(file).dropCache(file) }
    func rename(_ from: String, to: String) throws(IOError) { try side(from).rename(from, to: to) }
    func renameExclusively(_ from: String, to: String) throws(IOError) {
        try side(from).renameExclusively(from, to: to)
    }
    func remove(_ path: String) throws(IOError) { try side(path).remove(path) }
    func makeDirectory(_ path: String) throws(IOError) { try simulated.makeDirectory(path) }
    func list(_ directory: String) throws(IOError) -> [String] { try simulated.list(directory) }
    func syncDirectory(_ path: String) throws(IOError) { try simulated.syncDirectory(path) }
    func status(_ path: String) throws(IOError) -> FileStatus? { try side(path).status(path) }
    func space(_ path: String) throws(IOError) -> VolumeSpace { try simulated.space(path) }
}
