/// One open file of a `FileSystem`. Owned by `File`, which closes it.
package struct FileID: Hashable, Sendable {
    package let rawValue: Int32
    package init(rawValue: Int32) { self.rawValue = rawValue }
}

/// How a file is opened. Nothing of ours is followed through a symbolic link, and nothing is truncated on open.
package enum OpenMode: Sendable {
    /// Reading; the file must exist.
    case read
    /// Reading and writing; the file must exist.
    case write
    /// Reading and writing; the file must not exist (mode 0600).
    case create
}

/// Space of the volume, in bytes.
package struct VolumeSpace: Equatable, Sendable {
    /// Without what the file system sets aside for root.
    package let total: UInt64
    /// What this process may still take.
    package let free: UInt64
    /// What is used is memory.
    package let isInMemory: Bool

    package init(total: UInt64, free: UInt64, isInMemory: Bool = false) {
        self.total = total
        self.free = free
        self.isInMemory = isInMemory
    }
}

/// The seam to the disk: seventeen flat calls. All durable I/O goes through it, so that a test may fail, tear or
/// forget any of it (`SimulatedDisk`). The real one is `PosixFileSystem`.
///
/// Each call is one system call: it may be interrupted and may transfer less than asked; `File` goes on where that is
/// safe. Paths are plain strings below the storage path, made only of our own names.
package protocol FileSystem: Sendable {
    func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID
    func close(_ file: FileID)
    /// Bytes read into the front of `buffer`: `pread`. 0 at the end of the file.
    func read(_ file: FileID, at offset: UInt64, into buffer: inout MutableSpan<UInt8>) throws(IOError) -> Int
    /// Bytes written from the front of `bytes`: `pwrite`.
    func write(_ file: FileID, _ bytes: Span<UInt8>, at offset: UInt64) throws(IOError) -> Int
    /// Length in bytes.
    func size(_ file: FileID) throws(IOError) -> UInt64
    /// Reserves `length` bytes from the start without changing the size, so that later writes cannot meet a full disk
    /// (on file systems that reserve).
    func reserve(_ file: FileID, length: UInt64) throws(IOError)
    /// Sets the length: gives back reserved space beyond it. Never below what was written.
    func setSize(_ file: FileID, to length: UInt64) throws(IOError)
    /// `fdatasync`: content, and the size that reaches it, are durable when it returns. Not retried by anyone (I10).
    func syncData(_ file: FileID) throws(IOError)
    /// `fsync`.
    func sync(_ file: FileID) throws(IOError)
    /// Drops the file's clean pages from the cache, so that the next read asks the medium: after a failed sync the
    /// cache shows what the disk may lack.
    func dropCache(_ file: FileID) throws(IOError)

    /// Replaces `to` when it exists.
    func rename(_ from: String, to: String) throws(IOError)
    /// Fails with `EEXIST` when `to` exists.
    func renameExclusively(_ from: String, to: String) throws(IOError)
    func remove(_ path: String) throws(IOError)
    /// Makes a directory (mode 0700); one that exists is fine.
    func makeDirectory(_ path: String) throws(IOError)
    /// Names in the directory, sorted by bytes, without `.` and `..`.
    func list(_ directory: String) throws(IOError) -> [String]
    /// Makes creations, renames and removals in the directory durable.
    func syncDirectory(_ path: String) throws(IOError)
    /// Size and modification time, or nil when nothing is there.
    func status(_ path: String) throws(IOError) -> FileStatus?
    func space(_ path: String) throws(IOError) -> VolumeSpace
}

/// What `stat` says, as far as we ask.
package struct FileStatus: Equatable, Sendable {
    package let byteCount: UInt64
    /// What the volume has set aside for it: less than its length where it is sparse, more where it is reserved.
    package let allocatedByteCount: UInt64
    /// Milliseconds since 1970 of the last modification: for display and age, never for identity.
    package let modifiedMilliseconds: Int64
    package let isDirectory: Bool

    package init(byteCount: UInt64, allocatedByteCount: UInt64, modifiedMilliseconds: Int64, isDirectory: Bool) {
        self.byteCount = byteCount
        self.allocatedByteCount = allocatedByteCount
        self.modifiedMilliseconds = modifiedMilliseconds
        self.isDirectory = isDirectory
    }
}

extension FileSystem {
    /// Whether something has this name.
    package func exists(_ path: String) throws(IOError) -> Bool { try status(path) != nil }
}
