internal import DiskIO
internal import Parquet
internal import Synchronization

/// Copies files to `<path>/[<kind>/][dt=…/hr=…/]<name>`: complete and durable when the name appears there.
struct DirectorySender: Sender {
    let name: String
    let chunk = 200
    let path: String
    let hive: Bool
    let byKind: Bool
    let compression: UploadCompression?
    let fileSystem: any FileSystem
    private let durable = DurableFolders()

    init(
        name: String, path: String, hive: Bool, byKind: Bool = false, compression: UploadCompression? = nil,
        fileSystem: any FileSystem
    ) {
        self.name = name
        self.path = path
        self.hive = hive
        self.byKind = byKind
        self.compression = compression
        self.fileSystem = fileSystem
    }

    /// Where the file of this id stands.
    func folder(of id: ReferenceID) -> String {
        // A table is a folder, and what is no sample has tables of its own.
        let kind = byKind || !id.kind.isOfSamples ? id.kind.rawValue : ""
        let parts = [path, kind, hive ? id.hivePartition : ""]
        return parts.filter { !$0.isEmpty }.joined(separator: "/")
    }

    func prepare(_ rows: [Shipment], _ cycle: Cycle) -> PreparedChunk { PreparedChunk(ready: rows) }

    func finish(_ cycle: Cycle) {}

    func send(_ row: Shipment, path source: String, _ witness: FileWitness) -> UploadOutcome {
        guard let id = ReferenceID(row.file) else {
            return .failed(ShipFailure(.fileRead, "\(row.file) is not a reference id"), dropsURL: false)
        }
        do throws(IOError) {
            return try place(source, in: folder(of: id), as: row.file + (compression?.suffix ?? ""), witness)
        } catch {
            let code: ShipErrorCode =
                switch error.operation {
                case .makeDirectory: .dirCreate
                case _ where error.path == source: .fileRead
                default: .fileCreate
                }
            return .again(ShipFailure(code, "\(error)"), after: nil)
        }
    }

    private func place(
        _ source: String, in folder: String, as name: String, _ witness: FileWitness
    ) throws(IOError) -> UploadOutcome {
        try makeDirectories(folder)
        let target = "\(folder)/\(name)"
        if try fileSystem.exists(target) {
            let found = try FileWitness.read(target, in: fileSystem)
            guard found == witness else {
                let text = "\(target) exists with other bytes (SHA-256 \(found.sha256)); move it away and retry"
                return .failed(ShipFailure(.fileCreate, text), dropsURL: false)
            }
            // An earlier attempt got this far; its directory entry may not be durable yet.
            try fileSystem.syncDirectory(folder)
            return .uploaded(.local)
        }
        let temporary = "\(folder)/.\(name).tmp"
        if try fileSystem.exists(temporary) { try fileSystem.remove(temporary) }
        let copy = try File(temporary, .create, in: fileSystem)
        let copied = try FileWitness.read(source, in: fileSystem) { (bytes, offset) throws(IOError) in
            try copy.write(bytes, at: offset)
        }
        guard copied == witness else {
            try fileSystem.remove(temporary)
            return .damaged(ShipFailure(.fileRead, "\(source) changed while it was copied"))
        }
        try copy.seal()
        try fileSystem.rename(temporary, to: target)
        try fileSystem.syncDirectory(folder)
        return .uploaded(.local)
    }

    /// Makes `folder` and its missing parents, each durable in its own parent. One that is there may have been made by
    /// a process that was killed before its sync: the first file of this process syncs it.
    private func makeDirectories(_ folder: String) throws(IOError) {
        guard !durable.contains(folder) else { return }
        let parent = PosixFileSystem.parent(of: folder)
        if try !fileSystem.exists(folder) {
            if parent != folder { try makeDirectories(parent) }
            try fileSystem.makeDirectory(folder)
        } else if folder.utf8.count < path.utf8.count {
            return  // above the destination: somebody else's
        } else if folder != path {
            try makeDirectories(parent)
        }
        try fileSystem.syncDirectory(parent)
        durable.insert(folder)
    }
}

/// Folders whose entries in their parents this process has synced.
private final class DurableFolders: Sendable {
    /// Two years of hours; beyond it all are synced again (I9).
    private static let limit = 20_000
    private let folders = Mutex<Set<String>>([])

    func contains(_ folder: String) -> Bool { folders.withLock { $0.contains(folder) } }

    func insert(_ folder: String) {
        folders.withLock { folders in
            if folders.count >= Self.limit { folders = [] }
            folders.insert(folder)
        }
    }
}
