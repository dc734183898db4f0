internal import Glibc
internal import Logging
internal import Metrics
internal import Synchronization

/// Files that are used together, and used anew when one of them changes.
///
/// They are looked at by `stat` of what their paths lead to: a Kubernetes secret changes by a symbolic link far above
/// the file, of which inotify on the file says nothing.
final class FileWatch: Sendable {
    private struct State {
        /// Of the files in use.
        var identities: [FileIdentity?]
        /// Why the files of the last look are not in use.
        var failure: String?
    }

    private let what: String
    private let paths: [String]
    private let isGood: Gauge
    private let logger: Logger
    private let use: @Sendable () throws -> Void
    private let state: Mutex<State>

    /// Uses the files for the first time.
    /// - Parameters:
    ///   - what: as the log names them.
    ///   - isGood: 1 while what the files hold is in use.
    ///   - use: reads them and puts them to use; when it throws, what was in use stays.
    init(
        _ what: String, _ paths: [String], isGood: Gauge, logger: Logger, use: @escaping @Sendable () throws -> Void
    ) throws {
        self.what = what
        self.paths = paths
        self.isGood = isGood
        self.logger = logger
        self.use = use
        // Before they are read: a change meanwhile is one that the next look finds.
        state = Mutex(State(identities: paths.map(FileIdentity.init)))
        try use()
        isGood.set(1)
    }

    /// Uses the files if they have changed, or could not be used at the last look. From one thread at a time.
    /// - Parameter anyway: also when they look the same.
    /// - Returns: why they cannot be used, nil when what they hold is in use.
    @discardableResult func check(anyway: Bool) -> String? {
        let identities = paths.map(FileIdentity.init)
        let before = state.withLock { $0 }
        guard anyway || before.failure != nil || identities != before.identities else { return nil }
        do {
            try use()
            state.withLock { $0 = State(identities: identities) }
            isGood.set(1)
            logger.info("\(what) read again")
            return nil
        } catch {
            let failure = "\(error)"
            state.withLock { $0.failure = failure }
            isGood.set(0)
            // Every look fails until the file is mended: said once.
            if failure != before.failure || anyway {
                logger.error("\(what) cannot be used; what was read before holds", metadata: ["error": "\(failure)"])
            }
            return "\(what): \(failure)"
        }
    }
}

/// What `stat` says of the file that a path leads to: another file, or another content, is another identity.
struct FileIdentity: Equatable, Sendable {
    private let device: UInt
    private let inode: UInt
    private let byteCount: Int
    private let modified: [Int]

    /// nil when nothing can be seen there.
    init?(_ path: String) {
        var status = stat()
        // SAFETY: stat fills the value it is given during the call.
        guard unsafe stat(path, &status) == 0 else { return nil }
        device = UInt(status.st_dev)
        inode = UInt(status.st_ino)
        byteCount = Int(status.st_size)
        modified = [
            status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec, status.st_ctim.tv_nsec,
        ]
    }
}
