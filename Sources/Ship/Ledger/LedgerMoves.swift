/// What a move stores in its row besides the state.
package enum RowChange: Sendable, Equatable {
    case none
    /// A fresh presigned URL. It is stored before its first use, so that a restart can use it again.
    case url(RedactedURL, expiresMilliseconds: Int64)
    case attempt
    /// The attempt that was begun is not made.
    case withdrawal
    /// Delivered, with the file's 64-digit SHA-256: the URL is wiped, errors and back-off are forgotten.
    case receipt(Receipt, sha256: String)
    /// It did not work; not tried again before the given time.
    case failure(ShipFailure, notBeforeMilliseconds: Int64, dropsURL: Bool)
    /// A call for many rows did not work, which is no failure of theirs: an API that was down for a day does not leave
    /// every file with the longest back-off behind.
    case callFailure(ShipFailure, notBeforeMilliseconds: Int64)
    /// An operator's word: back to the start, at once.
    case reset
}

/// One move of one row, if it is in `from`.
package struct LedgerMove: Sendable {
    package let file: String
    package let destination: String
    package let from: ShipmentState
    package let to: ShipmentState
    package let change: RowChange
    package let detail: String

    package init(_ row: Shipment, to next: ShipmentState, _ change: RowChange, _ detail: String) {
        self.init(row.file, row.destination, from: row.state, to: next, change, detail)
    }

    init(
        _ file: String, _ destination: String, from: ShipmentState, to: ShipmentState, _ change: RowChange,
        _ detail: String
    ) {
        self.file = file
        self.destination = destination
        self.from = from
        self.to = to
        self.change = change
        self.detail = detail
    }
}

extension Ledger {
    /// Many moves in one transaction: all of them, but for rows that are not in the state the move starts from.
    /// - Returns: for each, whether the row was moved.
    package func apply(_ moves: [LedgerMove], at now: Int64) throws(ShipError) -> [Bool] {
        try connection.transaction { () throws(ShipError) in
            var done: [Bool] = []
            for move in moves { done.append(try makeInTransaction(move, at: now)) }
            return done
        }
    }

