/// A reference id that the server asked for and we do not have: told to it in the next abandon call, again and again
/// until it is heard.
package struct Abandonment: Sendable, Equatable {
    package var referenceID: String
    package var reason: String
}

extension Ledger {
    package func addAbandonments(
        _ abandonments: [Abandonment], _ destination: String, at now: Int64
    ) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            for one in abandonments {
                try connection.run(
                    "INSERT OR IGNORE INTO abandonment VALUES (?, ?, ?, ?)",
                    .text(destination), .text(one.referenceID), .text(one.reason), .integer(now))
            }
        }
    }

    /// The oldest waiting ones, at most `limit`.
    package func abandonments(_ destination: String, limit: Int) throws(ShipError) -> [Abandonment] {
        var query = try connection.prepare(
            """
            SELECT reference_id, reason FROM abandonment WHERE destination = ? ORDER BY asked_ms, reference_id LIMIT ?
            """)
        try query.bind([.text(destination), .integer(Int64(limit))])
        var found: [Abandonment] = []
        while try query.step() { found.append(Abandonment(referenceID: query.text(0), reason: query.text(1))) }
        return found
    }

    /// In a transaction.
    func forgetAbandonment(of file: String, _ destination: String) throws(ShipError) {
        try connection.run(
            "DELETE FROM abandonment WHERE destination = ? AND reference_id = ?", .text(destination), .text(file))
    }

    /// The server took these.
    package func removeAbandonments(
        _ abandonments: [Abandonment], _ destination: String, at now: Int64
    ) throws(ShipError) {
        try connection.transaction { () throws(ShipError) in
            for one in abandonments {
                try forgetAbandonment(of: one.referenceID, destination)
                try recordHistory(
                    one.referenceID, destination, at: now, from: nil, to: "abandon call", detail: one.reason)
            }
        }
    }
}
