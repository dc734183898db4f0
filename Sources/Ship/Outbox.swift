internal import DiskIO
internal import Parquet

/// The directories that files wait and rest in, and the moves between them. Every move is a rename followed by fsync
/// of both directories; one that a power cut undoes is made again, because the rows say where a file belongs.
struct Outbox: Sendable {
    let layout: VolumeLayout
    let fileSystem: any FileSystem

    /// Complete files by name, oldest samples first, and how many other names were there. `outbox/` is synced before:
    /// what is sent must not be able to vanish.
    func discover() throws(IOError) -> (ids: [ReferenceID], strangers: [String]) {
        try fileSystem.syncDirectory(layout.outbox)
        var ids: [ReferenceID] = []
        var strangers: [String] = []
        for name in try fileSystem.list(layout.outbox) {
            if let id = ReferenceID(name) { ids.append(id) } else { strangers.append(name) }
        }
        ids.sort { ($0.minSampleMilliseconds, $0.description) < ($1.minSampleMilliseconds, $1.description) }
        return (ids, strangers)
    }

    func describe(_ id: ReferenceID, in folder: String) throws(IOError) -> FoundFile? {
        let path = "\(folder)/\(id)"
        guard let status = try fileSystem.status(path), !status.isDirectory else { return nil }
        return FoundFile(
            name: id.description, sampleMilliseconds: id.minSampleMilliseconds, byteCount: Int64(status.byteCount),
            rowCount: footerRowCount(path))
    }

    /// Rows by the footer; nil when it cannot be read: then the digest will tell what is wrong with the file.
    private func footerRowCount(_ path: String) -> Int64? {
        do {
            return Int64(try ParquetFile(source: try FileSource(path, fileSystem)).metadata.rowCount)
        } catch {
            return nil
        }
    }

    /// Where an unsent file is. One that an operator put back in the queue returns from `quarantine/` or `abandoned/`.
    func locate(_ file: String) throws(IOError) -> String? {
        for folder in [layout.outbox, layout.uploaded] where try fileSystem.exists("\(folder)/\(file)") {
            return "\(folder)/\(file)"
        }
        for folder in [layout.quarantine, layout.abandoned] where try fileSystem.exists("\(folder)/\(file)") {
            try move([file], from: folder, to: layout.outbox)
            return "\(layout.outbox)/\(file)"
        }
        return nil
    }

    /// Moves `files`; those that are not in `from` any more are left out.
    func move(_ files: [String], from: String, to: String) throws(IOError) {
        var moved = false
        for file in files where try fileSystem.exists("\(from)/\(file)") {
            do throws(IOError) { try fileSystem.rename("\(from)/\(file)", to: "\(to)/\(file)") } catch {
                // Another destination's end moved it at the same time.
                guard try !fileSystem.exists("\(from)/\(file)"), try fileSystem.exists("\(to)/\(file)") else {
                    throw error
                }
            }
            moved = true
        }
        guard moved else { return }
        try fileSystem.syncDirectory(to)
        try fileSystem.syncDirectory(from)
    }
}

/// A Parquet file read through the seam.
private final class FileSource: ByteSource {
    private let file: File
    let count: Int

    init(_ path: String, _ fileSystem: any FileSystem) throws(IOError) {
        file = try File(path, .read, in: fileSystem)
        count = Int(clamping: try file.size())
    }

    func read(at offset: Int, count: Int) throws -> [UInt8] { try file.read(at: UInt64(offset), count: count) }
}