    /// Moves one row, if it is in `state` now; stores `change`, and a line of history.
    /// - Throws: `.movedMeanwhile`, and nothing was changed.
    package func move(
        _ file: String, _ destination: String, from state: ShipmentState, to next: ShipmentState, at now: Int64,
        _ change: RowChange, detail: String
    ) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            try moveInTransaction(file, destination, from: state, to: next, at: now, change, detail: detail)
        }
    }

    /// Stores the URLs of one allocate call.
    /// - Returns: the rows as they are now, without those that another process moved meanwhile.
    package func allocate(
        _ rows: [(row: Shipment, url: RedactedURL, expiresMilliseconds: Int64)], at now: Int64
    ) throws(ShipError) -> [Shipment] {
        let moves = rows.map { row, url, expires in
            LedgerMove(row, to: .allocated, .url(url, expiresMilliseconds: expires), "\(url)")
        }
        return zip(rows, try apply(moves, at: now)).filter { $0.1 }.map { allocated, _ in
            var row = allocated.row
            (row.state, row.url) = (.allocated, allocated.url)
            row.urlExpiresMilliseconds = allocated.expiresMilliseconds
            return row
        }
    }

    /// Marks rows as failed for one common reason, which lengthens no later back-off; those that another process moved
    /// meanwhile are its business.
    package func fail(
        _ rows: [Shipment], _ failure: ShipFailure, notBeforeMilliseconds: Int64, at now: Int64
    ) throws(ShipError) {
        let change = RowChange.callFailure(failure, notBeforeMilliseconds: notBeforeMilliseconds)
        _ = try apply(rows.map { LedgerMove($0, to: .failed, change, failure.description) }, at: now)
    }

    /// Quarantines a file at every destination that does not have it: its bytes are not what its name says (I8).
    package func quarantine(_ file: String, _ failure: ShipFailure, at now: Int64) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            for row in try rows(of: file) where row.state.mayBecome(.quarantined) {
                try moveInTransaction(
                    file, row.destination, from: row.state, to: .quarantined, at: now,
                    .failure(failure, notBeforeMilliseconds: 0, dropsURL: true), detail: failure.description)
            }
        }
    }

    /// Takes in files that a destination has no row for. Names known already are left as they are.
    /// - Returns: how many were new.
    package func insert(
        _ files: [FoundFile], _ destination: String, as state: ShipmentState, at now: Int64, detail: String
    ) throws(ShipError) -> Int {
        try connection.transaction { () throws(ShipError) in
            var inserted = 0
            for file in files {
                let uploaded: Int64? = state.isDelivered ? now : nil
                let count = try connection.run(
                    """
                    INSERT OR IGNORE INTO shipment (file, destination, state, sample_ms, bytes, rows, discovered_ms,
                        changed_ms, uploaded_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
                    """,
                    .text(file.name), .text(destination), .text(state.rawValue), .integer(file.sampleMilliseconds),
                    .integer(file.byteCount), SQLValue(file.rowCount), .integer(now), .integer(now), SQLValue(uploaded))
                guard count == 1 else { continue }
                inserted += 1
                try recordHistory(file.name, destination, at: now, from: nil, to: state.rawValue, detail: detail)
                if state.isDelivered { try addToTotals(destination, bytes: file.byteCount, rows: file.rowCount ?? 0) }
            }
            return inserted
        }
    }

    func moveInTransaction(
        _ file: String, _ destination: String, from state: ShipmentState, to next: ShipmentState, at now: Int64,
        _ change: RowChange, detail: String
    ) throws(ShipError) {
        let move = LedgerMove(file, destination, from: state, to: next, change, detail)
        guard try makeInTransaction(move, at: now) else {
            throw ShipError(
                .movedMeanwhile, "move \(file) at \(destination) from \(state) to \(next)",
                cause: "it is not \(state) any more", advice: "look at czctl files list")
        }
    }

    /// Returns false, and has done nothing, when the row is in another state.
    private func makeInTransaction(_ move: LedgerMove, at now: Int64) throws(ShipError) -> Bool {
        precondition(move.from.mayBecome(move.to), "no move from \(move.from) to \(move.to)")
        let (file, destination) = (move.file, move.destination)
        let guarded = "changed_ms = ? WHERE file = ? AND destination = ? AND state = ?"
        let key: [SQLValue] = [.integer(now), .text(file), .text(destination), .text(move.from.rawValue)]
        let (assignments, values) = Self.assignments(of: move.change, at: now)
        if move.to == .uploaded { try countDelivery(file, destination, move.from, at: now) }
        var update = try connection.prepare("UPDATE shipment SET state = ?, \(assignments)\(guarded) RETURNING 1")
        try update.bind([.text(move.to.rawValue)] + values + key)
        guard try update.step() else { return false }
        while try update.step() {}
        if move.to == .uploaded { try forgetParts(file, destination) }
        // It is sent after all: the server is not told that it never comes.
        if [.discovered, .uploaded].contains(move.to) { try forgetAbandonment(of: file, destination) }
        try recordHistory(
            file, destination, at: now, from: move.from.rawValue, to: move.to.rawValue, detail: move.detail)
        switch move.change {
        case .failure(let failure, _, _), .callFailure(let failure, _): try note(failure, of: destination, at: now)
        case .none, .url, .attempt, .withdrawal, .receipt, .reset: break
        }
        return true
    }

    private static func assignments(of change: RowChange, at now: Int64) -> (text: String, values: [SQLValue]) {
        switch change {
        case .none: ("", [])
        case .url(let url, let expires):
            (
                "url = ?, url_expires_ms = ?, object_url = ?, ",
                [.text(url.text), .integer(expires), .text(url.withoutQuery)]
            )
        case .attempt: ("attempts = attempts + 1, ", [])
        case .withdrawal: ("attempts = attempts - 1, ", [])
        case .receipt(let receipt, let sha256):
            (
                """
                sha256 = ?, receipt_status = ?, receipt_etag = ?, receipt_request_id = ?, receipt_date = ?, \
                uploaded_ms = COALESCE(uploaded_ms, ?), url = NULL, url_expires_ms = NULL, failures = 0, \
                not_before_ms = 0, error_code = NULL, error = NULL, error_ms = NULL, 
                """,
                [
                    .text(sha256), .integer(Int64(receipt.status)), SQLValue(receipt.etag), SQLValue(receipt.requestID),
                    SQLValue(receipt.serverDate), .integer(now),
                ]
            )
        case .failure(let failure, let notBefore, let dropsURL):
            (
                (dropsURL ? "url = NULL, url_expires_ms = NULL, " : "") + "failures = failures + 1, " + failureColumns,
                failureValues(failure, notBefore, at: now)
            )
        case .callFailure(let failure, let notBefore):
            (failureColumns, failureValues(failure, notBefore, at: now))
        case .reset: ("failures = 0, not_before_ms = 0, url = NULL, url_expires_ms = NULL, ", [])
        }
    }

    private static let failureColumns = "not_before_ms = ?, error_code = ?, error = ?, error_ms = ?, "

    private static func failureValues(_ failure: ShipFailure, _ notBefore: Int64, at now: Int64) -> [SQLValue] {
        [.integer(notBefore), .text(failure.code.rawValue), .text(failure.text), .integer(now)]
    }

    /// Adds to the destination's sums when this file is delivered for the first time (a replay is not).
    private func countDelivery(
        _ file: String, _ destination: String, _ state: ShipmentState, at now: Int64
    ) throws(ShipError) {
        var query = try connection.prepare(
            "SELECT bytes, rows, uploaded_ms FROM shipment WHERE file = ? AND destination = ? AND state = ?")
        try query.bind([.text(file), .text(destination), .text(state.rawValue)])
        guard try query.step() else { return }
        if query.optionalInteger(2) == nil {
            try addToTotals(destination, bytes: query.integer(0), rows: query.integer(1))
        }
        try connection.run(
            "UPDATE destination SET last_success_ms = ? WHERE name = ?", .integer(now), .text(destination))
    }

    private func addToTotals(_ destination: String, bytes: Int64, rows: Int64) throws(ShipError) {
        try connection.run(
            """
            INSERT INTO destination (name, files, bytes, rows) VALUES (?, 1, ?, ?) ON CONFLICT (name) DO UPDATE
            SET files = files + 1, bytes = bytes + excluded.bytes, rows = rows + excluded.rows
            """, .text(destination), .integer(bytes), .integer(rows))
    }

    /// Keeps the last failure of a destination for `status`.
    package func note(_ failure: ShipFailure, of destination: String, at now: Int64) throws(ShipError) {
        try connection.run(
            """
            INSERT INTO destination (name, last_error_ms, last_error_code, last_error) VALUES (?, ?, ?, ?)
            ON CONFLICT (name) DO UPDATE SET last_error_ms = excluded.last_error_ms,
            last_error_code = excluded.last_error_code, last_error = excluded.last_error
            """, .text(destination), .integer(now), .text(failure.code.rawValue), .text(failure.text))
    }

    func recordHistory(
        _ file: String, _ destination: String, at now: Int64, from: String?, to: String, detail: String
    ) throws(ShipError) {
        try connection.run(
            "INSERT INTO history (file, destination, at_ms, from_state, to_state, detail) VALUES (?, ?, ?, ?, ?, ?)",
            .text(file), .text(destination), .integer(now), SQLValue(from), .text(to), .text(detail))
        try connection.run(
            """
            DELETE FROM history WHERE file = ?1 AND destination = ?2 AND id <= (SELECT id FROM history
            WHERE file = ?1 AND destination = ?2 ORDER BY id DESC LIMIT 1 OFFSET ?3)
            """, .text(file), .text(destination), .integer(Self.historyLimit))
    }
}
