internal import CLinux
internal import Glibc

/// The real disk: each call of the seam is one system call.
package struct PosixFileSystem: FileSystem {
    package init() {}

    package func open(_ path: String, _ mode: OpenMode) throws(IOError) -> FileID {
        let flags: Int32 =
            switch mode {
            case .read: O_RDONLY
            case .write: O_RDWR
            case .create: O_RDWR | O_CREAT | O_EXCL
            }
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe Glibc.open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw IOError(.open, path, code: errno) }
        return FileID(rawValue: descriptor)
    }

    package func close(_ file: FileID) { _ = Glibc.close(file.rawValue) }

    package func read(_ file: FileID, at offset: UInt64, into buffer: inout MutableSpan<UInt8>) throws(IOError) -> Int {
        // SAFETY: pread writes at most raw.count bytes into the buffer.
        let got = unsafe buffer.withUnsafeMutableBytes { raw in
            unsafe pread(file.rawValue, raw.baseAddress, raw.count, off_t(offset))
        }
        guard got >= 0 else { throw IOError(.read, Self.name(of: file), code: errno) }
        return got
    }

    package func write(_ file: FileID, _ bytes: Span<UInt8>, at offset: UInt64) throws(IOError) -> Int {
        // SAFETY: pwrite reads at most raw.count bytes of the span.
        let put = unsafe bytes.withUnsafeBytes { raw in
            unsafe pwrite(file.rawValue, raw.baseAddress, raw.count, off_t(offset))
        }
        guard put >= 0 else { throw IOError(.write, Self.name(of: file), code: errno) }
        return put
    }

    package func size(_ file: FileID) throws(IOError) -> UInt64 {
        var information = stat()
        // SAFETY: fstat fills the struct it is given.
        guard unsafe fstat(file.rawValue, &information) == 0 else {
            throw IOError(.size, Self.name(of: file), code: errno)
        }
        return UInt64(information.st_size)
    }

    package func reserve(_ file: FileID, length: UInt64) throws(IOError) {
        let result = clinux_reserve(file.rawValue, Int64(length))
        guard result == 0 || errno == EOPNOTSUPP else { throw IOError(.reserve, Self.name(of: file), code: errno) }
    }

    package func setSize(_ file: FileID, to length: UInt64) throws(IOError) {
        guard ftruncate(file.rawValue, off_t(length)) == 0 else {
            throw IOError(.setSize, Self.name(of: file), code: errno)
        }
    }

    package func syncData(_ file: FileID) throws(IOError) {
        guard fdatasync(file.rawValue) == 0 else { throw IOError(.sync, Self.name(of: file), code: errno) }
    }

    package func sync(_ file: FileID) throws(IOError) {
        guard fsync(file.rawValue) == 0 else { throw IOError(.sync, Self.name(of: file), code: errno) }
    }

    package func dropCache(_ file: FileID) throws(IOError) {
        let code = posix_fadvise(file.rawValue, 0, 0, POSIX_FADV_DONTNEED)
        guard code == 0 else { throw IOError(.dropCache, Self.name(of: file), code: code) }
    }

    package func rename(_ from: String, to: String) throws(IOError) {
        // SAFETY: both paths are NUL-terminated copies during the call.
        guard unsafe Glibc.rename(from, to) == 0 else { throw IOError(.rename, "\(from) to \(to)", code: errno) }
    }

    package func renameExclusively(_ from: String, to: String) throws(IOError) {
        // SAFETY: both paths are NUL-terminated copies during the call.
        guard unsafe clinux_rename_exclusively(from, to) == 0 else {
            throw IOError(.rename, "\(from) to \(to)", code: errno)
        }
    }

    package func remove(_ path: String) throws(IOError) {
        // SAFETY: the path is a NUL-terminated copy during the call.
        guard unsafe unlink(path) == 0 else { throw IOError(.remove, path, code: errno) }
    }

    package func makeDirectory(_ path: String) throws(IOError) {
        // SAFETY: the path is a NUL-terminated copy during the call.
        guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else {
            throw IOError(.makeDirectory, path, code: errno)
        }
    }

    package func list(_ directory: String) throws(IOError) -> [String] {
        // SAFETY: the stream is closed below; d_name is NUL-terminated and copied before the next readdir.
        guard let stream = unsafe opendir(directory) else { throw IOError(.list, directory, code: errno) }
        defer { unsafe closedir(stream) }
        var names: [String] = []
        errno = 0
        while let entry = unsafe readdir(stream) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) { pointer in
                unsafe pointer.withMemoryRebound(to: CChar.self, capacity: 256) { unsafe String(cString: $0) }
            }
            if name != ".", name != ".." { names.append(name) }
            errno = 0
        }
        guard errno == 0 else { throw IOError(.list, directory, code: errno) }
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    package func syncDirectory(_ path: String) throws(IOError) {
        // SAFETY: the path is a NUL-terminated copy during the call.
        let descriptor = unsafe Glibc.open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { throw IOError(.syncDirectory, path, code: errno) }
        let result = fsync(descriptor)
        let code = errno
        _ = Glibc.close(descriptor)
        guard result == 0 else { throw IOError(.syncDirectory, path, code: code) }
    }

    package func status(_ path: String) throws(IOError) -> FileStatus? {
        var information = stat()
        // SAFETY: lstat fills the struct it is given.
        guard unsafe lstat(path, &information) == 0 else {
            if errno == ENOENT { return nil }
            throw IOError(.status, path, code: errno)
        }
        return FileStatus(
            byteCount: UInt64(information.st_size), allocatedByteCount: UInt64(information.st_blocks) * 512,
            modifiedMilliseconds: Int64(information.st_mtim.tv_sec) * 1000 + Int64(information.st_mtim.tv_nsec)
                / 1_000_000,
            isDirectory: information.st_mode & S_IFMT == S_IFDIR)
    }

    package func space(_ path: String) throws(IOError) -> VolumeSpace {
        var information = statvfs()
        // SAFETY: statvfs fills the struct it is given.
        guard unsafe statvfs(path, &information) == 0 else { throw IOError(.space, path, code: errno) }
        let block = UInt64(information.f_frsize)
        // As df counts: what is set aside for root is neither used nor ours.
        let reserved = UInt64(information.f_bfree) - min(UInt64(information.f_bavail), UInt64(information.f_bfree))
        return VolumeSpace(
            total: (UInt64(information.f_blocks) - reserved) * block, free: UInt64(information.f_bavail) * block,
            isInMemory: unsafe clinux_is_in_memory(path) != 0)
    }

    /// The path behind a descriptor, for messages.
    private static func name(of file: FileID) -> String {
        let saved = errno
        defer { errno = saved }
        var buffer = [CChar](repeating: 0, count: 4096)
        // SAFETY: readlink writes at most 4095 bytes, so the last stays NUL.
        let length = unsafe readlink("/proc/self/fd/\(file.rawValue)", &buffer, 4095)
        guard length > 0 else { return "descriptor \(file.rawValue)" }
        return String(decoding: buffer[..<length].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
