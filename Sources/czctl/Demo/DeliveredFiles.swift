internal import Compactor
internal import DiskIO
internal import Parquet
internal import Synchronization

/// The files that came to the demo's destination since it began.
final class DeliveredFiles: Sendable {
    private struct State {
        var seen: Set<String> = []
        var rows = 0
    }

    private let root: String
    private let fileSystem: any FileSystem
    private let state: Mutex<State>
    private let before: Int

    /// - Parameter root: a bucket's directory, or one with folders `dt=…/hr=…`.
    init(root: String, fileSystem: any FileSystem) {
        self.root = root
        self.fileSystem = fileSystem
        var state = State()
        // What an earlier demo left is not this one's; a destination that is not there yet is empty.
        state.seen = Set((try? Self.files(root, fileSystem)) ?? [])
        before = state.seen.count
        self.state = Mutex(state)
    }

    var rows: Int { state.withLock { $0.rows } }
    var count: Int { state.withLock { $0.seen.count } - before }

    /// The path of every file below `root`.
    private static func files(_ root: String, _ fileSystem: any FileSystem) throws -> [String] {
        guard try fileSystem.exists(root) else { return [] }
        var found: [String] = []
        for name in try fileSystem.list(root) {
            if ReferenceID(name) != nil { found.append(name) }
            guard name.hasPrefix("dt=") || name.hasPrefix("hr=") else { continue }
            found += try files("\(root)/\(name)", fileSystem).map { "\(name)/\($0)" }
        }
        return found
    }

    /// - Parameter isLast: a file that cannot be read is then an error. Until then it may be one that a fault of the
    ///   mock has cut, and that is being sent again.
    func printNew(isLast: Bool = false) throws {
        for file in try Self.files(root, fileSystem) where !state.withLock({ $0.seen.contains(file) }) {
            let stored: StoredFile
            let rows: Int
            do {
                stored = try StoredFile("\(root)/\(file)", in: fileSystem)
                rows = try ParquetFile.verify(stored).rows
            } catch  where !isLast {
                continue
            }
            state.withLock { state in
                state.seen.insert(file)
                state.rows += rows
            }
            let kibibytes = Double(stored.count) / 1024
            Demo.say("file       \(file)   \(rows) rows   \((kibibytes * 10).rounded() / 10) KiB   (verified)")
        }
    }
}
