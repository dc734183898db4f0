internal import DiskIO
internal import Ship

/// The ledger as a private copy, for commands that only read: no lock is kept, nothing is written beside it.
enum LedgerCopy {
    /// What `body` makes of it; nil when there is no ledger.
    /// - Throws: `ShipError`; `CommandFailure` without a temporary directory.
    static func read<T: Sendable>(
        _ layout: VolumeLayout, _ fileSystem: any FileSystem, _ body: (Ledger) async throws(ShipError) -> T
    ) async throws -> T? {
        let directory = try TemporaryDirectory()
        let path = directory.path
        guard let ledger = try Ledger.snapshot(layout, fileSystem, temporaryDirectory: path) else { return nil }
        return try await body(ledger)
    }
}

extension CommandFailure {
    init(_ error: ShipError) {
        let status: ExitStatus =
            switch error.reason {
            case .notFound: .notFound
            case .movedMeanwhile, .alreadyRunning: .temporary
            // SQLITE_BUSY and SQLITE_LOCKED: another process holds it.
            case .database(let code) where code & 0xFF == 5 || code & 0xFF == 6: .temporary
            default: .error
            }
        self.init(
            status, "cannot \(error.act): \(error.cause)", try: error.advice, because: CauseChain.cause(of: error))
    }
}
