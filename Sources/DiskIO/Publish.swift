extension FileSystem {
    /// Makes `contents` visible at `path` all at once, or not at all: temp, fsync, rename, fsync of the directory (I5).
    /// A `<path>.tmp` of an earlier attempt is overwritten.
    package func publish(_ contents: [UInt8], at path: String) throws(IOError) {
        try publish(at: path) { (file) throws(IOError) in try file.write(contents, at: 0) }
    }

    /// As above, with contents that `write` writes.
    package func publish(at path: String, write: (borrowing File) throws(IOError) -> Void) throws(IOError) {
        let temporary = path + ".tmp"
        if try exists(temporary) { try remove(temporary) }
        let file = try File(temporary, .create, in: self)
        try write(file)
        try file.seal()
        try rename(temporary, to: path)
        try syncDirectory(Self.parent(of: path))
    }

    /// The whole file at `path`, at most `limit` bytes of it.
    package func contents(of path: String, limit: Int) throws(IOError) -> [UInt8] {
        let file = try File(path, .read, in: self)
        return try file.read(at: 0, count: Int(min(try file.size(), UInt64(limit))))
    }

    /// The directory part of a path; "." when it has none.
    package static func parent(of path: String) -> String {
        guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }
}
