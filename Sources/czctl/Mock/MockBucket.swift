internal import Digest
internal import DiskIO
internal import Synchronization

/// Objects in a directory, and what was put there since the start.
final class MockBucket: Sendable {
    struct Object: Encodable, Sendable {
        var size: Int
        var md5: String
        var sha256: String
        /// Since this mock started.
        var puts: Int
        var distinctContents: Int

        enum CodingKeys: String, CodingKey {
            case size, md5, sha256, puts
            case distinctContents = "distinct_contents"
        }
    }

    private struct Entry {
        var object: Object
        var hashes: Set<String>
    }

    private let directory: String
    private let fileSystem: any FileSystem
    private let entries = Mutex<[String: Entry]>([:])

    /// Takes in the objects of an earlier run, with no PUT counted.
    init(directory: String, in fileSystem: any FileSystem) throws(IOError) {
        self.directory = directory
        self.fileSystem = fileSystem
        try makeDirectories(directory)
        try scan("")
    }

    var objects: [String: Object] {
        entries.withLock { $0.mapValues(\.object) }
    }

    /// A relative path that stays inside the directory.
    static func isKey(_ key: String) -> Bool {
        !key.hasSuffix(".tmp") && key.utf8.count <= 1024 && !key.utf8.contains(0)
            && key.split(separator: "/", omittingEmptySubsequences: false).allSatisfy { !["", ".", ".."].contains($0) }
    }

    /// Stores the object durably, replacing one of the same key.
    /// - Returns: the MD5 in hex: the ETag without its quotes.
    func put(_ key: String, _ bytes: [UInt8]) throws(IOError) -> String {
        let object = Self.describe(bytes, puts: 1)
        // Writes are serial: the mock has one event loop, and blocks it.
        let path = "\(directory)/\(key)"
        try makeDirectories(PosixFileSystem.parent(of: path))
        try fileSystem.publish(bytes, at: path)
        entries.withLock { entries in
            var entry = entries[key] ?? Entry(object: object, hashes: [])
            entry.hashes.insert(object.sha256)
            let puts = entries[key] == nil ? 1 : entry.object.puts + 1
            entry.object = object
            entry.object.puts = puts
            entry.object.distinctContents = entry.hashes.count
            entries[key] = entry
        }
        return object.md5
    }

    private static func describe(_ bytes: [UInt8], puts: Int) -> Object {
        Object(
            size: bytes.count, md5: hex(Digest.of(bytes, .md5)), sha256: hex(Digest.of(bytes, .sha256)), puts: puts,
            distinctContents: 1)
    }

    private func scan(_ prefix: String) throws(IOError) {
        for name in try fileSystem.list(prefix.isEmpty ? directory : "\(directory)/\(prefix)") {
            let key = prefix.isEmpty ? name : "\(prefix)/\(name)"
            guard Self.isKey(key), let status = try fileSystem.status("\(directory)/\(key)") else { continue }
            if status.isDirectory {
                try scan(key)
            } else {
                let object = Self.describe(try fileSystem.contents(of: "\(directory)/\(key)", limit: .max), puts: 0)
                entries.withLock { $0[key] = Entry(object: object, hashes: [object.sha256]) }
            }
        }
    }

    private func makeDirectories(_ path: String) throws(IOError) {
        if try fileSystem.exists(path) { return }
        let parent = PosixFileSystem.parent(of: path)
        try makeDirectories(parent)
        try fileSystem.makeDirectory(path)
        try fileSystem.syncDirectory(parent)
    }
}
