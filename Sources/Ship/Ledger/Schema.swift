internal import Bytes
internal import CSQLite

/// The ledger's tables, as numbered steps that only go forward. A released step never changes: a new one is added.
/// docs/formats/ledger.md describes every column.
enum Schema {
    /// "CRLG": tells a ledger from any other SQLite file.
    static let applicationID: Int64 = 0x4352_4C47

    static let migrations = [
        """
        CREATE TABLE shipment (
            file TEXT NOT NULL, destination TEXT NOT NULL, state TEXT NOT NULL,
            sample_ms INTEGER NOT NULL, bytes INTEGER NOT NULL, sha256 TEXT, rows INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0, failures INTEGER NOT NULL DEFAULT 0,
            not_before_ms INTEGER NOT NULL DEFAULT 0, error_code TEXT, error TEXT, error_ms INTEGER,
            url TEXT, url_expires_ms INTEGER,
            receipt_status INTEGER, receipt_etag TEXT, receipt_request_id TEXT, receipt_date TEXT,
            discovered_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, uploaded_ms INTEGER,
            PRIMARY KEY (file, destination)
        ) STRICT, WITHOUT ROWID;
        CREATE INDEX shipment_by_state ON shipment (destination, state, sample_ms);
        CREATE TABLE history (
            id INTEGER PRIMARY KEY, file TEXT NOT NULL, destination TEXT NOT NULL, at_ms INTEGER NOT NULL,
            from_state TEXT, to_state TEXT NOT NULL, detail TEXT NOT NULL
        ) STRICT;
        CREATE INDEX history_by_file ON history (file, destination, id);
        CREATE TABLE destination (
            name TEXT PRIMARY KEY, files INTEGER NOT NULL DEFAULT 0, bytes INTEGER NOT NULL DEFAULT 0,
            rows INTEGER NOT NULL DEFAULT 0, last_success_ms INTEGER,
            last_error_ms INTEGER, last_error_code TEXT, last_error TEXT
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE abandonment (
            destination TEXT NOT NULL, reference_id TEXT NOT NULL, reason TEXT NOT NULL, asked_ms INTEGER NOT NULL,
            PRIMARY KEY (destination, reference_id)
        ) STRICT, WITHOUT ROWID;
        """,
        """
        CREATE TABLE multipart (
            file TEXT NOT NULL, destination TEXT NOT NULL, upload_id TEXT NOT NULL, object_key TEXT NOT NULL,
            part_bytes INTEGER NOT NULL, begun_ms INTEGER NOT NULL, PRIMARY KEY (file, destination)
        ) STRICT, WITHOUT ROWID;
        CREATE TABLE multipart_part (
            file TEXT NOT NULL, destination TEXT NOT NULL, number INTEGER NOT NULL, etag TEXT NOT NULL,
            PRIMARY KEY (file, destination, number)
        ) STRICT, WITHOUT ROWID;
        ALTER TABLE shipment ADD COLUMN object_url TEXT;
        ALTER TABLE destination ADD COLUMN forgotten_files INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE destination ADD COLUMN forgotten_bytes INTEGER NOT NULL DEFAULT 0;
        ALTER TABLE destination ADD COLUMN forgotten_rows INTEGER NOT NULL DEFAULT 0;
        """,
    ]

    static var version: Int { migrations.count }

    /// Sets the pragmas, checks whose file this is and that it is whole, and brings it to the newest version.
    /// - Throws: `.damagedLedger`; `.newerLedger`, and then nothing was changed.
    static func prepare(_ connection: borrowing Connection, path: String) throws(ShipError) {
        let act = "open the ledger \(path)"
        let found = Int(try connection.integer("PRAGMA user_version"))
        guard found <= version else {
            throw ShipError(
                .newerLedger(version: found), act, cause: "it has version \(found), this program knows \(version)",
                advice: "run the newer program again")
        }
        let owner = try connection.integer("PRAGMA application_id")
        guard owner == applicationID || (owner == 0 && found == 0) else {
            throw ShipError(
                .damagedLedger, act, cause: "application id \(owner) is not a ledger's", advice: "it is set aside")
        }
        let verdict = try integrity(connection)
        if let code = readErrorCode(verdict) { throw Connection.error(code, act) }
        guard verdict == "ok" else {
            throw ShipError(
                .damagedLedger, act, cause: "the integrity check failed: \(verdict.prefix(200))",
                advice: "it is set aside")
        }
        try connection.execute("PRAGMA journal_mode=DELETE; PRAGMA synchronous=EXTRA; PRAGMA temp_store=MEMORY")
        guard found < version else { return }
        try connection.transaction { () throws(ShipError) in
            for step in migrations[found...] { try connection.execute(step) }
            try connection.execute("PRAGMA application_id=\(applicationID); PRAGMA user_version=\(version)")
        }
    }

    /// The check met a page that the medium does not give back: "... error code=266". That is no damage of the file:
    /// it is read again at the next start.
    private static func readErrorCode(_ verdict: String) -> Int32? {
        guard let mark = verdict.firstRange(of: "error code="),
            let code = Int32(verdict[mark.upperBound...].prefix { $0.isNumber }), code & 0xFF == SQLITE_IOERR
        else { return nil }
        return code
    }

    /// "ok", or the first fault. The statement ends here: pragmas cannot change beside one that runs.
    private static func integrity(_ connection: borrowing Connection) throws(ShipError) -> String {
        var check = try connection.prepare("PRAGMA integrity_check(1)")
        return try check.step() ? check.text(0) : "no answer"
    }
}
