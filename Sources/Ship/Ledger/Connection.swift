internal import CSQLite

/// One open SQLite database: closed exactly once. Rollback journal and `synchronous=EXTRA`: the only mode of those
/// measured that keeps every commit through a power cut and is safe for two processes (design.md, the ledger).
@safe struct Connection: ~Copyable {
    enum Mode {
        /// Reading and writing; the file must exist.
        case readWrite
        /// Reading: takes only shared locks and writes nothing, not even a roll back.
        case readOnly
        case memory
    }

    // SAFETY: owned by this value alone: opened in init, closed once in deinit.
    private let handle: OpaquePointer

    /// A writer that finds the ledger locked waits this long.
    static let busyMilliseconds: Int32 = 5_000

    init(_ path: String, _ mode: Mode) throws(ShipError) {
        let flags: Int32 =
            switch mode {
            case .readWrite: SQLITE_OPEN_READWRITE
            case .readOnly: SQLITE_OPEN_READONLY
            case .memory: SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_MEMORY
            }
        var handle: OpaquePointer?
        // SAFETY: the path is a NUL-terminated copy during the call; on failure the handle is still ours to close.
        let status = unsafe sqlite3_open_v2(path, &handle, flags | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, nil)
        guard status == SQLITE_OK, let opened = unsafe handle else {
            unsafe sqlite3_close_v2(handle)
            throw Self.error(status, "open the ledger \(path)")
        }
        unsafe self.handle = opened
        unsafe sqlite3_busy_timeout(opened, Self.busyMilliseconds)
    }

    deinit { unsafe sqlite3_close_v2(handle) }

    func prepare(_ sql: String) throws(ShipError) -> Statement {
        var statement: OpaquePointer?
        // SAFETY: the text is a NUL-terminated copy during the call.
        let status = unsafe sqlite3_prepare_v2(handle, sql, -1, &statement, nil)
        guard status == SQLITE_OK, let prepared = unsafe statement else { throw failure(status, sql) }
        return unsafe Statement(owning: prepared)
    }

    /// Runs statements that give no rows.
    func execute(_ sql: String) throws(ShipError) {
        // SAFETY: the text is a NUL-terminated copy during the call; no callback, no error text is taken.
        let status = unsafe sqlite3_exec(handle, sql, nil, nil, nil)
        guard status == SQLITE_OK else { throw failure(status, sql) }
    }

    /// Runs one statement with `values` for its `?`s; returns how many rows it changed.
    @discardableResult
    func run(_ sql: String, _ values: SQLValue...) throws(ShipError) -> Int {
        var statement = try prepare(sql)
        try statement.bind(values)
        while try statement.step() {}
        return Int(unsafe sqlite3_changes64(handle))
    }

    /// The first column of the first row.
    func integer(_ sql: String) throws(ShipError) -> Int64 {
        var statement = try prepare(sql)
        guard try statement.step() else { return 0 }
        return statement.integer(0)
    }

    /// All of `body`, or nothing of it. The write lock is taken at the start, so that what is read stays true.
    func transaction<T>(_ body: () throws(ShipError) -> T) throws(ShipError) -> T {
        try execute("BEGIN IMMEDIATE")
        do throws(ShipError) {
            let result = try body()
            try execute("COMMIT")
            return result
        } catch {
            // A failed COMMIT may have rolled back already: then this ROLLBACK fails, and the first error counts.
            try? execute("ROLLBACK")
            throw error
        }
    }

    /// Replaces everything here by everything in `source`, read under one shared lock.
    func copy(from source: borrowing Connection) throws(ShipError) {
        // SAFETY: both handles are open; the backup ends before this function does.
        guard let backup = unsafe sqlite3_backup_init(handle, "main", source.handle, "main") else {
            throw Self.error(unsafe sqlite3_extended_errcode(handle), "copy the ledger")
        }
        let status = unsafe sqlite3_backup_step(backup, -1)
        unsafe sqlite3_backup_finish(backup)
        guard status == SQLITE_DONE else { throw Self.error(status, "read the ledger") }
    }

    private func failure(_ status: Int32, _ sql: String) -> ShipError {
        // Bound values are not part of the text: a URL among them is a secret.
        Self.error(status, "run \"\(sql.prefix(60))\" in the ledger")
    }

    static func error(_ status: Int32, _ act: String) -> ShipError {
        // SAFETY: sqlite3_errstr returns a static string.
        let text = unsafe String(cString: sqlite3_errstr(status))
        switch status & 0xFF {
        case SQLITE_CORRUPT, SQLITE_NOTADB:
            return ShipError(
                .damagedLedger, act, cause: text, advice: "restart the shipper: it sets the file aside and rebuilds it")
        case SQLITE_BUSY, SQLITE_LOCKED:
            return ShipError(
                .database(status), act, cause: text, advice: "another process holds it; try again")
        case SQLITE_FULL:
            return ShipError(.database(status), act, cause: text, advice: "free space on the volume or enlarge it")
        default:
            return ShipError(
                .database(status), act, cause: "\(text) (\(status))", advice: "check the volume and its permissions")
        }
    }

    /// Whether `error` says that a killed writer left a journal which a reader alone may not roll back.
    static func needsRollback(_ error: ShipError) -> Bool {
        guard case .database(let status) = error.reason else { return false }
        return status == csqlite_readonly_rollback || status & 0xFF == SQLITE_CANTOPEN
    }
}
