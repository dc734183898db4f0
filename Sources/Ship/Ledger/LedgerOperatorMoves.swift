extension Ledger {
    /// Gives rows up: they are not sent any more, and at the next cycle the shipper moves their files to `abandoned/`.
    /// Rows that are delivered or on their way just now are left.
    /// - Parameters:
    ///   - only: the destination whose rows are meant; nil: all of them.
    ///   - told: destinations whose server is told in the next abandon call.
    ///   - dryRun: nothing is changed.
    /// - Returns: the rows as they were.
    package func abandon(
        _ filter: ShipmentFilter, only: String? = nil, reason: String, told: Set<String>, dryRun: Bool, at now: Int64
    ) throws(ShipError) -> [Shipment] {
        if dryRun { return try list(filter, only: only).filter { $0.state.mayBecome(.abandoned) } }
        return try connection.transaction { () throws(ShipError) in
            let rows = try list(filter, only: only).filter { $0.state.mayBecome(.abandoned) }
            for row in rows {
                try moveInTransaction(
                    row.file, row.destination, from: row.state, to: .abandoned, at: now, .reset, detail: reason)
                guard told.contains(row.destination) else { continue }
                try connection.run(
                    "INSERT OR IGNORE INTO abandonment VALUES (?, ?, ?, ?)",
                    .text(row.destination), .text(row.file), .text(reason), .integer(now))
            }
            return rows
        }
    }

    private func list(_ filter: ShipmentFilter, only: String?) throws(ShipError) -> [Shipment] {
        try list(filter).filter { only == nil || $0.destination == only }
    }

    /// Puts failed, abandoned and quarantined rows back in the queue, without back-off and with a fresh URL; other rows
    /// are left. A quarantined file is checked again before anything is sent.
    /// - Parameter only: the destination whose rows are meant; nil: all of them.
    /// - Returns: the rows as they were; with `dryRun` nothing is changed.
    package func retry(
        _ filter: ShipmentFilter, only: String? = nil, dryRun: Bool, at now: Int64
    ) throws(ShipError) -> [Shipment] {
        if dryRun { return try list(filter, only: only).filter(\.state.isRetryable) }
        return try connection.transaction { () throws(ShipError) in
            let rows = try list(filter, only: only).filter(\.state.isRetryable)
            for row in rows {
                try moveInTransaction(
                    row.file, row.destination, from: row.state, to: .discovered, at: now, .reset, detail: "retry")
            }
            return rows
        }
    }
}
